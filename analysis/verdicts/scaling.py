"""Which abilities still gain from more of their data, and which have reached a plateau, from what amount on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from analysis.arrays import Array
from analysis.format import amount
from analysis.verdicts.arms import ArmMeans
from analysis.verdicts.contrast import dof, mean_of
from analysis.verdicts.verdict import SLOPE, Verdict, judge
from analysis.verdicts.wording import qualification, with_unit

LAST = 3  # amounts at the upper end whose slope is judged
LOOKS = 24  # amounts tried as the start of a plateau, at most
EDGE = 0.03  # distance from 0 or 1 within which shares and ratings can hardly move
WORDS = {
    "up": "still improves",
    "down": "gets worse",
    "equal": "has reached a plateau",
    "undecided": "shows neither a trend nor a plateau",
}
EDGES = {"floor": "stays at its worst value, where no effect can show", "ceiling": "has reached its best value"}


def scaling(arms: ArmMeans, label: str, margin: float) -> Verdict | None:
    """The gain per doubling over the three largest amounts of one series; None for fewer than four amounts.

    ``label`` names the series. A plateau is tested for by equivalence, not taken from a slope that is not significant.
    It starts at the smallest amount from which the slope to the end stays within the margin. Shares and ratings that
    stay within `EDGE` of 0 or 1 along the span are at the floor or the ceiling instead of a plateau.
    """
    levels = _by_amount(arms)
    if len(levels) < LAST + 1:
        return None
    about = f"{arms.name}{', ' + label if label else ''}"
    start = len(levels) - LAST
    step = max(1, len(levels) // LOOKS)
    verdict = _gain(arms, levels[start:], about, SLOPE * margin)
    while verdict.finding == "equal" and start > 0:
        below = max(0, start - step)
        if _gain(arms, levels[below:], "", verdict.margin).finding != "equal":
            break
        start = below
    verdict = replace(verdict, edge=_edge(arms, [labels for _, labels in levels[start:]], verdict.finding))
    span = f"from {amount(levels[start][0])} to {amount(levels[-1][0])} samples"

    def say(final: Verdict) -> str:
        finding = finding_words(final)
        gain = f"{with_unit(final)} per doubling"
        return f"{about} {finding} {span}: {gain}{qualification(final)}."

    return verdict.saying(say)


def finding_words(verdict: Verdict) -> str:
    """What a verdict on scaling found, as the end of a sentence about its series."""
    return EDGES.get(verdict.edge) or WORDS[verdict.finding]


def _by_amount(arms: ArmMeans) -> list[tuple[float, list[int]]]:
    """Each amount above 0 with the labels of its arms, smallest first."""
    table = arms.table[arms.table["samples"] > 0]
    return [(float(str(n)), [int(i) for i in part.index]) for n, part in table.groupby("samples")]


def _gain(arms: ArmMeans, levels: list[tuple[float, list[int]]], about: str, margin: float) -> Verdict:
    """The slope per doubling along these amounts; arms of one amount have equal weights."""
    labels = [i for _, part in levels for i in part]
    gather = np.zeros((len(levels), len(labels)))
    for k, (_, part) in enumerate(levels):
        gather[k, [labels.index(i) for i in part]] = list(mean_of(part).values())
    mean = gather @ arms.table.loc[labels, "mean"].to_numpy(float)
    logs = np.log2([n for n, _ in levels])
    effect, variance = slope(logs, mean, gather @ arms.covariance(labels) @ gather.T)
    tilt = dict(zip(labels, (logs - logs.mean()) @ gather, strict=True))
    verdict = judge("scaling", about, effect, variance, dof(arms, tilt), margin, arms.metric)
    return replace(verdict, noise=arms.noise)


def _edge(arms: ArmMeans, labels: list[list[int]], finding: str) -> str:
    """The edge at which shares or ratings without a clear trend lie; "" for none."""
    if not arms.metric.bounded or finding in ("up", "down"):
        return ""
    mean = arms.table.loc[[i for part in labels for i in part], "mean"]
    return "floor" if mean.max() <= EDGE else "ceiling" if mean.min() >= 1 - EDGE else ""


def slope(logs: Array, mean: Array, covariance: Array) -> tuple[float, float]:
    """The slope of ``mean`` over ``logs`` by generalised least squares, and its variance.

    The variance is raised where the points scatter more than their covariance allows. With an unknown covariance (NaN)
    all points have equal weights, and the variance is NaN.
    """
    known = bool(np.isfinite(covariance).all())
    inverse = np.linalg.inv(covariance + 1e-24 * np.eye(len(logs))) if known else np.eye(len(logs))
    design = np.stack([np.ones_like(logs), logs - logs.mean()], axis=1)
    variances = np.linalg.inv(design.T @ inverse @ design)
    best = variances @ (design.T @ inverse @ mean)
    away = mean - design @ best
    dispersion = float(away @ inverse @ away) / max(len(logs) - 2, 1)
    return float(best[1]), float(variances[1, 1] * max(1.0, dispersion)) if known else float("nan")
