"""What an equal budget buys: a larger model, longer training, another strategy, or more data."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations

import numpy as np

from analysis.data.cost import COSTS
from analysis.data.series import COUNTED
from analysis.data.study import Measure
from analysis.fitting.series_fits import SeriesFit, predicted
from analysis.fitting.uncertainty import quantile
from analysis.format import amount
from analysis.verdicts.goal import rounded
from analysis.verdicts.size import WORDS
from analysis.verdicts.verdict import LEVEL, Verdict, judge
from analysis.verdicts.wording import qualification, with_unit


@dataclass(frozen=True)
class Bought:
    """What a series reaches at a cost: its merit, half the width of the 95 % interval, and the ability's samples."""

    merit: float
    half: float
    samples: float


def bought(measure: Measure, fit: SeriesFit, budget: float) -> Bought | None:
    """What a series reaches at a budget, by its curve; None outside the costs that were measured, and for a series of
    several mixtures, of which each reaches something else.

    The interval is for these items, which all series answer: what they have in common makes no difference between two.
    Without a curve it lies on the straight lines that join the measurements over the logarithms of costs, with the
    wider of the two intervals beside it.
    """
    levels = [level for level in fit.levels if level.amount > 0]
    if fit.series.several_mixtures or len(levels) < 2 or not levels[0].amount <= budget <= levels[-1].amount:
        return None
    at, logs = np.log(budget), np.log([level.amount for level in levels])
    cost, own = fit.series.amount, fit.series.own
    samples = float(np.interp(at, np.log(cost[cost > 0]), own[cost > 0]))
    metric = measure.metric
    if fit.curve is not None:
        band = predicted(fit.curve, measure, np.array([budget]))
        middle, *ends = (float(metric.merit(part)[0]) for part in (band.value, band.low, band.high))
        return Bought(middle, abs(ends[1] - ends[0]) / 2, samples)
    mean, low, high = (metric.merit(np.array([getattr(level, k) for level in levels])) for k in ("mean", "low", "high"))
    after = int(np.clip(np.searchsorted(logs, at), 1, len(levels) - 1))
    half = float((np.abs(high - low) / 2)[after - 1 : after + 1].max())
    return Bought(float(np.interp(at, logs, mean)), half, samples)


def equal_budgets(fits: Sequence[tuple[Measure, list[SeriesFit]]], margin: float) -> list[Verdict]:
    """For each two series along a cost that differ in one thing, which is better at the largest cost that both have.

    ``margin`` is relative, as in `findings`. The two are taken as independent, though they answered the same items;
    that makes intervals wider than they would have to be.
    """
    verdicts = []
    for measure, found in fits:
        if measure.axis not in COSTS:
            continue
        for old, new in combinations(found, 2):
            if sum(a != b for a, b in zip(old.series.names, new.series.names, strict=True)) != 1:
                continue
            budget = min(fit.levels[-1].amount for fit in (old, new))
            first, second = (bought(measure, fit, budget) for fit in (new, old))
            if first is not None and second is not None:
                verdicts.append(_verdict(measure, (new, first), (old, second), budget, margin))
    return verdicts


def _verdict(
    measure: Measure, new: tuple[SeriesFit, Bought], old: tuple[SeriesFit, Bought], budget: float, margin: float
) -> Verdict:
    (fit, first), (other, second) = new, old
    metric = measure.metric
    spent = f"{amount(budget)} {COUNTED[measure.axis]}"
    about = f"{measure.label}, {fit.series.label} against {other.series.label} at {spent}"
    variance = (first.half**2 + second.half**2) / quantile(LEVEL, np.inf) ** 2
    effect, least = first.merit - second.merit, metric.margin(margin)
    verdict = judge("budget", about, effect, variance, float("inf"), least, metric)
    one_side, other_side = (
        f"{one.series.label} on {rounded(part.samples)} samples of its data" for one, part in (new, old)
    )
    name = f"{measure.label} at {spent}"
    noise = "unknown" if np.isnan(variance) else _noise(fit, other)
    return replace(verdict, noise=noise).saying(partial(_sentence, name, one_side, other_side))


def _noise(*fits: SeriesFit) -> str:
    """Where the intervals come from, a key of `HOLDS_FOR`: those of measurements know of runs from three on."""
    if all(level.runs > (1 if fit.curve else 2) for fit in fits for level in fit.levels if level.amount > 0):
        return "runs"
    return "assumed" if all(fit.curve is not None for fit in fits) else "items"


def _sentence(name: str, first: str, second: str, verdict: Verdict) -> str:
    effect = f"{with_unit(verdict)}{qualification(verdict)}"
    return f"{name}: {first} {WORDS[verdict.finding]} {second}: {effect}."


def budgets(fits: Sequence[SeriesFit]) -> list[float]:
    """Costs at which at least two series were measured: the smallest, the largest, and one between them."""
    ends = [
        (levels[0], levels[-1]) for fit in fits if len(levels := [v.amount for v in fit.levels if v.amount > 0]) > 1
    ]
    if len(ends) < 2:
        return []
    low, high = sorted(start for start, _ in ends)[1], sorted(end for _, end in ends)[-2]
    return list(np.geomspace(low, high, 3)) if low < high else []
