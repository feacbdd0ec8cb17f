"""From the per-item scores of a sweep to one table: what lets the analysis compare cells item by item."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from sweep.results.saved_sweep import SavedSweep
from sweep.stages.store import Store

COLUMNS = ("sweep", "cell", "ability", "task", "metric", "item", "value", "weight")
"""A row a cell, task and item: the verdict (0 or 1; over several answers their share) or the loss, and what it weighs.
The weighted mean over the items is the table's value of that cell, task and metric."""

BATCH = 200_000
"""Rows held at a time."""


def write(saved: SavedSweep, store: Store) -> Path:
    """Write ``items.parquet`` beside the sweep's table, unless it already holds these scores; return its path."""
    import pyarrow as pa  # slow to import
    from pyarrow import parquet

    path = store.sweep(saved.name) / "items.parquet"
    found = list(_found(saved, store))
    stamp = hashlib.sha256(json.dumps([(*names, file.parent.name) for names, file in found]).encode()).hexdigest()
    if path.exists() and (parquet.read_schema(path).metadata or {}).get(b"scores") == stamp.encode():
        return path
    text = pa.dictionary(pa.int32(), pa.string())
    kinds = [*((name, text) for name in COLUMNS[:-2]), *((name, pa.float64()) for name in COLUMNS[-2:])]
    schema = pa.schema(kinds, metadata={"scores": stamp})
    scratch = path.with_suffix(".tmp")
    with parquet.ParquetWriter(scratch, schema, compression="zstd") as writer:
        for rows in _batches(_rows(saved.name, found)):
            columns = zip(*rows, strict=True)
            writer.write_table(pa.table([pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)], schema))
    scratch.replace(path)
    return path


def _found(saved: SavedSweep, store: Store) -> Iterator[tuple[tuple[str, str, str], Path]]:
    """Cell, ability and task of each score that is there, with its file."""
    for cell in saved.cells:
        for task, score in sorted(cell.scores.items()):
            file = store.path(saved.jobs[score["key"]].stage) / "scores.jsonl"
            if file.exists():
                yield (cell.label, score["ability"], task), file


def _rows(sweep: str, found: Iterable[tuple[tuple[str, str, str], Path]]) -> Iterator[tuple[Any, ...]]:
    for names, file in found:
        for measured in _items(file):
            yield sweep, *names, *measured


def _items(file: Path) -> list[tuple[str, str, float, float]]:
    """Metric, item, value and weight of each item. Verdicts and ratings that could not be given are absent."""
    groups: dict[str, list[dict[str, Any]]] = {}
    with file.open(encoding="utf-8") as lines:
        for row in map(json.loads, lines):
            groups.setdefault(str(row.get("item", row["id"])), []).append(row)
    found = []
    for item, rows in groups.items():
        if "loss" in rows[0]:
            tokens = sum(row["tokens"] for row in rows)
            if tokens:
                found.append(("loss", item, sum(row["loss"] for row in rows) / tokens, float(tokens)))
        elif rows[0].get("correct") is not None:
            found.append(("accuracy", item, sum(bool(row["correct"]) for row in rows) / len(rows), 1.0))
        elif rated := [row["share"] for row in rows if row.get("share") is not None]:
            found.append(("accuracy", item, sum(rated) / len(rated), float(len(rated))))
    return found


def _batches(rows: Iterator[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    batch: list[tuple[Any, ...]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
