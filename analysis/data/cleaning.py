"""What a table of any origin holds besides its design: logged columns, repeated rows, impossible standard errors.

Each step returns the table that is left and remarks, sentences that the report and the terminal show.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

import numpy as np
import pandas as pd

from analysis.data.items import Items
from analysis.data.metric import metrics_of
from analysis.data.table import COLUMNS, CONSEQUENCES, NO_FACTORS
from analysis.format import counted

DOSES = ("samples", "fraction", "replay", "total_samples")
"""Amounts of data; where one of them varies, it and not an unknown column is the axis."""

INDEX = "unnamed: *"
"""The name, in lower case, that pandas gives to an index written without one."""

RUN_NAMES = ("id", "run_id", "job_id", "uuid", "state", "timestamp*", "*_at")
"""Names, in lower case, of columns that name or date a run."""

LOGGED = (
    "*loss*", "*perplexity*", "*runtime*", "*seconds*", "*hours*", "wall*", "elapsed*", "duration*", "*throughput*",
    "*per_second*", "*grad_norm*", "*memory*", "*mfu*",
)  # fmt: skip
"""Names, in lower case, of numbers that training logs; of ``train/loss`` and ``eval.loss`` the last part counts."""

MIN_RUNS = 4
"""Rows of one measure from which on a column with another value in each of them is no factor."""


def clean(table: pd.DataFrame, items: Items | None) -> tuple[pd.DataFrame, Items | None, tuple[str, ...]]:
    """A checked table without what says nothing of its design, its items, and remarks on what was left out and why.

    The table of a sweep keeps its columns and its standard errors, some of which are over clusters of items. A column
    by which items find their row is called ``cell``, in both, instead of being left out.
    """
    remarks: list[str] = []
    table, repeated = _without_repeats(table)
    if "settings" not in table:
        reasons = not_factors(table)
        remarks += [f"column {name!r} is no factor: {reason}" for name, reason in reasons.items()]
        if items is not None and "cell" not in table and (names := [name for name in reasons if name in items.columns]):
            table, items = table.rename(columns={names[0]: "cell"}), items.renamed({names[0]: "cell"})
        table = table.drop(columns=[name for name in reasons if name in table])
        table, corrected = _without_impossible_errors(table)
        remarks += corrected
    return table, items, (*remarks, *repeated)


def not_factors(table: pd.DataFrame) -> dict[str, str]:
    """The columns that cannot say how a model was trained, each with the reason.

    They are recognised by name, or by having another value in every run while an amount of data varies.
    """
    declared = {*(column.name for column in COLUMNS), *NO_FACTORS, *CONSEQUENCES}
    dosed = any(name in table and table[name].nunique() > 1 for name in DOSES)
    reasons = {}
    for column in map(str, table.columns):
        if column in declared or column.startswith("samples_"):
            continue
        name = column.lower().replace("/", ".").rpartition(".")[2]
        if fnmatchcase(column.lower(), INDEX):
            reasons[column] = "it numbers the rows"
        elif _matches(name, RUN_NAMES):
            reasons[column] = "it names or dates a run"
        elif _matches(name, LOGGED) and pd.api.types.is_numeric_dtype(table[column]):
            reasons[column] = "by its name, training logged it"
        elif dosed and _differs_in_every_run(table, column):
            reasons[column] = "it has another value in every run"
    return reasons


def _matches(name: str, patterns: tuple[str, ...]) -> bool:
    return any(fnmatchcase(name, pattern) for pattern in patterns)


def _differs_in_every_run(table: pd.DataFrame, column: str) -> bool:
    groups = table.groupby(["ability", "task", "metric"])[column]
    large = groups.transform("size") >= MIN_RUNS
    return bool(large.any() and (groups.nunique() == groups.size())[groups.size() >= MIN_RUNS].all())


def _without_repeats(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The table with each of its rows once: a measurement written twice is one measurement."""
    repeated = table.duplicated()
    count = int(repeated.sum())
    if not count:
        return table, []
    plural = "repeats an earlier row and is" if count == 1 else "repeat an earlier row and are"
    return table[~repeated].reset_index(drop=True), [f"{counted(count, 'row')} {plural} counted once"]


def _without_impossible_errors(table: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """The table without standard errors that no share can have.

    A share has the standard error 0 only where every item has the same result, and at most .5 / sqrt(n - 1), which is
    that of items of which half are right (sample standard deviation over n items).
    """
    if "stderr" not in table:
        return table, []
    shares = [name for name, metric in metrics_of(table).items() if metric.kind == "share"]
    share, error = table["metric"].isin(shares), table["stderr"].to_numpy(float)
    value = table["value"].to_numpy(float)
    items = table["n_items"].to_numpy(float) if "n_items" in table else np.full(len(table), np.nan)
    largest = 0.5 / np.sqrt(np.maximum(np.where(np.isnan(items), 2.0, items) - 1, 1))
    zero = (error == 0) & (value > 0) & (value < 1)
    wrong = share & (zero | (error > largest * 1.001))
    if not wrong.any():
        return table, []
    first = int(wrong.to_numpy().argmax())
    instead = "their number of items is used instead" if not np.isnan(items[first]) else "they are left out"
    why = "0 for a share between 0 and 1" if zero[first] else f"at most {largest[first]:.3g} is possible"
    remark = (
        f"{counted(int(wrong.sum()), 'standard error')} cannot be, such as {error[first]:g} for "
        f"{table['task'].iloc[first]} {table['metric'].iloc[first]} {value[first]:g} ({why}); {instead}"
    )
    return table.assign(stderr=table["stderr"].mask(wrong)), [remark]
