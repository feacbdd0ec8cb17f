"""From the scores of a sweep to one long table: a row a measurement."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

from sweep.record import Saved, SavedCell
from sweep.store import Store

FIRST = ("sweep", "cell", "ability", "task", "metric", "value", "stderr", "n_items", "samples")
"""Columns every table starts with; the factors of the cells follow."""


def write(saved: Saved, store: Store) -> Path:
    """Write the sweep's table as CSV and Parquet; return the CSV's path. Scores that are missing are absent rows."""
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
    return path


def _rows(saved: Saved, cell: SavedCell, store: Store) -> list[dict[str, Any]]:
    rows = []
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
                    "samples": cell.factors.get(f"samples_{ability}", 0),
                    **cell.factors,
                }
            )
    return rows
