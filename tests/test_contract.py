"""The one thing sweep and analysis share: the columns of the long table."""

from pathlib import Path

import pandas as pd

from analysis.data.reading import read
from analysis.data.table import COLUMNS, RENAMED, factors_of
from common.json_file import write_json
from sweep.plan.files import Files
from sweep.plan.plan import make
from sweep.results.saved_sweep import factors, load, save
from sweep.results.table import FIRST, write
from sweep.stages.store import Store
from tests.sweep.composing import cell, plan

RECORD = {
    "processor": "a processor", "instructions": "AVX2", "threads": 1, "gpu": None, "python": "3.11",
    "versions": {"torch": "2.13.0"},
}  # fmt: skip


def test_the_sweep_writes_every_column_that_the_analysis_requires():
    made = plan(cell("strategy=dmt"))
    written = {RENAMED.get(name, name) for name in (*FIRST, *factors(made.cells[0]))}
    required = {column.name for column in COLUMNS if column.required}
    assert required <= written
    assert {
        "n_items",
        "stderr",
        "seed",
        "params",
        "model",
        "strategy",
        "sweep",
        "cell",
        "after_stage",
        "last_stage",
        "samples",
        "fraction_text",
        "machine",
        "base_seed",
    } <= written


def test_what_a_run_happened_on_is_no_factor():
    written = plan(cell("strategy=dmt")).cells[0]
    table = pd.DataFrame([{**dict.fromkeys(FIRST, "x"), **factors(written)}])
    assert not {"machine", "seed", "base_seed", "cell", "hours"} & set(factors_of(table))
    assert {"strategy", "model", "total_samples"} <= set(factors_of(table))


def test_columns_both_know_mean_the_same_type(store_path: Path):
    """A sweep's own table, of scores as they are written: numbers where the analysis reads numbers, else texts."""
    store = Store(store_path)
    save(make("s", [("dmt", cell("strategy=dmt"), {})], Files(store)), store)
    saved = load(store, "s")
    metric = {"metric": "accuracy", "value": 0.25, "n_items": 8, "stderr": 0.15}
    for stage in saved.stages(saved.cells[0]):
        summary = {"metrics": [metric]} if stage.kind == "score" else {"sources": {}}
        store.path(stage).mkdir(parents=True)
        write_json(store.path(stage) / "summary.json", summary)
        write_json(store.path(stage) / "record.json", RECORD)
    table = pd.read_parquet(write(saved, store).with_suffix(".parquet")).rename(columns=RENAMED)
    known = [column for column in COLUMNS if column.name in table]
    assert {"value", "n_items", "stderr", "samples", "after_stage", "hours", "fraction"} <= {c.name for c in known}
    for column in known:
        types = {type(value) for value in table[column.name].dropna().tolist()}
        names = {int, str} if column.name in ("seed", "base_seed") else {str}  # seeds are numbers that name runs
        assert types and types <= ({int, float} if column.kind == "number" else names), column.name
    assert len(read(store.sweep("s") / "table.csv")) == len(table) > 0
