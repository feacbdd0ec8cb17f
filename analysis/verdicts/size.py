"""What a larger model gains at equal data."""

from __future__ import annotations

from itertools import pairwise

import pandas as pd

from analysis.format import amount
from analysis.verdicts.arms import ArmMeans
from analysis.verdicts.contrast import contrast, difference
from analysis.verdicts.verdict import Verdict
from analysis.verdicts.wording import reason, spread

WORDS = {
    "up": "is better than",
    "down": "is worse than",
    "equal": "equals",
    "undecided": "is not clearly different from",
}
RESULTS = ("mean", "variance", "runs", "label")


def matched(left: pd.DataFrame, right: pd.DataFrame, apart: tuple[str, ...]) -> pd.DataFrame:
    """Arms that agree in every factor but ``apart``: columns of ``left``, and those of ``right`` with ``_other``; each
    with its ``label``.
    """
    left, right = (table.assign(label=table.index) for table in (left, right))
    by = [c for c in left if c not in RESULTS and c not in apart]
    if not by:
        return left.merge(right, how="cross", suffixes=("", "_other"))
    filled = [t.assign(**{c: t[c].astype(object).where(t[c].notna(), "") for c in by}) for t in (left, right)]
    return filled[0].merge(filled[1], on=by, suffixes=("", "_other"))


def sizes(found: ArmMeans, margin: float) -> list[Verdict]:
    """The mean gain of each model over the next smaller one, over the arms that both have."""
    table = found.table
    if "params" not in table:
        return []
    ladder = sorted(table["params"].dropna().unique())
    verdicts = []
    for small, large in pairwise(ladder):
        left, right = (table[table["params"] == n] for n in (small, large))
        pairs = matched(left, right, ("params", "model"))
        if not len(pairs):
            continue
        about = f"{found.name}, {amount(large)} against {amount(small)} parameters"
        weights = difference(list(pairs["label_other"]), list(pairs["label"]))
        verdict = contrast("size", about, found, weights, margin)
        said = (
            f"{found.name}: {amount(large)} parameters {WORDS[verdict.finding]} {amount(small)} at equal data "
            f"({len(pairs)} designs): {spread(verdict)} {found.metric.effect_unit}{reason(verdict)}."
        )
        verdicts.append(verdict.said(said))
    return verdicts
