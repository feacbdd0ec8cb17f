"""What is learnt and forgotten along the training stages of a strategy, as tables."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from analysis.data.metric import Metric
from analysis.data.study import Study
from analysis.text_table import TextTable
from analysis.verdicts.strategy import strategy_labels

KEYS = ["name", "after_stage", "last_stage", "trained_on"]


def stage_tables(study: Study, metrics: Sequence[Metric]) -> list[TextTable]:
    """For each metric the value of every ability after each training stage: one row a strategy and stage.

    Values are means over seeds, of each strategy's cells with the most data. No table where nothing was measured after
    an earlier stage.
    """
    rows = _staged(study)
    tables = []
    for metric in metrics if len(rows) else ():
        part = rows[rows["metric"] == metric.name]
        several = part.groupby("ability")["task"].nunique() > 1
        measured = part["ability"].where(~part["ability"].map(several), part["ability"] + ", " + part["task"])
        means = part.assign(measured=measured).pivot_table("value", KEYS, "measured", sort=False)
        body = [
            (f"{name}, {after:.0f} of {last:.0f}", str(trained).replace("+", " + "), *map(metric.number, values))
            for (name, after, last, trained), values in zip(means.index, means.to_numpy(float), strict=True)
        ]
        header = ("strategy and stage", "trained on so far", *map(str, means))
        tables += [TextTable(f"{metric.label} after each training stage", header, tuple(body))] if body else []
    return tables


def _staged(study: Study) -> pd.DataFrame:
    """The headline rows of cells that were measured after each stage, with the ``name`` of their strategy."""
    table = study.every_stage
    columns = {"cell", "sweep", "strategy", "total_samples", "trained_on", "after_stage", "last_stage"}
    if table is None or not columns <= set(table):
        return pd.DataFrame()
    cell = [table["sweep"], table["cell"]]
    first, total = (
        table.groupby(cell)[name].transform(how) for name, how in (("after_stage", "min"), ("total_samples", "max"))
    )
    rows = table.assign(name=strategy_labels(table), _total=total)[first < table["last_stage"]]
    if "model" in rows and rows["model"].nunique() > 1:
        rows["name"] = rows["model"] + " " + rows["name"]
    most = rows["_total"] == rows.groupby("name")["_total"].transform("max")
    return rows[most].sort_values(["name", "after_stage"], kind="stable")
