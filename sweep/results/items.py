"""The table of a sweep's items, with which the analysis compares cells item by item."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from eval.spec.item_rows import FILE, ItemRow, item_rows
from sweep.results.saved_sweep import SavedSweep
from sweep.stages.stage import Stage
from sweep.stages.store import Store

COLUMNS = ("sweep", "cell", "after_stage", "ability", "task", "metric", "item", "value", "weight")
"""One row per cell, measured stage, task and item. ``after_stage`` is as in the table; the last four columns are those
of `ItemRow`. The weighted mean over the items is the table's value of that cell, stage, task and metric."""

SCORES = "scores.jsonl"
"""The file of verdicts in a score's folder, one for each answer."""

BATCH = 200_000
"""Rows held at a time."""


def write(saved: SavedSweep, store: Store) -> Path:
    """Write ``items.parquet`` beside the sweep's table, unless it already holds these scores; return its path."""
    import pyarrow as pa  # slow to import
    from pyarrow import parquet

    path = store.sweep(saved.name) / "items.parquet"
    finished = list(_finished(saved, store))
    stamp = hashlib.sha256(json.dumps([(*names, stage.key) for names, stage in finished]).encode()).hexdigest()
    if path.exists() and (parquet.read_schema(path).metadata or {}).get(b"scores") == stamp.encode():
        return path
    text = pa.dictionary(pa.int32(), pa.string())
    numbers = {"after_stage": pa.float64(), "value": pa.float64(), "weight": pa.float64()}
    kinds = [(name, numbers.get(name, text)) for name in COLUMNS]
    schema = pa.schema(kinds, metadata={"scores": stamp})
    scratch = path.with_suffix(".tmp")
    with parquet.ParquetWriter(scratch, schema, compression="zstd") as writer:
        for rows in _batches(_rows(saved.name, finished, store)):
            columns = zip(*rows, strict=True)
            writer.write_table(pa.table([pa.array(c, f.type) for c, f in zip(columns, schema, strict=True)], schema))
    scratch.replace(path)
    return path


def _finished(saved: SavedSweep, store: Store) -> Iterator[tuple[tuple[str, float, str, str], Stage]]:
    """Cell, measured stage, ability and task of each score that is finished, with its stage in the store."""
    for cell in saved.cells:
        for score in saved.measured(cell):
            if (store.path(score.job.stage) / SCORES).exists():
                yield (cell.label, score.moment.after_stage, score.ability, score.task), score.job.stage


def _rows(
    sweep: str, finished: Iterable[tuple[tuple[str, float, str, str], Stage]], store: Store
) -> Iterator[tuple[Any, ...]]:
    for names, stage in finished:
        for row in _items(stage, store.path(stage)):
            yield sweep, *names, row.metric, row.item, row.value, row.weight


def _items(stage: Stage, folder: Path) -> list[ItemRow]:
    """The item rows of one score."""
    if not (folder / FILE).exists():
        return _of_older_score(stage, folder)
    with (folder / FILE).open(encoding="utf-8") as lines:
        return [ItemRow(**json.loads(line)) for line in lines]


def _of_older_score(stage: Stage, folder: Path) -> list[ItemRow]:
    """The item rows of a score whose folder has none.

    Scores made before the score stage wrote them stay valid, because their numbers have not changed; so their rows are
    worked out here, by the same rule.
    """
    with (folder / SCORES).open(encoding="utf-8") as lines:
        return item_rows(stage.spec.task, map(json.loads, lines))


def _batches(rows: Iterator[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    batch: list[tuple[Any, ...]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
