"""Replay: the effect of repeating a share k of the specialised data in the second stage."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations

import numpy as np

from analysis.arrays import Array
from analysis.format import fraction
from analysis.verdicts.arms import ArmMeans
from analysis.verdicts.contrast import contrast, difference, dof, mean_of
from analysis.verdicts.verdict import LEVEL, Verdict, draws_of, holm
from analysis.verdicts.wording import qualification, with_unit

DRAWS = 2000
WORDS = {"up": "gains", "down": "loses", "equal": "changes little", "undecided": "does not clearly change"}

TURNS = "it changes direction along k"


@dataclass(frozen=True, eq=False)
class ReplayMeans:
    """Means (abilities, replays) of one strategy by replay ``k``.

    ``arms`` are the arms of each ability, ``labels`` those behind each k. ``strategy`` is "" where only one has replay.
    """

    k: Array
    mean: Array
    arms: tuple[ArmMeans, ...]
    labels: tuple[Mapping[float, list[int]], ...]
    strategy: str = ""


def by_replay(all_arms: Sequence[ArmMeans]) -> list[ReplayMeans]:
    """The means by replay of each strategy that has several, over the replays that were measured in every ability."""
    replayed = [arms.table[arms.table["replay"].notna()] for arms in all_arms if "replay" in arms.table]
    names = sorted({str(name) for table in replayed if "strategy" in table for name in table["strategy"]})
    if len(names) < 2:
        return [means] if (means := _by_replay(all_arms, "")) else []
    parts = {name: [arms.with_rows(arms.table["strategy"] == name) for arms in all_arms] for name in names}
    return [means for name, part in parts.items() if (means := _by_replay(part, name))]


def _by_replay(all_arms: Sequence[ArmMeans], strategy: str) -> ReplayMeans | None:
    labels = []
    for arms in all_arms:
        if "replay" not in arms.table or arms.table["replay"].nunique() < 2:
            return None
        table = arms.table[arms.table["replay"].notna() & (arms.table["samples"] > 0)]
        labels.append({float(k): [int(i) for i in part.index] for k, part in table.groupby("replay")})
    shared = sorted(set.intersection(*map(set, labels))) if labels else []
    if len(shared) < 2:
        return None
    mean = [[arms.table.loc[by[k], "mean"].mean() for k in shared] for arms, by in zip(all_arms, labels, strict=True)]
    return ReplayMeans(np.array(shared), np.array(mean, dtype=float), tuple(all_arms), tuple(labels), strategy)


def replays(means: ReplayMeans, margin: float) -> list[Verdict]:
    """For each ability the largest k against the smallest, and whether it changes in one direction between them.

    Then the smallest k above 0 against none, where none was measured: whether a little replay is enough.

    ``margin`` is relative to a metric's range, or to a loss.
    """
    verdicts = []
    for row, arms in enumerate(means.arms):
        name = f"{arms.name}, {means.strategy}" if means.strategy else arms.name
        about = f"{name}, replay {fraction(means.k[-1])} against {fraction(means.k[0])}"
        verdict = _step(means, row, 0, -1, about, margin)
        course = f"; {_course(means, row, margin)}" if len(means.k) > 2 else ""
        span = f"from replay {fraction(means.k[0])} to {fraction(means.k[-1])}"
        verdicts.append(verdict.saying(partial(_sentence, name, span, course)))
        if means.k[0] == 0 and len(means.k) > 2:
            about = f"{name}, replay {fraction(means.k[1])} against 0"
            span = f"from replay 0 to {fraction(means.k[1])}"
            verdicts.append(_step(means, row, 0, 1, about, margin).saying(partial(_sentence, name, span, "")))
    return verdicts


def _sentence(name: str, span: str, course: str, verdict: Verdict) -> str:
    effect = f"{with_unit(verdict)}{qualification(verdict)}"
    return f"{name} {WORDS[verdict.finding]} {span}: {effect}{course}."


def turns(means: ReplayMeans, margin: float) -> list[str]:
    """The abilities that change direction along k by more than the noise, a sentence each: a reader will ask why."""
    sentences = []
    for row, arms in enumerate(means.arms):
        if len(means.k) > 2 and _course(means, row, margin) == TURNS:
            name = f"{arms.name}, {means.strategy}" if means.strategy else arms.name
            shown = arms.metric.value(means.mean[row])
            course = ", ".join(
                f"{arms.metric.number(float(v))} at {fraction(k)}" for k, v in zip(means.k, shown, strict=True)
            )
            sentences.append(f"{name}: replay changes direction by more than the noise: {course}")
    return sentences


def _step(means: ReplayMeans, row: int, old: int, new: int, about: str, margin: float) -> Verdict:
    """The effect of going from one k to another, given by their places."""
    labels = means.labels[row]
    weights = difference(labels[float(means.k[new])], labels[float(means.k[old])])
    return contrast("replay", about, means.arms[row], weights, means.arms[row].metric.margin(margin))


def _course(means: ReplayMeans, row: int, margin: float) -> str:
    """Whether the ability changes in one direction: by the steps between any two k that are clear (Holm over steps)."""
    steps = [_step(means, row, i, j, "", margin) for i, j in combinations(range(len(means.k)), 2)]
    significant = [p < 1 - LEVEL for p in holm([step.p for step in steps])]
    directions = {step.finding for step, clear in zip(steps, significant, strict=True) if clear} & {"up", "down"}
    if len(directions) == 2:
        return TURNS
    return "it moves one way, as far as the noise shows" if directions else "no step between two k is clear"


def best_k(means: ReplayMeans, weights: Mapping[str, float] | None = None, seed: int = 0) -> tuple[float, float]:
    """The k with the largest weighted mean over abilities, and the chance that it is the best of those measured.

    ``weights`` by ability, 1 each by default. The chance is NaN where the noise is unknown. Arms that answered the
    same items vary together.
    """
    weight = np.array([(weights or {}).get(arms.ability, 0.0 if weights else 1.0) for arms in means.arms])
    best = int(np.argmax(weight @ means.mean))
    total = np.zeros((DRAWS, len(means.k)))
    for i, arms in enumerate(means.arms):
        parts = [means.labels[i][float(k)] for k in means.k]
        labels = [label for part in parts for label in part]
        gather = np.array([[mean_of(part).get(label, 0.0) for label in labels] for part in parts])
        covariance = gather @ arms.covariance(labels) @ gather.T
        free = dof(arms, difference(parts[0], parts[-1]))
        if not np.isfinite(covariance).all() or not free > 0:
            return float(means.k[best]), float("nan")
        total += weight[i] * draws_of(means.mean[i], covariance, free, DRAWS, seed + i)
    return float(means.k[best]), float((total.argmax(axis=1) == best).mean())
