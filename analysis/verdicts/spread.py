"""Whether runs of one strategy or mixture scatter more than those of another: comparisons pool the scatter of all."""

from __future__ import annotations

from itertools import permutations

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import fdtrc

from analysis.arrays import Array
from analysis.data.apart import SAMPLES
from analysis.data.metric import Metric
from analysis.data.study import Measure
from analysis.data.table import factors_of
from analysis.verdicts.strategy import strategy_labels

Labels = NDArray[np.str_]

FEWEST = 3
"""Degrees of freedom, on each side, from which on two spreads are compared."""
CHANCE = 0.01
"""Chance that a table in which all scatter alike is said to hold unlike spreads, a measure."""


def unlike_spreads(measure: Measure) -> list[str]:
    """The two strategies and the two mixtures whose runs scatter most unlike, where that is no chance: a sentence each.

    Spreads are those of runs of one design around its mean, of shares and ratings relative to the root of p (1 - p);
    F test of the variances, times the number of pairs. A mixture is its proportions in whole per cent, whatever amount.
    """
    rows, metric = measure.trained, measure.metric
    rows = rows[rows["value"] > 0] if metric.kind == "loss" else rows  # a loss of 0 has no logarithm
    if not len(rows):
        return []
    merit = metric.merit(rows["value"].to_numpy(float))
    group = rows.groupby(factors_of(rows), dropna=False, sort=False).ngroup().to_numpy()
    runs = np.bincount(group)
    mean = (np.bincount(group, merit) / runs)[group]
    unit = np.sqrt(np.clip(mean * (1 - mean), 1e-3, None)) if metric.bounded else np.ones(len(mean))
    squares, free = ((merit - mean) / unit) ** 2, 1 - 1 / runs[group]  # each run's part of its design's freedom
    strategies = strategy_labels(rows).to_numpy(str) if "strategy" in rows else np.full(len(rows), "")
    found = (_most_unlike(names, squares, free) for names in (strategies, _mixtures(rows)))
    return [_sentence(measure, *pair) for pair in found if pair is not None]


def _most_unlike(names: Labels, squares: Array, free: Array) -> tuple[str, str, float, float] | None:
    """The names of the widest and the narrowest spread with these spreads; None where chance may explain them."""
    spreads = {
        name: (float(squares[names == name].sum() / own), own)
        for name in dict.fromkeys(names)
        if (own := float(free[names == name].sum())) >= FEWEST
    }
    pairs = list(permutations(spreads, 2))
    if not pairs:
        return None
    wide, narrow = max(pairs, key=lambda pair: spreads[pair[0]][0] / max(spreads[pair[1]][0], 1e-300))
    (most, own), (least, other) = spreads[wide], spreads[narrow]
    if least <= 0 or len(pairs) * fdtrc(own, other, most / least) >= CHANCE:
        return None
    return wide, narrow, float(np.sqrt(most)), float(np.sqrt(least))


def _mixtures(rows: pd.DataFrame) -> Labels:
    """The mixture (rows,) that each model was trained on, as ``50 % math + 50 % code``; "" where it is not told."""
    columns = [str(name) for name in rows if str(name).startswith(SAMPLES)]
    amounts = rows[columns].to_numpy(float)
    shares = np.round(100 * amounts / np.maximum(amounts.sum(axis=1, keepdims=True), 1e-300))
    names = [name.removeprefix(SAMPLES) for name in columns]
    return np.array(
        [" + ".join(f"{x:.0f} % {n}" for n, x in zip(names, row, strict=True) if x > 0) for row in shares], dtype=str
    )


def _sentence(measure: Measure, wide: str, narrow: str, most: float, least: float) -> str:
    metric: Metric = measure.metric
    half = 0.5 if metric.bounded else 1.0
    shown = [metric.effect(half * spread).lstrip("+-") for spread in (most, least)]
    at = " at a share of one half" if metric.bounded else ""
    told = f"standard deviations of {shown[0]} and {shown[1]} {metric.short_unit}{at}"
    return (
        f"{measure.label}: runs of {wide} scatter {most / least:.1f} times as much as those of "
        f"{narrow} ({told}); intervals pool both, so they are too narrow for {wide} and too wide for {narrow}."
    )
