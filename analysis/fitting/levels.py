"""What was measured at each amount of a series: means with intervals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.arrays import Array
from analysis.data.metric import Metric
from analysis.data.series import Series
from analysis.fitting.uncertainty import quantile


@dataclass(frozen=True, eq=False)
class AmountLevel:
    """All measurements of a series at one amount: their mean with a 95 % interval (NaN where unknown)."""

    amount: float
    fraction: float
    runs: int
    mean: float
    low: float
    high: float


def levels_of(series: Series, metric: Metric) -> tuple[AmountLevel, ...]:
    """The levels of a series, by amount; one level where no amount varies."""
    levels = []
    for amount in np.unique(series.amount):
        # NaN marks a series along which no amount varies, and it equals nothing, itself included.
        here = np.isnan(series.amount) if np.isnan(amount) else series.amount == amount
        low, high = _interval(series.value[here], series.items[here], series.stderr[here], metric)
        levels.append(
            AmountLevel(
                float(amount),
                float(series.fraction[here][0]),
                int(here.sum()),
                float(series.value[here].mean()),
                low,
                high,
            )
        )
    return tuple(levels)


def _interval(value: Array, items: Array, stderr: Array, metric: Metric) -> tuple[float, float]:
    """The 95 % interval of the mean of one level's runs, NaN where unknown: from the noise of the items, or from the
    scatter of three or more runs where that is wider. All arrays have the shape (runs,).
    """
    # All runs answer the same items, so the noise of the items does not shrink with the number of runs.
    mean = float(value.mean())
    low = high = float("nan")
    if metric.kind == "share" and not np.isnan(items).any():
        low, high = wilson(mean, float(np.median(items)))
    elif not np.isnan(stderr).any():
        half = quantile(0.95, np.inf) * float(np.sqrt((stderr**2).mean()))
        low, high = mean - half, mean + half
    # From two runs the interval would be 12.7 standard errors to each side, which says nothing.
    if len(value) >= 3:
        half = quantile(0.95, len(value) - 1) * float(value.std(ddof=1)) / np.sqrt(len(value))
        low, high = float(np.fmin(low, mean - half)), float(np.fmax(high, mean + half))
    if metric.kind == "rating":
        return float(np.maximum(low, metric.low)), float(np.minimum(high, metric.high))
    return low, high


def wilson(share: float, items: float, level: float = 0.95) -> tuple[float, float]:
    """The interval of a share of ``items`` items, sound near 0 and 1 too (Wilson 1927, J. Am. Stat. Assoc. 22)."""
    z = quantile(level, np.inf)
    centre = (share + z**2 / (2 * items)) / (1 + z**2 / items)
    half = z / (1 + z**2 / items) * np.sqrt(share * (1 - share) / items + (z / (2 * items)) ** 2)
    low, high = float(centre - half), float(centre + half)
    return (0.0 if share == 0 else max(0.0, low)), (1.0 if share == 1 else min(1.0, high))
