"""Strategies: all pairs, what each forgets and transfers, and which none dominates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
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
from analysis.verdicts.verdict import Verdict, draws_of, holm
from analysis.verdicts.wording import pairing, reason, spread

DRAWS = 2000
ALONE = "single"


@dataclass(frozen=True, eq=False)
class Comparison:
    """Strategies (columns) by ability (rows), at the data that all of them were given: means and variances.

    ``alone`` holds the model trained on an ability only (NaN where there is none); ``dof`` goes with each ability.
    ``found`` are the arms of each ability, ``rows`` the labels of those behind each strategy and of those alone.
    """

    abilities: tuple[str, ...]
    strategies: tuple[str, ...]
    mean: Array
    variance: Array
    alone: Array
    alone_variance: Array
    dof: Array
    metric: Metric
    found: tuple[ArmMeans, ...]
    rows: tuple[Mapping[str, list[int]], ...]

    def draws(self, ability: int, count: int, seed: int) -> Array:
        """Draws (count, strategies) of the means of one ability; arms that answered the same items vary together."""
        found, rows = self.found[ability], [self.rows[ability][s] for s in self.strategies]
        labels = [i for part in rows for i in part]
        gather = np.array([[mean_of(part).get(i, 0.0) for i in labels] for part in rows])
        spread_ = gather @ found.covariance(labels) @ gather.T
        return draws_of(self.mean[ability], spread_, float(self.dof[ability]), count, seed)


def compare(found: Sequence[ArmMeans]) -> Comparison | None:
    """The strategies that were measured in every ability at equal own data; None for fewer than two.

    Of each strategy and ability the arms with the most own samples; strategies with a replay get one column a replay.
    """
    if not found or any(not {"strategy", "samples"} <= set(f.table) for f in found):
        return None
    rows = []
    for f in found:
        table = f.table[f.table["samples"] > 0].copy()
        if "params" in table and table["params"].nunique() > 1:
            return None
        if table.loc[table["strategy"] != ALONE, "strategy"].nunique() < 2:
            return None
        best = table.assign(_name=labels(table))[table["samples"] == table["samples"].max()]
        rows.append({str(name): [int(i) for i in part.index] for name, part in best.groupby("_name")})
    shared = sorted(set.intersection(*(set(r) for r in rows)) - {ALONE})
    if len(shared) < 2:
        return None
    names = tuple(f.ability for f in found)
    columns = [_means(f, [r.get(s, []) for s in (*shared, ALONE)]) for f, r in zip(found, rows, strict=True)]
    mean, variance = (np.array([c[k] for c in columns]) for k in (0, 1))
    dofs = np.array([f.dof if f.paired is None else _least_dof(f, r) for f, r in zip(found, rows, strict=True)])
    return Comparison(
        names, tuple(shared), mean[:, :-1], variance[:, :-1], mean[:, -1], variance[:, -1], dofs,
        found[0].metric, tuple(found), tuple(rows),
    )  # fmt: skip


def _means(found: ArmMeans, rows: list[list[int]]) -> tuple[Array, Array]:
    """The mean and variance of each group of arms; NaN for an empty one."""
    parts = [found.table.loc[labels, ["mean", "variance"]].mean().to_numpy(float) for labels in rows]
    mean, variance = np.array(parts).T
    return mean, variance / np.array([max(len(labels), 1) for labels in rows])


def _least_dof(found: ArmMeans, rows: Mapping[str, list[int]]) -> float:
    """The fewest degrees of freedom of the differences between groups of arms."""
    return min(dof(found, difference(a, b)) for a, b in combinations(rows.values(), 2))


def labels(table: pd.DataFrame) -> pd.Series[str]:
    """The strategy, with its replay where one strategy has several."""
    label = table["strategy"].astype(str)
    if "replay" not in table:
        return label
    several = table.groupby("strategy")["replay"].transform("nunique") > 1
    return label.where(~several, label + " replay " + table["replay"].map(fraction))


def pairs(c: Comparison, margin: float) -> list[Verdict]:
    """Every pair of strategies in every ability. A difference counts when its p value, adjusted by Holm over all of
    them, is below 5 %; the intervals are those of single comparisons.
    """
    raw = []
    for row, ability in enumerate(c.abilities):
        for old, new in combinations(c.strategies, 2):
            about = f"{ability} {c.metric.name}, {new} against {old}"
            weights = difference(c.rows[row][new], c.rows[row][old])
            raw.append(contrast("strategy", about, c.found[row], weights, margin))
    out = []
    for verdict, adjusted in zip(raw, holm([v.p for v in raw]), strict=True):
        held = verdict.finding in ("up", "down") and adjusted >= 0.05
        final = replace(verdict, p=adjusted, finding="undecided" if held else verdict.finding)
        ability, _, rest = final.about.partition(", ")
        new, _, old = rest.partition(" against ")
        why = f"{pairing(final)}; not significant among {len(raw)} comparisons" if held else reason(final)
        said = f"{ability}: {new} {WORDS[final.finding]} {old}: {spread(final)} {c.metric.effect_unit}{why}."
        out.append(final.said(said))
    return out


def against_alone(c: Comparison, margin: float) -> list[Verdict]:
    """The forgetting and transfer matrix: each strategy minus the model trained on that ability only."""
    verdicts = []
    words = {"up": "gains on", "down": "loses against", "equal": "keeps up with", "undecided": "is not clearly off"}
    for row, ability in enumerate(c.abilities):
        if np.isnan(c.alone[row]):
            continue
        for strategy in c.strategies:
            about = f"{ability} {c.metric.name}, {strategy} against {ability} alone"
            weights = difference(c.rows[row][strategy], c.rows[row][ALONE])
            verdict = contrast("forgetting", about, c.found[row], weights, margin)
            said = f"{ability} {c.metric.name}: {strategy} {words[verdict.finding]} training on {ability} alone"
            verdicts.append(verdict.said(f"{said}: {spread(verdict)} {c.metric.effect_unit}{reason(verdict)}."))
    return verdicts


def pareto(c: Comparison, seed: int = 0) -> Array:
    """For each strategy the chance that no other is at least as good in every ability and better in one.

    Over draws of the means from their t distributions, independent between abilities.
    """
    if not np.isfinite(c.variance).all() or not (c.dof > 0).all():
        return np.full(len(c.strategies), np.nan)
    rows = [c.draws(i, DRAWS, seed + i) for i in range(len(c.abilities))]
    return np.asarray(front(np.stack(rows, axis=-1)).mean(axis=0))


def front(scores: Array) -> NDArray[np.bool_]:
    """(draws, candidates, abilities) -> True where no other candidate dominates."""
    other, own = scores[:, :, None, :], scores[:, None, :, :]
    dominates = np.all(other >= own, axis=-1) & np.any(other > own, axis=-1)
    return np.asarray(~np.any(dominates, axis=1))
