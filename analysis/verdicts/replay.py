"""Replay: what repeating a share k of the specialised data in the second stage does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from analysis.arrays import Array
from analysis.format import fraction
from analysis.verdicts.arms import ArmMeans
from analysis.verdicts.contrast import contrast, difference, dof, mean_of
from analysis.verdicts.verdict import LEVEL, Verdict, draws_of, holm
from analysis.verdicts.wording import reason, spread

DRAWS = 2000


@dataclass(frozen=True, eq=False)
class Replays:
    """Means of each ability (rows) by replay k (columns); the arms, and the labels of those behind each k."""

    k: Array
    mean: Array
    found: tuple[ArmMeans, ...]
    rows: tuple[Mapping[float, list[int]], ...]


def by_replay(found: Sequence[ArmMeans]) -> Replays | None:
    """The arms of the strategy with the most values of k; None for fewer than two of them in every ability."""
    rows = []
    for f in found:
        if "replay" not in f.table or f.table["replay"].nunique() < 2:
            return None
        table = f.table[f.table["replay"].notna() & (f.table["samples"] > 0)]
        if "params" in table and table["params"].nunique() > 1:
            return None
        rows.append({float(k): [int(i) for i in part.index] for k, part in table.groupby("replay")})
    shared = sorted(set.intersection(*map(set, rows))) if rows else []
    if len(shared) < 2:
        return None
    mean = [[f.table.loc[r[k], "mean"].mean() for k in shared] for f, r in zip(found, rows, strict=True)]
    return Replays(np.array(shared), np.array(mean, dtype=float), tuple(found), tuple(rows))


def replays(r: Replays, margin: float) -> list[Verdict]:
    """For each ability: the largest k against the smallest, and whether it moves one way between."""
    verdicts = []
    words = {"up": "gains", "down": "loses", "equal": "changes little", "undecided": "does not clearly change"}
    for row, found in enumerate(r.found):
        about = f"{found.name}, replay {fraction(r.k[-1])} against {fraction(r.k[0])}"
        verdict = _step(r, row, 0, -1, about, margin)
        steps = f"; {_course(r, row, margin)}" if len(r.k) > 2 else ""
        said = f"{found.name} {words[verdict.finding]} from replay {fraction(r.k[0])} to {fraction(r.k[-1])}"
        verdicts.append(verdict.said(f"{said}: {spread(verdict)} {found.metric.effect_unit}{reason(verdict)}{steps}."))
    return verdicts


def _step(r: Replays, row: int, old: int, new: int, about: str, margin: float) -> Verdict:
    """The effect of going from one k to another."""
    weights = difference(r.rows[row][float(r.k[new])], r.rows[row][float(r.k[old])])
    return contrast("replay", about, r.found[row], weights, margin)


def _course(r: Replays, row: int, margin: float) -> str:
    """Monotone or not, judged by the steps between any two k that are clearly up or down (Holm over the steps)."""
    steps = [_step(r, row, i, j, "", margin) for i, j in combinations(range(len(r.k)), 2)]
    sure = [p < 1 - LEVEL for p in holm([s.p for s in steps])]
    found = {s.finding for s, clear in zip(steps, sure, strict=True) if clear}
    if {"up", "down"} <= found:
        return "it is not monotone in k"
    if found & {"up", "down"}:
        return "it moves one way, as far as the noise shows"
    return "no step between two k is clear"


def best_k(r: Replays, weights: Mapping[str, float] | None = None, seed: int = 0) -> tuple[float, float]:
    """The k with the largest weighted mean over abilities, and the chance that it is the best of those measured.

    ``weights`` by ability, 1 each by default. The chance is NaN where the noise is not known. Arms that answered the
    same items vary together.
    """
    share = np.array([(weights or {}).get(f.ability, 0.0 if weights else 1.0) for f in r.found])
    best = int(np.argmax(share @ r.mean))
    total = np.zeros((DRAWS, len(r.k)))
    for i, found in enumerate(r.found):
        rows = [r.rows[i][float(k)] for k in r.k]
        labels = [label for part in rows for label in part]
        gather = np.array([[mean_of(part).get(label, 0.0) for label in labels] for part in rows])
        covariance = gather @ found.covariance(labels) @ gather.T
        free = dof(found, difference(rows[0], rows[-1]))
        if not np.isfinite(covariance).all() or not free > 0:
            return float(r.k[best]), float("nan")
        total += share[i] * draws_of(r.mean[i], covariance, free, DRAWS, seed + i)
    return float(r.k[best]), float((total.argmax(axis=1) == best).mean())
