"""Contrasts: differences between arms, paired item by item where the items are known."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from scipy.stats import binomtest

from analysis.arrays import Array
from analysis.verdicts.arms import ArmMeans
from analysis.verdicts.verdict import Verdict, judge

Weights = Mapping[int, float]  # of arms, by their labels; they add up to 0


def contrast(question: str, about: str, found: ArmMeans, weights: Weights, margin: float) -> Verdict:
    """The verdict on the weighted sum of arms.

    With items: the variance over items of what each adds to the sum, and the scatter of runs beyond that, with
    Satterthwaite's degrees of freedom (1946, Biometrics 2); for two single runs the p value is that of McNemar's exact
    test. Without: the arms' own variances, as if they had nothing in common.
    """
    labels, weight = list(weights), np.array(list(weights.values()))
    rows = found.table.loc[labels]
    effect = float(weight @ rows["mean"].to_numpy(float))
    covariance = found.covariance(labels)
    variance = float(weight @ covariance @ weight)
    verdict = judge(question, about, effect, variance, dof(found, weights), margin, found.metric)
    items = found.items_of(labels)
    if items is None:
        return verdict
    saved = 1 - np.sqrt(variance / float(weight**2 @ np.diag(covariance)))
    verdict = replace(verdict, items=items.shape[1], narrower=float(saved))
    p = mcnemar(items) if sorted(weight) == [-1, 1] and (rows["runs"] == 1).all() and found.metric.bounded else None
    return verdict if p is None else replace(verdict, p=p)


def dof(found: ArmMeans, weights: Weights) -> float:
    """The degrees of freedom of a contrast's variance (Satterthwaite); without items those of the arms.

    Also where the runs scatter no more than their items explain: that too is an estimate from a few runs.
    """
    labels, weight = list(weights), np.array(list(weights.values()))
    if found.paired is None or found.items_of(labels) is None:
        return found.dof
    scatter = float(weight**2 @ (found.paired.between[labels] / found.table.loc[labels, "runs"].to_numpy(float)))
    if scatter == 0:
        return float("inf")
    return found.paired.dof * (float(weight @ found.covariance(labels) @ weight) / scatter) ** 2


def mcnemar(items: Array) -> float | None:
    """The exact two-sided p value for two rows of verdicts, right (1) or wrong (0); None for other values.

    McNemar 1947, Psychometrika 12: given the items on which the two differ, each side wins a fair coin's share.
    """
    if not np.isin(items, (0, 1)).all():
        return None
    won, lost = int((items[1] > items[0]).sum()), int((items[1] < items[0]).sum())
    return float(binomtest(won, won + lost).pvalue) if won + lost else 1.0


def mean_of(labels: Sequence[int], sign: float = 1.0) -> dict[int, float]:
    """The weights of the mean of some arms, some of which may count several times."""
    return {label: sign * count / len(labels) for label, count in Counter(labels).items()}


def difference(new: Sequence[int], old: Sequence[int]) -> dict[int, float]:
    """The weights of the mean of the arms ``new`` minus that of ``old``."""
    return {**mean_of(old, -1.0), **mean_of(new)}
