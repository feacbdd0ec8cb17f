"""Which abilities still rise with their data, which have reached a plateau, and from where on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from analysis.arrays import Array
from analysis.format import amount
from analysis.verdicts.arms import ArmMeans
from analysis.verdicts.contrast import dof, mean_of
from analysis.verdicts.verdict import SLOPE, Verdict, judge
from analysis.verdicts.wording import reason, spread

LAST = 3  # amounts at the upper end whose slope is judged
LOOKS = 24  # for where a plateau starts, at most
EDGE = 0.03  # shares within so much of 0 or 1 cannot move: floor and ceiling
WORDS = {"up": "rises", "down": "falls", "equal": "has reached a plateau", "undecided": "is undecided"}
EDGES = {"floor": "is at the floor, where nothing shows,", "ceiling": "has reached the ceiling"}


def scaling(found: ArmMeans, label: str, margin: float) -> Verdict | None:
    """The gain per doubling over the three largest amounts of one series; None for fewer than four amounts.

    Equivalence is tested, not assumed: "not significant" is no plateau. From where on: as far down as the slope
    from there to the end stays within the margin. Scores within `EDGE` of 0 or 1 all along that span are said to be at
    the floor or the ceiling, not at a plateau.
    """
    levels = _by_amount(found)
    if len(levels) < LAST + 1:
        return None
    about = f"{found.name}{', ' + label if label else ''}"
    start = len(levels) - LAST
    step = max(1, len(levels) // LOOKS)
    verdict = _rise(found, levels[start:], about, SLOPE * margin)
    while verdict.finding == "equal" and start > 0:
        below = max(0, start - step)
        if _rise(found, levels[below:], "", verdict.margin).finding != "equal":
            break
        start = below
    verdict = replace(verdict, edge=_edge(found, [rows for _, rows in levels[start:]], verdict.finding))
    span = f"from {amount(levels[start][0])} to {amount(levels[-1][0])} samples"
    said = f"{about} {EDGES.get(verdict.edge) or WORDS[verdict.finding]} {span}: {spread(verdict)}"
    return verdict.said(f"{said} {found.metric.effect_unit} per doubling{reason(verdict)}.")


def _by_amount(found: ArmMeans) -> list[tuple[float, list[int]]]:
    """Each amount above 0 with the labels of its arms, smallest first."""
    table = found.table[found.table["samples"] > 0]
    return [(float(str(n)), [int(i) for i in part.index]) for n, part in table.groupby("samples")]


def _rise(found: ArmMeans, levels: list[tuple[float, list[int]]], about: str, margin: float) -> Verdict:
    """The slope per doubling along some amounts, whose arms count alike."""
    labels = [i for _, rows in levels for i in rows]
    gather = np.zeros((len(levels), len(labels)))
    for k, (_, rows) in enumerate(levels):
        gather[k, [labels.index(i) for i in rows]] = list(mean_of(rows).values())
    mean = gather @ found.table.loc[labels, "mean"].to_numpy(float)
    logs = np.log2([n for n, _ in levels])
    effect, variance = slope(logs, mean, gather @ found.covariance(labels) @ gather.T)
    tilt = dict(zip(labels, (logs - logs.mean()) @ gather, strict=True))
    return judge("scaling", about, effect, variance, dof(found, tilt), margin, found.metric)


def _edge(found: ArmMeans, rows: list[list[int]], finding: str) -> str:
    """Where shares that do not clearly rise or fall lie."""
    if not found.metric.bounded or finding in ("up", "down"):
        return ""
    mean = found.table.loc[[i for part in rows for i in part], "mean"]
    return "floor" if mean.max() <= EDGE else "ceiling" if mean.min() >= 1 - EDGE else ""


def slope(logs: Array, mean: Array, covariance: Array) -> tuple[float, float]:
    """Generalised least squares: the slope and its variance, raised where the points scatter more than they should.

    Where the covariance is not known (NaN) the points count alike, and the variance is NaN.
    """
    known = bool(np.isfinite(covariance).all())
    inverse = np.linalg.inv(covariance + 1e-24 * np.eye(len(logs))) if known else np.eye(len(logs))
    design = np.stack([np.ones_like(logs), logs - logs.mean()], axis=1)
    spread_ = np.linalg.inv(design.T @ inverse @ design)
    best = spread_ @ (design.T @ inverse @ mean)
    away = mean - design @ best
    rest = float(away @ inverse @ away) / max(len(logs) - 2, 1)
    return float(best[1]), float(spread_[1, 1] * max(1.0, rest)) if known else float("nan")
