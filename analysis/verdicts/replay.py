"""Replay: what repeating a share k of the specialised data in the second stage does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from analysis.points import Array
from analysis.verdicts.arms import Arms
from analysis.verdicts.phrases import reason, spread, unit
from analysis.verdicts.verdict import Verdict, draws_of, judge
from analysis.words import fraction

DRAWS = 2000


@dataclass(frozen=True, eq=False)
class Replays:
    """Means and variances of each ability (rows) by replay k (columns)."""

    abilities: tuple[str, ...]
    names: tuple[str, ...]
    k: Array
    mean: Array
    variance: Array
    dof: Array
    share: bool


def by_replay(found: Sequence[Arms]) -> Replays | None:
    """The arms of the strategy with the most values of k; None for fewer than two of them in every ability."""
    columns = []
    for f in found:
        if "replay" not in f.table or f.table["replay"].nunique() < 2:
            return None
        table = f.table[f.table["replay"].notna() & (f.table["samples"] > 0)]
        if "params" in table and table["params"].nunique() > 1:
            return None
        columns.append(table.groupby("replay")[["mean", "variance"]].mean())
    if not columns:
        return None
    k = sorted(set.intersection(*(set(c.index) for c in columns)))
    if len(k) < 2:
        return None
    mean, variance = (np.array([c.loc[k, what].to_numpy() for c in columns]) for what in ("mean", "variance"))
    return Replays(
        tuple(f.ability for f in found),
        tuple(f.name for f in found),
        np.array(k, dtype=float),
        mean,
        variance,
        np.array([f.dof for f in found]),
        all(f.share for f in found),
    )


def replays(r: Replays, margin: float) -> list[Verdict]:
    """For each ability: the largest k against the smallest, and whether it moves one way between."""
    verdicts = []
    words = {"up": "gains", "down": "loses", "equal": "changes little", "undecided": "does not clearly change"}
    for row, name in enumerate(r.names):
        effect = float(r.mean[row, -1] - r.mean[row, 0])
        noise = float(r.variance[row, -1] + r.variance[row, 0])
        about = f"{name}, replay {fraction(r.k[-1])} against {fraction(r.k[0])}"
        verdict = judge("replay", about, effect, noise, float(r.dof[row]), margin, r.share)
        steps = f"; {_course(r, row, margin)}" if len(r.k) > 2 else ""
        said = f"{name} {words[verdict.finding]} from replay {fraction(r.k[0])} to {fraction(r.k[-1])}"
        verdicts.append(verdict.said(f"{said}: {spread(verdict)} {unit(r.share)}{reason(verdict)}{steps}."))
    return verdicts


def _course(r: Replays, row: int, margin: float) -> str:
    """Monotone or not, judged by the steps between any two k that are clearly up or down."""
    found = set()
    for i in range(len(r.k)):
        for j in range(i + 1, len(r.k)):
            noise = float(r.variance[row, i] + r.variance[row, j])
            step = judge("", "", float(r.mean[row, j] - r.mean[row, i]), noise, float(r.dof[row]), margin, r.share)
            found.add(step.finding)
    if {"up", "down"} <= found:
        return "it is not monotone in k"
    if found & {"up", "down"}:
        return "it moves one way, as far as the noise shows"
    return "no step between two k is clear"


def best_k(r: Replays, weights: Mapping[str, float] | None = None, seed: int = 0) -> tuple[float, float]:
    """The k with the largest weighted mean over abilities, and the chance that it is the best of those measured.

    ``weights`` by ability, 1 each by default. The chance is NaN where the noise is not known.
    """
    share = np.array([(weights or {}).get(ability, 1.0 if weights is None else 0.0) for ability in r.abilities])
    best = int(np.argmax(share @ r.mean))
    if not np.isfinite(r.variance).all() or not (r.dof > 0).all():
        return float(r.k[best]), float("nan")
    drawn = [draws_of(r.mean[i], r.variance[i], float(r.dof[i]), DRAWS, seed + i) for i in range(len(r.abilities))]
    total = np.einsum("a,adk->dk", share, np.stack(drawn))
    return float(r.k[best]), float((total.argmax(axis=1) == best).mean())
