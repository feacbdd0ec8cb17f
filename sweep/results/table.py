"""The long table of a sweep: one row per measurement."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from sweep.results import items
from sweep.results.saved_sweep import SavedCell, SavedSweep
from sweep.stages.stage import File
from sweep.stages.store import Store

FIRST = ("sweep", "cell", "ability", "task", "metric", "value", "stderr", "n_items", "train_samples", "hours")
"""Columns that every table starts with; the factors of the cells follow.

``hours`` is the plan's estimate for the cell's fine-tuning, answers and scores on one device: a GPU where the plan
counts on one, else a core.
"""


def write(saved: SavedSweep, store: Store) -> Path:
    """Write the sweep's table as CSV and Parquet, and its items; return the CSV's path.

    A score that is not there yet has no row.
    """
    import pyarrow as pa
    from pyarrow import parquet  # slow to import, and only needed when a table is written

    rows = [row for cell in saved.cells for row in _rows(saved, cell, store)]
    columns = list(dict.fromkeys([*FIRST, *sorted({key for cell in saved.cells for key in cell.factors})]))
    folder = store.sweep(saved.name)
    path = folder / "table.csv"
    scratch = folder / "table.tmp"
    with scratch.open("w", newline="") as stream:
        writer = csv.DictWriter(stream, columns)
        writer.writeheader()
        writer.writerows(rows)
    scratch.replace(path)
    parquet.write_table(pa.table({c: [row.get(c) for row in rows] for c in columns}), scratch)
    scratch.replace(folder / "table.parquet")
    items.write(saved, store)
    return path


def _rows(saved: SavedSweep, cell: SavedCell, store: Store) -> list[dict[str, Any]]:
    rows = []
    hours = _hours(saved, cell)
    for task, score in sorted(cell.scores.items()):
        summary = store.path(saved.jobs[score["key"]].stage) / "summary.json"
        if not summary.exists():
            continue
        for metric in json.loads(summary.read_bytes())["metrics"]:
            ability = score["ability"]
            rows.append(
                {
                    **dict.fromkeys(FIRST),
                    "sweep": saved.name,
                    "cell": cell.label,
                    "ability": ability,
                    "task": task,
                    **metric,
                    "train_samples": cell.factors.get(f"samples_{ability}", 0),
                    "hours": hours,
                    **cell.factors,
                }
            )
    return rows


def _hours(saved: SavedSweep, cell: SavedCell) -> float:
    """Estimated hours of the cell's stages, without the base model, which cells share."""
    jobs = [saved.jobs[key] for key in cell.trained if saved.jobs[key].stage.spec.architecture is None]
    for score in cell.scores.values():
        scored = saved.jobs[score["key"]]
        earlier = [node for node in scored.stage.inputs.values() if not isinstance(node, File)]
        jobs += [scored, *(saved.jobs[node.key] for node in earlier if node.kind == "answer")]
    return round(sum(job.seconds for job in jobs) / 3600, 6)
