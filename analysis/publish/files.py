"""What publishing sends, as files: they are sent as they are, looked at after a dry run, and read back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from analysis.publish.charts import filled, presets
from analysis.publish.content import JOB, Content
from analysis.publish.views import View
from common.json_file import write_json

RUN, PAGE = "publish.json", "report.html"


def table_file(name: str) -> str:
    """The file of a table, in the form in which W&B stores it."""
    return f"tables/{name}.table.json"


def chart_file(name: str) -> str:
    """The file of a preset."""
    return f"charts/{name}.json"


def write_files(content: Content, views: Sequence[View], folder: Path) -> list[Path]:
    """Write publish.json (the run), its tables, charts, workspace and report; return the files.

    A chart is written twice: as the preset that W&B is given, and filled with its rows, for any viewer of Vega-Lite.
    """
    charts = presets(content.figures)
    files: dict[str, object] = {table_file(name): table.to_json() for name, table in content.tables.items()}
    files |= {chart_file(name): asdict(made) for name, made in charts.items()}
    files |= {f"charts/{figure.name}.vl.json": filled(figure) for figure in content.figures}
    files |= {f"{view.said}.json": asdict(view) for view in views}
    labels = {"name": f"{JOB} {content.title}", "group": content.title, "tags": [name[:64] for name in content.sweeps]}
    config = {"sweeps": content.sweeps, "measures": content.measures, "axes": content.axes, "origin": content.origin}
    files[RUN] = {
        "id": content.id, "job_type": JOB, **labels, "config": config, "tables": sorted(content.tables),
        "charts": sorted(charts), "views": [view.said for view in views],
    }  # fmt: skip
    written = []
    for name, value in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        write_json(file, value)
        written.append(file)
    page = folder / PAGE
    page.write_text(content.page, encoding="utf-8")
    return [*written, page]
