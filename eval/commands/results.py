"""What the commands that score answers share: where items lie, and how results are shown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from common.options import Result
from common.wording import no_file
from eval.commands.text_table import aligned
from eval.spec.answers import ROWS, HubRows
from eval.spec.tasks import Task
from eval.stages import hub_rows


def file_of(world: str | None, name: str, task: Task, place: str, out: Path) -> Path:
    """The file of a task's items or worked examples. A split of a hub data set is written to OUT/TASK/rows first."""
    if task.hub is not None:
        folder = out / name / "rows" / place
        folder.mkdir(parents=True, exist_ok=True)
        hub_rows.run(HubRows(task.hub, task.revision or "", task.config, place), {}, folder)
        return folder / ROWS
    file = Path(world, place) if world and task.world else Path(place)
    if not file.is_file():
        remedy = "give world=FOLDER" if task.world else "get it, or give data=FOLDER"
        raise ValueError(f"task {name}: {no_file(file)}; {remedy}")
    return file


def warnings_of(name: str, summary: Mapping[str, Any]) -> list[str]:
    """Sentences on a task's high rates of invalid answers and on items found in the training data."""
    rates = [f"{one['metric']} is {one['value']:.0%}, above {one['limit']:.0%}" for one in summary["warnings"]]
    contained = [
        f"{count} of {summary['items']} items are in {source}"
        for source, count in summary.get("contaminated", {}).items()
    ]
    return [*(f"warning: {name}: {rate}" for rate in rates), *(f"overlap: {name}: {count}" for count in contained)]


def told(found: Mapping[str, Any], notes: Sequence[str], out: Path) -> Result:
    """What a command says: a table of the metrics in ``found["tasks"]``, notes, and the folder of its records."""
    lines = [*_table(found["tasks"]), *notes, f"records: {out}"]
    return Result("\n".join(lines), {**found, "notes": list(notes), "records": str(out)})


def _table(summaries: Mapping[str, Mapping[str, Any]]) -> list[str]:
    rows = [("task", "ability", "metric", "value", "± error", "items")]
    for name, summary in summaries.items():
        for metric in summary["metrics"]:
            numbers = (f"{metric['value']:.4f}", f"{metric['stderr']:.4f}", str(metric["n_items"]))
            rows.append((name, summary["ability"], metric["metric"], *numbers))
    return aligned(rows)
