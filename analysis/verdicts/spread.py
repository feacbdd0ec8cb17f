"""Whether runs of one strategy scatter more than those of another: comparisons pool the scatter of all."""

from __future__ import annotations

from itertools import permutations

import numpy as np
from scipy.special import fdtrc

from analysis.data.metric import Metric
from analysis.data.study import Measure
from analysis.data.table import factors_of
from analysis.verdicts.strategy import strategy_labels

FEWEST = 3
"""Degrees of freedom, on each side, from which on two spreads are compared."""
CHANCE = 0.01
"""Chance that a table in which all scatter alike is said to hold unlike spreads, a measure."""


def unlike_spreads(measure: Measure) -> list[str]:
    """The two strategies whose runs scatter most unlike, where that is no chance: a sentence, or none.

    Spreads are those of runs of one design around its mean, of shares and ratings relative to the root of p (1 - p);
    F test of the variances, times the number of pairs.
    """
    rows, metric = measure.trained, measure.metric
    if "strategy" not in rows or rows["strategy"].nunique() < 2:
        return []
    merit = metric.merit(rows["value"].to_numpy(float))
    group = rows.groupby(factors_of(rows), dropna=False, sort=False).ngroup().to_numpy()
    runs = np.bincount(group)
    mean = (np.bincount(group, merit) / runs)[group]
    unit = np.sqrt(np.clip(mean * (1 - mean), 1e-3, None)) if metric.bounded else np.ones(len(mean))
    squares, names = ((merit - mean) / unit) ** 2, strategy_labels(rows).to_numpy(str)
    share = 1 - 1 / runs[group]  # each run's part of the degrees of freedom of its design
    spreads = {
        name: (float(squares[names == name].sum() / free), free)
        for name in dict.fromkeys(names)
        if (free := float(share[names == name].sum())) >= FEWEST
    }
    pairs = list(permutations(spreads, 2))
    if not pairs:
        return []
    wide, narrow = max(pairs, key=lambda pair: spreads[pair[0]][0] / max(spreads[pair[1]][0], 1e-300))
    (most, free), (least, other) = spreads[wide], spreads[narrow]
    if least <= 0 or len(pairs) * fdtrc(free, other, most / least) >= CHANCE:
        return []
    return [_sentence(measure, wide, narrow, np.sqrt(most), np.sqrt(least))]


def _sentence(measure: Measure, wide: str, narrow: str, most: float, least: float) -> str:
    metric: Metric = measure.metric
    half = 0.5 if metric.bounded else 1.0
    shown = [metric.effect(half * spread).lstrip("+-") for spread in (most, least)]
    at = " at a share of one half" if metric.bounded else ""
    told = f"standard deviations of {shown[0]} and {shown[1]} {metric.short_unit}{at}"
    return (
        f"{measure.ability} {metric.name}: runs of {wide} scatter {most / least:.1f} times as much as those of "
        f"{narrow} ({told}); intervals pool both, so they are too narrow for {wide} and too wide for {narrow}."
    )
