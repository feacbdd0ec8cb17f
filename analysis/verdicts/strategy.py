"""Strategies: all pairs, what each forgets and transfers, and which none dominates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.points import Array
from analysis.verdicts.arms import Arms
from analysis.verdicts.phrases import reason, spread, unit
from analysis.verdicts.size import WORDS
from analysis.verdicts.verdict import Verdict, draws_of, holm, judge
from analysis.words import fraction

DRAWS = 2000
ALONE = "single"


@dataclass(frozen=True, eq=False)
class Comparison:
    """Strategies (columns) by ability (rows), at the data that all of them were given: means and variances.

    ``alone`` holds the model trained on an ability only (NaN where there is none); ``dof`` goes with each ability.
    """

    abilities: tuple[str, ...]
    strategies: tuple[str, ...]
    mean: Array
    variance: Array
    alone: Array
    alone_variance: Array
    dof: Array
    share: bool


def compare(found: Sequence[Arms]) -> Comparison | None:
    """The strategies that were measured in every ability at equal own data; None for fewer than two.

    One arm a strategy and ability: the one with the most own samples; strategies with a replay get one column a replay.
    """
    if not found or any(not {"strategy", "samples"} <= set(f.table) for f in found):
        return None
    columns, alone = [], []
    for f in found:
        table = f.table[f.table["samples"] > 0].copy()
        if "params" in table and table["params"].nunique() > 1:
            return None
        if table.loc[table["strategy"] != ALONE, "strategy"].nunique() < 2:
            return None
        table["label"] = _labels(table)
        best = table[table["samples"] == table["samples"].max()]
        lone = best[best["strategy"] == ALONE]
        alone.append((float(lone["mean"].mean()), float(lone["variance"].mean())) if len(lone) else (np.nan, np.nan))
        mixed = best[best["strategy"] != ALONE]
        columns.append(mixed.groupby("label")[["mean", "variance"]].mean())
    shared = sorted(set.intersection(*(set(c.index) for c in columns)))
    if len(shared) < 2:
        return None
    mean, variance = (np.array([[c.loc[s, what] for s in shared] for c in columns]) for what in ("mean", "variance"))
    lone_mean, lone_variance = np.array(alone).T
    dof = np.array([f.dof for f in found])
    names = tuple(f.ability for f in found)
    return Comparison(names, tuple(shared), mean, variance, lone_mean, lone_variance, dof, all(f.share for f in found))


def _labels(table: pd.DataFrame) -> pd.Series[str]:
    """The strategy, with its replay where one strategy has several."""
    label = table["strategy"].astype(str)
    if "replay" not in table:
        return label
    several = table.groupby("strategy")["replay"].transform("nunique") > 1
    return label.where(~several, label + " replay " + table["replay"].map(fraction))


def pairs(c: Comparison, metric: str, margin: float) -> list[Verdict]:
    """Every pair of strategies in every ability. A difference counts when its p value, adjusted by Holm over all of
    them, is below 5 %; the intervals are those of single comparisons.
    """
    raw = []
    for row, ability in enumerate(c.abilities):
        for i, j in combinations(range(len(c.strategies)), 2):
            about = f"{ability} {metric}, {c.strategies[j]} against {c.strategies[i]}"
            effect = float(c.mean[row, j] - c.mean[row, i])
            noise = float(c.variance[row, j] + c.variance[row, i])
            raw.append(judge("strategy", about, effect, noise, float(c.dof[row]), margin, c.share))
    out = []
    for verdict, adjusted in zip(raw, holm([v.p for v in raw]), strict=True):
        held = verdict.finding in ("up", "down") and adjusted >= 0.05
        final = Verdict(**{**vars(verdict), "p": adjusted, "finding": "undecided" if held else verdict.finding})
        ability, _, rest = final.about.partition(", ")
        new, _, old = rest.partition(" against ")
        why = f"; not significant among {len(raw)} comparisons" if held else reason(final)
        said = f"{ability}: {new} {WORDS[final.finding]} {old}: {spread(final)} {unit(c.share)}{why}."
        out.append(final.said(said))
    return out


def against_alone(c: Comparison, metric: str, margin: float) -> list[Verdict]:
    """The forgetting and transfer matrix: each strategy minus the model trained on that ability only."""
    verdicts = []
    words = {"up": "gains on", "down": "loses against", "equal": "keeps up with", "undecided": "is not clearly off"}
    for row, ability in enumerate(c.abilities):
        if np.isnan(c.alone[row]):
            continue
        for j, strategy in enumerate(c.strategies):
            effect = float(c.mean[row, j] - c.alone[row])
            noise = float(c.variance[row, j] + c.alone_variance[row])
            about = f"{ability} {metric}, {strategy} against {ability} alone"
            verdict = judge("forgetting", about, effect, noise, float(c.dof[row]), margin, c.share)
            said = f"{ability} {metric}: {strategy} {words[verdict.finding]} training on {ability} alone"
            verdicts.append(verdict.said(f"{said}: {spread(verdict)} {unit(c.share)}{reason(verdict)}."))
    return verdicts


def pareto(c: Comparison, seed: int = 0) -> Array:
    """For each strategy the chance that no other is at least as good in every ability and better in one.

    Over draws of the means from their t distributions, independent between abilities.
    """
    if not np.isfinite(c.variance).all() or not (c.dof > 0).all():
        return np.full(len(c.strategies), np.nan)
    rows = [draws_of(c.mean[i], c.variance[i], float(c.dof[i]), DRAWS, seed + i) for i in range(len(c.abilities))]
    return np.asarray(front(np.stack(rows, axis=-1)).mean(axis=0))


def front(scores: Array) -> NDArray[np.bool_]:
    """(draws, candidates, abilities) -> True where no other candidate dominates."""
    other, own = scores[:, :, None, :], scores[:, None, :, :]
    dominates = np.all(other >= own, axis=-1) & np.any(other > own, axis=-1)
    return np.asarray(~np.any(dominates, axis=1))
