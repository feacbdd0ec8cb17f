"""Strategies: all pairs, what each loses and gains against training alone, and which ones no other dominates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.arrays import Array
from analysis.data.metric import Metric
from analysis.format import fraction
from analysis.verdicts.arms import ArmMeans
from analysis.verdicts.contrast import contrast, difference, dof, mean_of
from analysis.verdicts.size import WORDS
from analysis.verdicts.strata import ALONE
from analysis.verdicts.verdict import Verdict, draws_of
from analysis.verdicts.wording import qualification, with_unit

DRAWS = 2000
ALONE_WORDS = {
    "up": "gains on",
    "down": "loses against",
    "equal": "keeps up with",
    "undecided": "does not clearly differ from",
}


@dataclass(frozen=True, eq=False)
class StrategyMeans:
    """Means and variances (abilities, strategies) at the data that all strategies were given.

    ``alone`` holds the means of the models trained on one ability only (NaN where there is none), ``dof`` the degrees
    of freedom of each ability. ``arms`` are the arms of each ability, ``labels`` those behind each strategy by name.
    """

    abilities: tuple[str, ...]
    strategies: tuple[str, ...]
    mean: Array
    variance: Array
    alone: Array
    dof: Array
    arms: tuple[ArmMeans, ...]
    labels: tuple[Mapping[str, list[int]], ...]

    @property
    def metrics(self) -> tuple[Metric, ...]:
        """The metric of each ability."""
        return tuple(arms.metric for arms in self.arms)

    @property
    def name(self) -> str:
        """The metrics, and the stratum where there are several."""
        names = ", ".join(dict.fromkeys(metric.name for metric in self.metrics))
        return names + (f" ({self.arms[0].where})" if self.arms[0].where else "")

    @property
    def file_name(self) -> str:
        """The name with ``_`` for every character that is not a letter or digit."""
        return "".join(c if c.isalnum() else "_" for c in self.name).strip("_")

    def draws(self, ability: int, count: int, seed: int) -> Array:
        """Draws (count, strategies) of the means of one ability; arms that answered the same items vary together."""
        arms, parts = self.arms[ability], [self.labels[ability][s] for s in self.strategies]
        labels = [i for part in parts for i in part]
        gather = np.array([[mean_of(part).get(i, 0.0) for i in labels] for part in parts])
        covariance = gather @ arms.covariance(labels) @ gather.T
        return draws_of(self.mean[ability], covariance, float(self.dof[ability]), count, seed)


def compare(all_arms: Sequence[ArmMeans]) -> StrategyMeans | None:
    """The strategies that were measured in every ability at equal data of it; None for fewer than two.

    Of each strategy and ability the arms with the most data of the ability are compared. A strategy with several
    replays is one column per replay.
    """
    if not all_arms or any(not {"strategy", "samples"} <= set(arms.table) for arms in all_arms):
        return None
    labels = []
    for arms in all_arms:
        table = arms.table[arms.table["samples"] > 0].copy()
        if table.loc[table["strategy"] != ALONE, "strategy"].nunique() < 2:
            return None
        best = table.assign(_name=strategy_labels(table))[table["samples"] == table["samples"].max()]
        labels.append({str(name): [int(i) for i in part.index] for name, part in best.groupby("_name")})
    shared = sorted(set.intersection(*(set(by) for by in labels)) - {ALONE})
    if len(shared) < 2:
        return None
    pairs = list(zip(all_arms, labels, strict=True))
    columns = [_means(arms, [by.get(s, []) for s in (*shared, ALONE)]) for arms, by in pairs]
    mean, variance = (np.array([column[k] for column in columns]) for k in (0, 1))
    dofs = np.array([arms.dof if arms.scatter is None else _least_dof(arms, by) for arms, by in pairs])
    return StrategyMeans(
        tuple(arms.ability for arms in all_arms), tuple(shared), mean[:, :-1], variance[:, :-1], mean[:, -1], dofs,
        tuple(all_arms), tuple(labels),
    )  # fmt: skip


def _means(arms: ArmMeans, labels: list[list[int]]) -> tuple[Array, Array]:
    """The mean and variance of each group of arms; NaN for an empty one."""
    parts = [arms.table.loc[part, ["mean", "variance"]].mean().to_numpy(float) for part in labels]
    mean, variance = np.array(parts).T
    return mean, variance / np.array([max(len(part), 1) for part in labels])


def _least_dof(arms: ArmMeans, labels: Mapping[str, list[int]]) -> float:
    """The fewest degrees of freedom of the differences between groups of arms."""
    return min(dof(arms, difference(a, b)) for a, b in combinations(labels.values(), 2))


def strategy_labels(table: pd.DataFrame) -> pd.Series[str]:
    """The strategy, with its replay where one strategy has several."""
    label = table["strategy"].astype(str)
    if "replay" not in table:
        return label
    several = table.groupby("strategy")["replay"].transform("nunique") > 1
    return label.where(~several, label + " replay " + table["replay"].map(fraction))


def pairs(means: StrategyMeans, margin: float) -> list[Verdict]:
    """Every pair of strategies in every ability; ``margin`` is relative to a metric's range, or to a loss."""
    verdicts = []
    for row in range(len(means.abilities)):
        for old, new in combinations(means.strategies, 2):
            name = means.arms[row].name
            weights = difference(means.labels[row][new], means.labels[row][old])
            about, arms = _about(name, new, old), means.arms[row]
            verdict = contrast("strategy", about, arms, weights, arms.metric.margin(margin))
            verdicts.append(verdict.saying(partial(_sentence, name, new, WORDS, old)))
    return verdicts


def _about(name: str, new: str, old: str) -> str:
    """What the verdict on a pair of strategies is about."""
    return f"{name}, {new} against {old}"


def against_the_best(means: StrategyMeans, verdicts: Sequence[Verdict]) -> list[str]:
    """A sentence an ability: the strategy with the highest mean, and how far behind it the others are.

    ``verdicts`` are those of `pairs`, perhaps judged as a family; abilities without one are left out.
    """
    found = {verdict.about: verdict for verdict in verdicts}
    lines = []
    for row, arms in enumerate(means.arms):
        best = means.strategies[int(np.argmax(means.mean[row]))]
        others: dict[str, Verdict] = {}
        for other in means.strategies:
            if verdict := found.get(_about(arms.name, other, best)):
                others[other] = verdict
            elif verdict := found.get(_about(arms.name, best, other)):
                others[other] = _reversed(verdict)
        behind = sorted((o for o in others if others[o].finding == "down"), key=lambda o: -others[o].effect)
        near = [other for other in others if other not in behind]
        if behind:
            listed = ", ".join(f"{other} {with_unit(others[other])}" for other in behind)
            rest = f"; not clearly: {', '.join(near)}" if near else ""
            lines.append(f"{arms.name}: {best} is highest; clearly behind: {listed}{rest}.")
        elif near:
            lines.append(f"{arms.name}: no strategy is clearly behind {best}.")
    return lines


def _reversed(verdict: Verdict) -> Verdict:
    """The verdict on the difference the other way round."""
    turned = {"up": "down", "down": "up"}.get(verdict.finding, verdict.finding)
    return replace(verdict, effect=-verdict.effect, low=-verdict.high, high=-verdict.low, finding=turned)


def _sentence(name: str, strategy: str, words: Mapping[str, str], other: str, verdict: Verdict) -> str:
    effect = f"{with_unit(verdict)}{qualification(verdict)}"
    return f"{name}: {strategy} {words[verdict.finding]} {other}: {effect}."


def against_alone(means: StrategyMeans, margin: float) -> list[Verdict]:
    """Each strategy minus the model trained on the ability only: the matrix of forgetting and transfer."""
    verdicts = []
    for row, ability in enumerate(means.abilities):
        if np.isnan(means.alone[row]):
            continue
        for strategy in means.strategies:
            name = means.arms[row].name
            weights = difference(means.labels[row][strategy], means.labels[row][ALONE])
            about = f"{name}, {strategy} against {ability} alone"
            verdict = contrast("forgetting", about, means.arms[row], weights, means.arms[row].metric.margin(margin))
            alone = f"training on {ability} alone"
            verdicts.append(verdict.saying(partial(_sentence, name, strategy, ALONE_WORDS, alone)))
    return verdicts


def pareto(means: StrategyMeans, seed: int = 0) -> Array:
    """For each strategy the chance that no other is at least as good in every ability and better in one.

    Over draws of the means from their t distributions, independent between abilities. NaN where the noise is unknown.
    """
    if not np.isfinite(means.variance).all() or not (means.dof > 0).all():
        return np.full(len(means.strategies), np.nan)
    draws = [means.draws(i, DRAWS, seed + i) for i in range(len(means.abilities))]
    return np.asarray(front(np.stack(draws, axis=-1)).mean(axis=0))


def front(scores: Array) -> NDArray[np.bool_]:
    """Which candidates no other dominates: (draws, candidates, abilities) -> (draws, candidates)."""
    other, own = scores[:, :, None, :], scores[:, None, :, :]
    dominates = np.all(other >= own, axis=-1) & np.any(other > own, axis=-1)
    return np.asarray(~np.any(dominates, axis=1))
