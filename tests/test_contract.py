"""The one thing sweep and analysis share: the columns of the long table."""

import pandas as pd

from analysis.data.table import COLUMNS, RENAMED, factors_of
from sweep.results.saved_sweep import factors
from sweep.results.table import FIRST
from tests.sweep.composing import cell, plan


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


def test_columns_both_know_mean_the_same_type():
    found = {**dict.fromkeys(FIRST), **factors(plan(cell("strategy=dmt")).cells[0])}
    values = {RENAMED.get(name, name): value for name, value in found.items()}
    for column in COLUMNS:
        value = values.get(column.name)
        if value is not None and column.kind == "number":
            assert isinstance(value, int | float), column.name
