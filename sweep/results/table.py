"""The long table of a sweep: one row per measurement."""

from __future__ import annotations

import csv
import json
from collections import Counter
from pathlib import Path
from typing import Any

from common.cells import quoted
from sweep.config.strategy import Moment
from sweep.plan.plan import distinct_samples
from sweep.results import items
from sweep.results.machines import machines, own_stages
from sweep.results.saved_sweep import SavedCell, SavedSweep, dose
from sweep.stages.store import Store

FIRST = (
    *("sweep", "cell", "ability", "task", "metric", "value", "stderr", "n_items"),
    *("after_stage", "last_stage", "train_samples", "presentations", "tokens", "supervised_tokens", "hours", "machine"),
)
"""Columns that every table starts with; the factors of the cells follow.

``after_stage`` is the number of the fine-tuning stage after which the row was measured (0: the untrained base; 1.25:
at the checkpoint after a quarter of the second stage), ``last_stage`` that of the cell's last one: where they are
equal, the row is about the finished model. The columns of samples say what the measured model was trained on, as its
training recorded it: ``train_samples`` distinct samples of the ability, and over all abilities and stages
``presentations`` of samples, their ``tokens`` and those of them that carried loss.

``hours`` is the plan's estimate for the cell's fine-tuning, answers and scores on one device: a GPU where the plan
counts on one, else a core. ``machine`` is where it was trained and answered: processor or GPU, instruction set, torch.
"""

TOTALS = ("presentations", "tokens", "supervised_tokens")
"""What the training stages of a model add up to."""


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
        writer.writerows({column: quoted(cell) for column, cell in row.items()} for row in rows)
    scratch.replace(path)
    parquet.write_table(pa.table({c: [row.get(c) for row in rows] for c in columns}), scratch)
    scratch.replace(folder / "table.parquet")
    items.write(saved, store)
    return path


def _rows(saved: SavedSweep, cell: SavedCell, store: Store) -> list[dict[str, Any]]:
    rows = []
    whole_cell = {"hours": _hours(saved, cell), "machine": machines(saved, cell, store)}
    last_stage = len(saved.tuned(cell))
    for score in saved.measured(cell):
        factors = model_factors(saved, cell, score.moment, store)
        summary = store.path(score.job.stage) / "summary.json"
        if not summary.exists():
            continue
        for metric in json.loads(summary.read_bytes())["metrics"]:
            rows.append(
                {
                    **dict.fromkeys(FIRST),
                    "sweep": saved.name,
                    "cell": cell.label,
                    "after_stage": score.moment.after_stage,
                    "last_stage": last_stage,
                    "ability": score.ability,
                    "task": score.task,
                    **metric,
                    "train_samples": factors.get(f"samples_{score.ability}", 0),
                    **whole_cell,
                    **factors,
                }
            )
    return rows


def model_factors(saved: SavedSweep, cell: SavedCell, moment: Moment, store: Store) -> dict[str, Any]:
    """The factors of a cell's model at one moment of its fine-tuning, and what it was trained on.

    An ability's samples are nested over the stages, so the stage that saw most of them counts.
    """
    samples: dict[str, int] = {}
    totals = dict.fromkeys(TOTALS, 0)
    stages = saved.tuned(cell)[: moment.stage]
    for number, stage in enumerate(stages, 1):
        file = store.records(stage) / "summary.json"
        if not file.exists():
            totals = {}  # a model that was trained elsewhere or is gone; what was planned stands in the factors
            samples = distinct_samples(stages)
            break
        summary = json.loads(file.read_bytes())
        if moment.checkpoint and number == len(stages):
            summary = summary["checkpoints"][moment.checkpoint]
        seen: Counter[str] = Counter()
        for source in summary["sources"].values():
            seen[source["ability"]] += source["samples"]
            totals = {name: total + source[name] for name, total in totals.items()}
        samples |= {ability: max(count, samples.get(ability, 0)) for ability, count in seen.items()}
    abilities = [name.removeprefix("samples_") for name in cell.factors if name.startswith("samples_")]
    return {**cell.factors, **dose(samples, abilities), **totals}


def _hours(saved: SavedSweep, cell: SavedCell) -> float:
    """Estimated hours of the cell's own stages on one device, which no measured time changes."""
    jobs = [saved.jobs[stage.key] for stage in own_stages(saved, cell)]
    return round(sum(j.seconds if j.device_seconds is None else j.device_seconds for j in jobs) / 3600, 6)
