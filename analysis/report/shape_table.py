"""The shape of each series in numbers: how well its curve follows it, its slope, and whether it ever turns."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.arrays import Array
from analysis.data.study import Measure
from analysis.fitting.series_fits import SeriesFit
from analysis.text_table import TextTable

MIN_AMOUNTS = 3


def shape_table(measure: Measure, fits: Sequence[SeriesFit]) -> TextTable | None:
    """A row a series of three amounts or more: R2 of its curve, gain per doubling over all amounts, steps downwards.

    R2 and gains are those of the means at the amounts, on the scale of comparisons (`Metric.merit`). A step is one from
    an amount to the next; it counts as clear where the intervals of the two do not overlap.
    """
    rows = [
        (fit.series.label or "all", *row)
        for fit in fits
        if measure.axis and (row := _row(measure, fit)) is not None
    ]  # fmt: skip
    if not rows:
        return None
    header = (
        "series",
        "R2 of its curve",
        f"gain per doubling, {measure.metric.short_unit}",
        "steps down",
        "clear ones",
    )
    return TextTable(f"{measure.title}: shape over all amounts of {measure.axis}", header, tuple(rows))


def _row(measure: Measure, fit: SeriesFit) -> tuple[str, ...] | None:
    there = [i for i, level in enumerate(fit.levels) if level.amount > 0]
    if len(there) < MIN_AMOUNTS:
        return None
    metric = measure.metric
    levels = [fit.levels[i] for i in there]
    mean, low, high = (metric.merit(np.array([getattr(level, k) for level in levels])) for k in ("mean", "low", "high"))
    low, high = np.minimum(low, high), np.maximum(low, high)
    slope = float(np.polyfit(np.log2([level.amount for level in levels]), mean, 1)[0])
    fitted = None if fit.at_levels is None else metric.merit(fit.at_levels.value[there])
    down = np.diff(mean) < 0
    clear = int((down & (high[1:] < low[:-1])).sum())
    known = np.isfinite(low).all()
    explained = "-" if fitted is None else f"{_explained(mean, fitted):.3f}"
    return explained, metric.effect(slope), f"{int(down.sum())} of {len(down)}", f"{clear}" if known else "-"


def _explained(measured: Array, fitted: Array) -> float:
    """R2: the share of the scatter of the measured values that the curve explains."""
    return float(1 - ((measured - fitted) ** 2).sum() / ((measured - measured.mean()) ** 2).sum())
