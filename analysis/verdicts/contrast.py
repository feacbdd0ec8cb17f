"""Contrasts: weighted sums of arms, paired item by item where the items are known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from scipy.special import bdtr

from analysis.arrays import Array
from analysis.verdicts.arms import ArmMeans
from analysis.verdicts.verdict import Verdict, judge

Weights = Mapping[int, float]
"""The weights of arms by their labels; those of a contrast add up to 0."""


def contrast(question: str, about: str, arms: ArmMeans, weights: Weights, margin: float) -> Verdict:
    """The verdict on a weighted sum of arms.

    With items, the variance is that of the items' contributions to the sum plus the scatter of runs beyond it, with
    Satterthwaite's degrees of freedom (1946, Biometrics Bull. 2); for two single runs the p value is at least that of
    McNemar's exact test. Without items it follows from the arms' own variances, as if the arms were independent.
    """
    labels, weight = list(weights), np.array(list(weights.values()))
    rows = arms.table.loc[labels]
    effect = float(weight @ rows["mean"].to_numpy(float))
    covariance = arms.covariance(labels)
    variance = float(weight @ covariance @ weight)
    verdict = replace(
        judge(question, about, effect, variance, dof(arms, weights), margin, arms.metric), noise=arms.noise
    )
    items = arms.items_of(labels)
    if items is None:
        return verdict
    saved = 1 - np.sqrt(variance / float(weight**2 @ np.diag(covariance)))
    verdict = replace(verdict, items=items.shape[1], narrower=float(saved))
    if sorted(weight) != [-1, 1] or (rows["runs"] > 1).any() or not arms.metric.bounded:
        return verdict
    # Exact where few items decide, but about these two runs alone; the interval also knows that runs scatter.
    p = mcnemar(items)
    return verdict if p is None else replace(verdict, p=max(p, verdict.p))


def dof(arms: ArmMeans, weights: Weights) -> float:
    """The degrees of freedom of a contrast's variance (Satterthwaite); without items those of the arms.

    They are finite also where the runs scatter no more than their items explain: that too was estimated from few runs.
    """
    labels, weight = list(weights), np.array(list(weights.values()))
    if arms.scatter is None or arms.items_of(labels) is None:
        return arms.dof
    scatter = float(weight**2 @ (arms.scatter.between[labels] / arms.table.loc[labels, "runs"].to_numpy(float)))
    if scatter == 0:
        return float("inf")
    return arms.scatter.dof * (float(weight @ arms.covariance(labels) @ weight) / scatter) ** 2


def mcnemar(items: Array) -> float | None:
    """The exact two-sided p value for two rows of verdicts, right (1) or wrong (0); None for other values.

    McNemar 1947, Psychometrika 12: without an effect, each of the items on which the two differ falls to either side
    with equal chance.
    """
    if not np.isin(items, (0, 1)).all():
        return None
    won, lost = int((items[1] > items[0]).sum()), int((items[1] < items[0]).sum())
    return min(1.0, 2 * float(bdtr(min(won, lost), won + lost, 0.5)))


def mean_of(labels: Sequence[int], sign: float = 1.0) -> dict[int, float]:
    """The weights of the mean of arms; one that is listed several times counts several times."""
    return {label: sign * count / len(labels) for label, count in Counter(labels).items()}


def difference(new: Sequence[int], old: Sequence[int]) -> dict[int, float]:
    """The weights of the mean of the arms ``new`` minus the mean of ``old``."""
    return {**mean_of(old, -1.0), **mean_of(new)}
