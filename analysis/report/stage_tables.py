"""What is learnt and forgotten along the training stages of a strategy, as tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pandas as pd

from analysis.data.metric import Metric
from analysis.data.study import Study
from analysis.figures.figure import Figure
from analysis.figures.stages import stage_figure
from analysis.text_table import TextTable
from analysis.verdicts.strategy import strategy_labels

KEYS = ["name", "after_stage", "last_stage", "trained_on"]


def stage_tables(study: Study, metrics: Sequence[Metric]) -> list[TextTable]:
    """For each metric the value of every ability after each training stage: one row a strategy and stage.

    Values are means over seeds, of each strategy's cells with the most data. No table where nothing was measured after
    an earlier stage.
    """
    tables = []
    for metric, means in _means(study, metrics):
        body = [
            (f"{name}, {after:.0f} of {last:.0f}", str(trained).replace("+", " + "), *map(metric.number, values))
            for (name, after, last, trained), values in zip(means.index, means.to_numpy(float), strict=True)
        ]
        header = ("strategy and stage", "trained on so far", *map(str, means))
        tables += [TextTable(f"{metric.label} after each training stage", header, tuple(body))] if body else []
    return tables


def stage_figures(study: Study, metrics: Sequence[Metric]) -> list[Figure]:
    """The same as figures, of the metrics that have tables."""
    figures = []
    for metric, means in _means(study, metrics):
        steps = [
            (str(name), int(after), str(trained).replace("+", " + "), str(ability), float(value))
            for (name, after, _, trained), row in means.iterrows()
            for ability, value in row.items()
        ]
        figures.append(stage_figure(metric, steps))
    return figures


def _means(study: Study, metrics: Sequence[Metric]) -> Iterator[tuple[Metric, pd.DataFrame]]:
    """For each metric the mean over seeds: rows are strategies and stages, columns abilities."""
    rows = _staged(study)
    for metric in metrics if len(rows) else ():
        part = rows[rows["metric"] == metric.name]
        if not len(part):
            continue
        several = part.groupby("ability")["task"].nunique() > 1
        measured = part["ability"].where(~part["ability"].map(several), part["ability"] + ", " + part["task"])
        yield metric, part.assign(measured=measured).pivot_table("value", KEYS, "measured", sort=False)


def _staged(study: Study) -> pd.DataFrame:
    """The headline rows of cells that were measured after each stage, with the ``name`` of their strategy."""
    table = study.every_stage
    columns = {"cell", "sweep", "strategy", "total_samples", "trained_on", "after_stage", "last_stage"}
    if table is None or not columns <= set(table):
        return pd.DataFrame()
    table = table[table["after_stage"] % 1 == 0]  # without checkpoints
    cell = [table["sweep"], table["cell"]]
    first, total = (
        table.groupby(cell)[name].transform(how) for name, how in (("after_stage", "min"), ("total_samples", "max"))
    )
    rows = table.assign(name=strategy_labels(table), _total=total)[first < table["last_stage"]]
    if "model" in rows and rows["model"].nunique() > 1:
        rows["name"] = rows["model"] + " " + rows["name"]
    most = rows["_total"] == rows.groupby("name")["_total"].transform("max")
    return rows[most].sort_values(["name", "after_stage"], kind="stable")
