"""The default analysis of a long table: for each series a curve, and the numbers that tables and figures show."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.arrays import Array
from analysis.data.metric import Metric
from analysis.data.series import Block, Series
from analysis.fitting.average import Average, fit_average
from analysis.fitting.diagnosis import explain, separated
from analysis.fitting.points import Points
from analysis.fitting.uncertainty import Prediction, quantile

SCORE_LAWS = ("sigmoid", "neg_log_accuracy", "log_linear")
LOSS_LAWS = ("power", "power_floor", "shifted_power", "bounded")
FEWEST = 3  # distinct amounts below which there is no curve
RARE = 10  # right, or wrong, answers below which the normal theory behind the bands does not hold


@dataclass(frozen=True, eq=False)
class AmountLevel:
    """All measurements of a series at one amount: their mean, with a 95 % interval (NaN where unknown)."""

    amount: float
    fraction: float
    runs: int
    mean: float
    low: float
    high: float


@dataclass(frozen=True, eq=False)
class SeriesFit:
    """A series, its levels, and its curve, or the reason why there is none.

    ``at_levels`` predicts at the levels, ``line`` along them.
    """

    series: Series
    levels: tuple[AmountLevel, ...]
    curve: Average | None
    reason: str
    at_levels: Prediction | None
    grid: Array
    line: Prediction | None


def fit_series(block: Block) -> list[SeriesFit]:
    """Fit every series of a block."""
    return [_fitted(block, series) for series in block.series]


def predicted(curve: Average, block: Block, amounts: Array) -> Prediction:
    """The curve at these amounts, in values of the block's metric."""
    at = curve.predict({block.axis: amounts})
    return Prediction(*block.metric.values((at.value, at.low, at.high))) if block.metric.bounded else at


def _fitted(block: Block, series: Series) -> SeriesFit:
    levels = _levels(series, block.metric)
    curve, reason = _curve(block, series)
    if curve is None:
        return SeriesFit(series, levels, None, reason, None, np.zeros(0), None)
    amounts = np.array([level.amount for level in levels])
    grid = np.geomspace(amounts[amounts > 0].min(), amounts.max(), 60)
    at = predicted(curve, block, np.where(amounts > 0, amounts, grid[0]))
    return SeriesFit(series, levels, curve, "", at, grid, predicted(curve, block, grid))


def _curve(block: Block, series: Series) -> tuple[Average | None, str]:
    """The average of the laws that suit the metric, or why none was fitted.

    Shares and ratings are fitted as shares of their range, 1 for the best value.
    """
    metric = block.metric
    distinct = len(np.unique(series.amount[series.amount > 0]))
    if not block.axis:
        return None, "no amount varies, so there is no curve"
    if distinct < FEWEST:
        return (
            None,
            f"{distinct} distinct amount{'s' * (distinct != 1)} of {block.axis}: a curve needs at least {FEWEST}",
        )
    if np.ptp(series.value[series.amount > 0]) == 0:
        return None, "all values are equal, so there is no curve to fit"
    known = not np.isnan(series.items).any()
    value = metric.merit(series.value) if metric.bounded else series.value
    if metric.bounded and known and (rare := _rare(series, value, metric)):
        return None, rare
    points = Points(
        {block.axis: series.amount},
        value,
        trials=series.items if metric.bounded and known else None,
        group=np.array(series.seed),
    )
    if metric.bounded and known and separated(points.take(points.x[block.axis] > 0)):
        return None, f"{explain('separated')}; measure amounts between them"
    if metric.bounded:
        return fit_average(points, SCORE_LAWS, "quasibinomial" if known else "least_squares"), ""
    if metric.kind == "loss" and (series.value > 0).all():
        return fit_average(points, LOSS_LAWS, "log"), ""
    return fit_average(points, ("log_linear",), "least_squares"), ""


def _rare(series: Series, share: Array, metric: Metric) -> str:
    """Why answers that are nearly all wrong, or all right, give no curve; empty where they are not."""
    trained = series.amount > 0
    right = float((share * series.items)[trained].sum())
    wrong = float(((1 - share) * series.items)[trained].sum())
    if right >= RARE and wrong >= RARE:
        return ""
    if metric.kind == "rating":
        return f"nearly all ratings are {'the worst' if right < wrong else 'the best'} that the scale has"
    kind, count = ("right", right) if right < wrong else ("wrong", wrong)
    return f"{count:.0f} {kind} answers over all amounts say too little about a curve (it takes {RARE})"


def _levels(series: Series, metric: Metric) -> tuple[AmountLevel, ...]:
    """Group a series by amount."""
    out = []
    for amount in np.unique(series.amount):
        here = np.isnan(series.amount) if np.isnan(amount) else series.amount == amount
        low, high = _interval(series.value[here], series.items[here], series.stderr[here], metric)
        out.append(
            AmountLevel(
                float(amount),
                float(series.fraction[here][0]),
                int(here.sum()),
                float(series.value[here].mean()),
                low,
                high,
            )
        )
    return tuple(out)


def _interval(value: Array, items: Array, stderr: Array, metric: Metric) -> tuple[float, float]:
    """95 % interval of the mean of some runs: item noise, or the spread over three or more runs where that is wider.

    All runs answer the same items, so more runs do not shrink item noise.
    """
    mean = float(value.mean())
    low = high = float("nan")
    if metric.kind == "share" and not np.isnan(items).any():
        low, high = wilson(mean, float(np.median(items)))
    elif not np.isnan(stderr).any():
        half = quantile(0.95, np.inf) * float(np.sqrt((stderr**2).mean()))
        low, high = mean - half, mean + half
    if len(value) >= 3:
        half = quantile(0.95, len(value) - 1) * float(value.std(ddof=1)) / np.sqrt(len(value))
        low, high = float(np.fmin(low, mean - half)), float(np.fmax(high, mean + half))
    if metric.kind == "rating":
        return float(np.maximum(low, metric.low)), float(np.minimum(high, metric.high))
    return low, high


def wilson(share: float, items: float, level: float = 0.95) -> tuple[float, float]:
    """Wilson's interval of a share of items (Wilson 1927, J. Am. Stat. Assoc. 22): sound also near 0 and 1."""
    z = quantile(level, np.inf)
    centre = (share + z**2 / (2 * items)) / (1 + z**2 / items)
    half = z / (1 + z**2 / items) * np.sqrt(share * (1 - share) / items + (z / (2 * items)) ** 2)
    low, high = float(centre - half), float(centre + half)
    return (0.0 if share == 0 else max(0.0, low)), (1.0 if share == 1 else min(1.0, high))
