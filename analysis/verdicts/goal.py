"""How much of an ability's data a goal takes, what the next doubling brings, and what would settle it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.arrays import Array
from analysis.data.metric import Metric
from analysis.data.series import COUNTED
from analysis.data.study import Measure
from analysis.fitting.average import Average
from analysis.fitting.series_fits import SeriesFit, predicted
from analysis.fitting.uncertainty import RUN_NOISE, quantile
from analysis.format import amount
from analysis.verdicts.verdict import LEVEL

REACH = 16.0  # how far beyond the largest amount measured a curve is asked, as a factor
PLACES = 600  # amounts at which the curve is compared with the goal
STEPS = (*np.arange(1, 10) / 10, 0.95, 0.98, 0.99)
"""Scores of which the first above the best measured is a goal, as shares of a metric's range."""
LOWER_LOSS = 0.9  # of the lowest loss measured: the goal of a loss
SEEDS = (1, 3, 5)  # numbers of seeds for which the items are counted


@dataclass(frozen=True)
class Goal:
    """The amount of data at which one series reaches a value of its metric.

    ``axis`` is what is counted, a key of `COUNTED`.
    ``amount`` is the best guess and ``low`` to ``high`` its 95 % interval: NaN and infinite where the goal is not
    reached up to ``searched``, the largest amount asked about; ``low`` is 0 where the smallest amount may do.
    ``smallest`` and ``largest`` are the amounts measured. ``items`` are how many items it takes to know the amount
    within a factor of two with the numbers of seeds in `SEEDS`, infinite where no number of items is enough; empty
    where that is unknown. ``fitted`` says whether a curve says so, or the measurements alone.
    """

    about: str
    metric: Metric
    axis: str
    value: float
    amount: float
    low: float
    high: float
    smallest: float
    largest: float
    searched: float
    fitted: bool
    items: tuple[float, ...] = ()

    @property
    def shown_value(self) -> str:
        """The goal as text: ``90.0 %``."""
        return f"{self.metric.number(self.value)}{self.metric.suffix}"

    @property
    def samples(self) -> str:
        """The amount with its interval: ``1,400 (900 to beyond 57,344)``."""
        if self.low > self.searched:
            return f"beyond {amount(self.searched)}"
        if self.high < self.smallest:
            return f"below {amount(self.smallest)}"
        text = rounded if self.fitted else amount  # without a curve the ends are amounts that were measured
        low = f"below {amount(self.smallest)}" if self.low < self.smallest else text(self.low)
        high = f"beyond {amount(self.searched)}" if self.high > self.searched else text(self.high)
        if math.isnan(self.amount):
            return f"more than {low}" if self.low >= self.smallest else f"beyond {amount(self.searched)}"
        return f"{rounded(self.amount)} ({low} to {high})"

    @property
    def needed(self) -> str:
        """The same with its unit: ``1,400 (900 to beyond 57,344) samples of its data``."""
        return f"{self.samples} {COUNTED[self.axis]}"

    @property
    def settled(self) -> str:
        """The items that tell the amount within a factor of two, by seeds: ``585, 401, 380``; "-" where unknown."""
        return ", ".join(amount(n) if math.isfinite(n) else "never" for n in self.items) or "-"


def goal(measure: Measure, fit: SeriesFit, value: float | None = None) -> Goal | None:
    """The data that a value of the metric takes, by default that of `next_step`.

    The interval holds all amounts at which the goal lies within the curve's band (Fieller 1954, J. R. Stat. Soc. B 16).
    Without a curve it goes from the last amount at which the measurement lies below the goal to the first from which on
    all lie above it, which assumes only that more data does not make the model worse. None where no amount of data
    varies, where no goal is left, and where neither a curve nor an interval of a measurement is known.
    """
    levels = [level for level in fit.levels if level.amount > 0]
    if measure.axis not in COUNTED or len(levels) < 2 or fit.series.several_mixtures:
        return None
    metric = measure.metric
    merits = metric.merit(np.array([level.mean for level in levels]))
    value = next_step(metric, float(merits.max())) if value is None else value
    if value is None:
        return None
    aim = float(metric.merit(np.array([value]))[0])
    amounts = np.array([level.amount for level in levels])
    about = ", ".join(filter(None, (measure.label, fit.series.label)))
    searched = REACH * float(amounts[-1]) if fit.curve is not None else float(amounts[-1])
    if fit.curve is not None:
        grid = np.geomspace(amounts[0], searched, PLACES)
        middle, low, high = _merits(metric, *_band(fit, measure, grid))
        at, ends = _first(grid, middle, aim), _within(grid, low, high, aim)
    else:
        low, high = np.sort(metric.merit(np.array([(level.low, level.high) for level in levels])), axis=1).T
        if np.isnan(low).any() or np.isnan(high).any():
            return None
        at, ends = _joined(amounts, merits, aim), _between(amounts, low, high, aim)
    items = () if fit.curve is None or not math.isfinite(at) else _items(measure, fit.curve, at)
    span = float(amounts[0]), float(amounts[-1])
    return Goal(about, metric, measure.axis, value, at, *ends, *span, searched, fit.curve is not None, items)


def next_step(metric: Metric, best: float) -> float | None:
    """The first round value above the best merit measured; None where there is none, or no scale to go by."""
    if metric.kind == "loss":
        return float(metric.value(np.array([best]))[0]) * LOWER_LOSS
    if not metric.bounded:
        return None
    above = [step for step in STEPS if step > best + 0.005]
    return float(metric.value(np.array([above[0]]))[0]) if above else None


def next_doubling(measure: Measure, fit: SeriesFit) -> tuple[float, float, float] | None:
    """What twice the largest amount gains over it, with its 95 % interval, as a merit; None without a curve."""
    if fit.curve is None or measure.axis not in COUNTED:
        return None
    largest = max(level.amount for level in fit.levels)
    gain, half = _gain(measure, fit.curve, largest, 2 * largest)
    if not measure.metric.bounded:
        return gain, gain - half, gain + half
    start = float(measure.metric.merit(predicted(fit.curve, measure, np.array([largest])).value)[0])
    return gain, max(gain - half, -start), min(gain + half, 1 - start)  # a score stays within its range


def doubling_text(metric: Metric, gain: tuple[float, float, float] | None) -> str:
    """The gain with its interval: ``+3.1 (+1.0 to +5.2)``; "-" where there is none."""
    if gain is None:
        return "-"
    return metric.effect_with_ends(*gain)


def rounded(value: float) -> str:
    """An amount as text, to two digits: more would claim too much."""
    return amount(float(f"{value:.2g}"))


def _band(fit: SeriesFit, measure: Measure, grid: Array) -> tuple[Array, Array, Array]:
    assert fit.curve is not None
    band = predicted(fit.curve, measure, grid, fit.shared)
    return band.value, band.low, band.high


def _merits(metric: Metric, *values: Array) -> tuple[Array, Array, Array]:
    """Middle and ends of values as middle, lower and upper end of merits."""
    middle, *ends = map(metric.merit, values)
    return middle, np.minimum(*ends), np.maximum(*ends)


def _first(grid: Array, merit: Array, aim: float) -> float:
    """The first amount whose merit reaches the aim; NaN where none does."""
    reached = np.flatnonzero(merit >= aim)
    return float(grid[reached[0]]) if len(reached) else math.nan


def _within(grid: Array, low: Array, high: Array, aim: float) -> tuple[float, float]:
    """The ends of the amounts whose band holds the aim; 0 and infinite beyond the ends of the grid."""
    inside = np.flatnonzero((low <= aim) & (aim <= high))
    if not len(inside):  # the band jumps over the aim between two amounts, or lies on one side of it throughout
        at = _first(grid, low, aim)
        return (math.inf, math.inf) if math.isnan(at) else (0.0, 0.0) if at == grid[0] else (at, at)
    start = 0.0 if inside[0] == 0 else float(grid[inside[0]])
    return start, math.inf if inside[-1] == len(grid) - 1 else float(grid[inside[-1]])


def _joined(amounts: Array, merits: Array, aim: float) -> float:
    """Where the measurements, joined by straight lines over the logarithms of amounts, first reach the aim."""
    grid = np.geomspace(amounts[0], amounts[-1], PLACES)
    return _first(grid, np.interp(np.log(grid), np.log(amounts), merits), aim)


def _between(amounts: Array, low: Array, high: Array, aim: float) -> tuple[float, float]:
    """From the last amount that is clearly below the aim to the first from which on all are clearly above it."""
    below, not_above = np.flatnonzero(high < aim), np.flatnonzero(low < aim)
    start = float(amounts[below[-1]]) if len(below) else 0.0
    if not len(not_above):
        return 0.0, 0.0
    after = not_above[-1] + 1
    end = float(amounts[after]) if after < len(amounts) else math.inf
    return (math.inf, math.inf) if start == amounts[-1] else (start, end)


def _gain(measure: Measure, curve: Average, old: float, new: float) -> tuple[float, float]:
    """The gain in merit between two amounts, as the curve has it, and half the width of its 95 % interval."""
    ends = measure.metric.merit(predicted(curve, measure, np.array([old, new])).value)
    _, half = curve.difference({measure.axis: [old]}, {measure.axis: [new]}, LEVEL)
    return float(ends[1] - ends[0]), float(half[0])


def _items(measure: Measure, curve: Average, at: float) -> tuple[float, ...]:
    """How many items tell the score at an amount from that at half and at twice it, by number of seeds.

    All runs answer the same items, so the items' share of the noise does not shrink with seeds. That of runs, which the
    curve's dispersion has beyond the items', does not shrink with items; it is taken to be at least the usual one.
    """
    best = curve.curves[int(np.argmax(curve.weights))]
    if measure.metric.kind != "share" or not best.error.counts:
        return ()
    smaller, larger = (_gain(measure, curve, *ends)[0] for ends in ((at / 2, at), (at, 2 * at)))
    share = float(np.clip(curve.predict({measure.axis: [at]}).value[0], 1e-3, 1 - 1e-3))
    of_items = share * (1 - share)
    of_runs = max((best.error.shrunk[0] - 1) / best.error.trials, 4 * RUN_NOISE**2) * of_items
    room = (max(min(smaller, larger), 0.0) / quantile(LEVEL, math.inf)) ** 2
    left = [room - of_runs / seeds for seeds in SEEDS]
    return tuple(math.ceil(of_items / part) if part > 0 else math.inf for part in left)


def goals(fits: Sequence[tuple[Measure, list[SeriesFit]]]) -> list[tuple[Measure, SeriesFit, Goal]]:
    """The goal of every series that has one."""
    found = [(measure, fit, goal(measure, fit)) for measure, series in fits for fit in series]
    return [(measure, fit, one) for measure, fit, one in found if one is not None]
