"""``python -m analysis publish``: an analysis of sweeps in W&B, or in files as it would be there."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from analysis.data.study import read_study
from analysis.publish.content import Content, content
from analysis.publish.dashboard import views
from analysis.publish.files import write_files
from analysis.publish.send import connect, place_of, send
from analysis.publish.views import Place
from analysis.report.results import analyse
from common.extras import require

NOBODY = "ENTITY"
"""Stands for the owner of the project where a dry run is not told one."""


@dataclass(frozen=True)
class Analysed:
    """Sweeps that have been analysed: the files of their tables and items, the margin, the report, what made it."""

    sweeps: Sequence[str]
    tables: Sequence[Path]
    items: Sequence[Path]
    margin: float
    page: Path
    origin: Mapping[str, str]

    def content(self) -> Content:
        """What is published of them."""
        results = analyse(read_study(self.tables, self.items), self.margin, None)
        return content(results, self.sweeps, self.page, self.origin)


def publish(renew: Callable[[], Analysed], entity: str | None, project: str, workspace: str) -> str:
    """Publish what ``renew`` gives, which brings tables and report up to date; what came of it, with links.

    Raises ValueError before any work where W&B cannot be used.
    """
    require("publish", ["wandb"])
    api = connect()
    made = renew().content()
    place = place_of(api, entity, project)
    lines = send(api, made, place, views(made, place, workspace or made.title))
    back = f"python -m analysis import from=wandb:{place.entity}/{place.project}/{made.id} out=table.parquet"
    return "\n".join([*lines, f"its table again: {back}"])


def write(renew: Callable[[], Analysed], entity: str | None, project: str, workspace: str, folder: Path) -> str:
    """Write what would be published to a folder; what was written."""
    require("publish", ["wandb"])
    made = renew().content()
    files = write_files(made, views(made, Place(entity or NOBODY, project), workspace or made.title), folder)
    return f"{len(files)} files of run {made.id} in {folder}; nothing was sent"
