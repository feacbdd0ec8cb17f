"""The machines on which a sweep's models were trained and gave their answers."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from common.wording import plural
from sweep.results.saved_sweep import SavedCell, SavedSweep
from sweep.stages.machine import facts, text
from sweep.stages.stage import Stage
from sweep.stages.store import Store


def machines(saved: SavedSweep, cell: SavedCell, store: Store) -> str | None:
    """The machines of one cell in short, most often one; None where no record says it."""
    return " + ".join(sorted({short for record in _records(saved, cell, store) if (short := text(record))})) or None


def mixture(saved: SavedSweep, store: Store) -> list[str]:
    """A warning where the cells differ in processor, GPU, instruction set or library versions, which says in which."""
    cells: dict[str, dict[str, set[str]]] = {}
    for cell in saved.cells:
        for record in _records(saved, cell, store):
            for name, value in facts(record).items():
                cells.setdefault(name, {}).setdefault(str(value), set()).add(cell.label)
    mixed = [
        f"{name} "
        + " and ".join(f"{value} ({plural(len(labels), 'cell')})" for value, labels in sorted(values.items()))
        for name, values in cells.items()
        if len(values) > 1
    ]
    return [f"warning: the cells differ in {'; '.join(mixed)}: so may their results, for that alone"] if mixed else []


def _records(saved: SavedSweep, cell: SavedCell, store: Store) -> Iterator[dict[str, Any]]:
    """The records of the stages that ran the cell's model, without the base, which cells share."""
    for stage in own_stages(saved, cell):
        path = store.records(stage) / "record.json"
        if stage.kind in ("train", "answer") and path.exists():
            yield json.loads(path.read_bytes())


def own_stages(saved: SavedSweep, cell: SavedCell) -> list[Stage]:
    """The cell's trainings, answers and scores, without the base model, which cells share."""
    scores = [score.job.stage for score in saved.measured(cell)]
    answers = [saved.jobs[score.inputs["answers"].key].stage for score in scores]
    return [*saved.tuned(cell), *answers, *scores]
