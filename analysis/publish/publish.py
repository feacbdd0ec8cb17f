"""``python -m analysis publish``: an analysis of sweeps in W&B, or in files as it would be there."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

from analysis.data.study import read_study
from analysis.publish.content import Content, content
from analysis.publish.dashboard import views
from analysis.publish.files import write_files
from analysis.publish.sender import sender
from analysis.publish.views import Place
from analysis.records import result
from analysis.report.results import analyse
from analysis.verdicts.verdict import Verdict
from analysis.verdicts.versions import compare
from common.extras import require
from common.options import Result

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
        verdicts = (*results.findings.verdicts, *self._differences())
        results = replace(results, findings=replace(results.findings, verdicts=verdicts))
        return content(results, self.sweeps, self.page, self.origin)

    def _differences(self) -> Sequence[Verdict]:
        """What changes from the first to the second of two sweeps; nothing where no cells of them are alike."""
        if len(self.sweeps) != 2:
            return ()
        with suppress(ValueError):
            return compare((self.tables[0], self.tables[1]), self.items, self.margin).verdicts
        return ()


def publish(renew: Callable[[], Analysed], entity: str | None, project: str, workspace: str) -> Iterator[str]:
    """Publish what ``renew`` gives, which brings tables and report up to date; a line for each part, with its link.

    Raises ValueError before any work where W&B cannot be used, and later where it does not take something.
    """
    require("publish", ["wandb"])
    with sender(entity, project) as to, tempfile.TemporaryDirectory() as folder:
        made = renew().content()
        write_files(made, views(made, to.place, workspace or made.title), Path(folder))
        yield from to.send(Path(folder))
        address = f"wandb:{to.place.entity}/{to.place.project}/{made.id}"
    yield f"its table again: python -m analysis import from={address} out=table.parquet"


def write(
    renew: Callable[[], Analysed],
    entity: str | None,
    project: str,
    workspace: str,
    folder: Path,
) -> Result:
    """Write what would be published to a folder; what was written."""
    require("publish", ["wandb"])
    made = renew().content()
    files = write_files(made, views(made, Place(entity or NOBODY, project), workspace or made.title), folder)
    told = f"{len(files)} files of run {made.id} in {folder}; nothing was sent"
    return result({"run": made.id, "folder": str(folder), "files": list(map(str, files))}, told)
