"""What publishing would send, as files: for a look at it, for a machine without a network, and to be read back."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from analysis.publish.charts import filled, presets
from analysis.publish.content import JOB, Content
from analysis.publish.views import View
from common.json_file import write_json


def write_files(content: Content, views: Sequence[View], folder: Path) -> list[Path]:
    """Write publish.json (the run), its tables, charts, workspace and report; return the files.

    A chart is written twice: as the preset that W&B is given, and filled with its rows, for any viewer of Vega-Lite.
    """
    files = {f"tables/{name}.table.json": table.to_json() for name, table in content.tables.items()}
    files |= {f"charts/{made.name}.json": made.spec for made in presets(content.figures).values()}
    files |= {f"charts/{figure.name}.vl.json": filled(figure) for figure in content.figures}
    for view in views:
        files[f"{view.said}.json"] = {"name": view.name, "title": view.title, "spec": view.spec}
    files["publish.json"] = {
        "id": content.id, "job_type": JOB, **labels(content), "config": config(content),
        "tables": sorted(content.tables),
    }  # fmt: skip
    written = []
    for name, value in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        write_json(file, value)
        written.append(file)
    page = folder / "report.html"
    page.write_text(content.page, encoding="utf-8")
    return [*written, page]


def labels(content: Content) -> dict[str, object]:
    """How the run of an analysis is called and grouped."""
    return {"name": f"{JOB} {content.title}", "group": content.title, "tags": [name[:64] for name in content.sweeps]}


def config(content: Content) -> dict[str, object]:
    """The config of the run of an analysis, without what says that it is complete."""
    measures, factors = list(content.measures), list(content.factors)
    return {"sweeps": list(content.sweeps), "measures": measures, "factors": factors, "origin": dict(content.origin)}
