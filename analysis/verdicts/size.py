"""What a larger model, or another value of a further factor, gains at equal data."""

from __future__ import annotations

from functools import partial
from itertools import combinations, pairwise

import pandas as pd

from analysis.format import counted, size
from analysis.verdicts.arms import ArmMeans
from analysis.verdicts.contrast import contrast, difference
from analysis.verdicts.strata import ALONE, RESULTS, own_factors, value_text
from analysis.verdicts.verdict import Verdict
from analysis.verdicts.wording import qualification, with_unit

MOST_VALUES = 4
WORDS = {
    "up": "is better than",
    "down": "is worse than",
    "equal": "equals",
    "undecided": "does not clearly differ from",
}


def matched(left: pd.DataFrame, right: pd.DataFrame, ignore_columns: tuple[str, ...]) -> pd.DataFrame:
    """Pairs of arms that agree in every factor except ``ignore_columns``.

    One row per pair: the columns of ``left``, those of ``right`` with ``_other``, and the ``label`` of each.
    """
    left, right = (table.assign(label=table.index) for table in (left, right))
    by = [c for c in left if c not in RESULTS and c not in ignore_columns]
    if not by:
        return left.merge(right, how="cross", suffixes=("", "_other"))
    filled = [t.assign(**{c: t[c].astype(object).where(t[c].notna(), "") for c in by}) for t in (left, right)]
    return filled[0].merge(filled[1], on=by, suffixes=("", "_other"))


def factors(arms: ArmMeans, margin: float) -> list[Verdict]:
    """For each further factor the mean gain of each value over each other, over the designs that both have.

    Neighbours alone are compared where a factor has more than `MOST_VALUES` values. Strategies are a factor among the
    arms that were trained on the ability alone.
    """
    verdicts = []
    table = arms.table
    alone = (
        table[table["samples"] == table["total_samples"]] if {"samples", "total_samples"} <= set(table) else table[:0]
    )
    columns = [(column, table) for column in own_factors(table)]
    if "strategy" in table:
        columns.append(("strategy", alone))
    for column, rows in columns:
        values = sorted(rows[column].dropna().unique(), key=lambda v: (v != ALONE, str(type(v)), v))
        for old, new in combinations(values, 2) if len(values) <= MOST_VALUES else pairwise(values):
            left, right = (rows[rows[column] == value] for value in (old, new))
            pairs = matched(left, right, (column,))
            if not len(pairs):
                continue
            first, second = value_text(column, new), value_text(column, old)
            weights = difference(list(pairs["label_other"]), list(pairs["label"]))
            verdict = contrast("factor", f"{arms.name}, {first} against {second}", arms, weights, margin)
            designs = counted(len(pairs), "design")
            verdicts.append(verdict.saying(partial(_sentence, arms.name, first, second, designs)))
    return verdicts


def sizes(arms: ArmMeans, margin: float) -> list[Verdict]:
    """The mean gain of each model over the next smaller one, over the designs that both have."""
    table = arms.table
    if "params" not in table:
        return []
    ladder = sorted(table["params"].dropna().unique())
    verdicts = []
    for small, large in pairwise(ladder):
        left, right = (table[table["params"] == n] for n in (small, large))
        pairs = matched(left, right, ("params", "model"))
        if not len(pairs):
            continue
        about = f"{arms.name}, {size(large)} against {size(small)} parameters"
        weights = difference(list(pairs["label_other"]), list(pairs["label"]))
        verdict = contrast("size", about, arms, weights, margin)
        designs = counted(len(pairs), "design")
        names = f"a model of {size(large)} parameters", f"one of {size(small)}"
        verdicts.append(verdict.saying(partial(_sentence, arms.name, *names, designs)))
    return verdicts


def _sentence(name: str, first: str, second: str, designs: str, verdict: Verdict) -> str:
    compared = f"{first} {WORDS[verdict.finding]} {second}"
    effect = f"{with_unit(verdict)}{qualification(verdict)}"
    return f"{name}: {compared} at equal data ({designs}): {effect}."
