"""Which abilities still rise with their data, which have reached a plateau, and from where on."""

from __future__ import annotations

import numpy as np
import pandas as pd

from analysis.points import Array
from analysis.verdicts.arms import Arms
from analysis.verdicts.phrases import reason, spread, unit
from analysis.verdicts.verdict import SLOPE, Verdict, judge
from analysis.words import amount

LAST = 3  # amounts at the upper end whose slope is judged
WORDS = {"up": "rises", "down": "falls", "equal": "has reached a plateau", "undecided": "is undecided"}


def scaling(found: Arms, label: str, margin: float) -> Verdict | None:
    """The gain per doubling over the three largest amounts of one series; None for fewer than four amounts.

    Equivalence is tested, not assumed: "not significant" is no plateau. From where on: as far down as the slope
    from there to the end stays within the margin.
    """
    table = found.table.sort_values("samples")
    logs, mean, variance = _by_amount(table)
    if len(logs) < LAST + 1:
        return None
    about = f"{found.name}{', ' + label if label else ''}"
    effect, error = slope(logs[-LAST:], mean[-LAST:], variance[-LAST:])
    verdict = judge("scaling", about, effect, error, found.dof, SLOPE * margin, found.share)
    start = len(logs) - LAST
    while verdict.finding == "equal" and start > 0:
        lower, error = slope(logs[start - 1 :], mean[start - 1 :], variance[start - 1 :])
        if judge("", "", lower, error, found.dof, verdict.margin, found.share).finding != "equal":
            break
        start -= 1
    span = f"from {amount(2 ** logs[start])} to {amount(2 ** logs[-1])} samples"
    said = f"{about} {WORDS[verdict.finding]} {span}: {spread(verdict)} {unit(found.share)} per doubling"
    return verdict.said(f"{said}{reason(verdict)}.")


def _by_amount(table: pd.DataFrame) -> tuple[Array, Array, Array]:
    """Logarithms (base 2) of the amounts, means and variances; arms of one amount are averaged."""
    groups = table[table["samples"] > 0].groupby("samples")
    counts = groups["mean"].size().to_numpy()
    logs = np.log2(np.array(list(groups.groups), dtype=float))
    variance = groups["variance"].sum(min_count=1).to_numpy() / counts**2
    return logs, groups["mean"].mean().to_numpy(), variance


def slope(logs: Array, mean: Array, variance: Array) -> tuple[float, float]:
    """Weighted least squares: the slope and its variance, raised where the points scatter more than they should."""
    weight = 1 / np.maximum(variance, 1e-300) if np.isfinite(variance).all() else np.ones_like(mean)
    design = np.stack([np.ones_like(logs), logs - (weight * logs).sum() / weight.sum()], axis=1)
    inverse = np.linalg.inv(design.T @ (weight[:, None] * design))
    best = inverse @ (design.T @ (weight * mean))
    rest = float((weight * (mean - design @ best) ** 2).sum()) / max(len(logs) - 2, 1)
    known = bool(np.isfinite(variance).all())
    return float(best[1]), float(inverse[1, 1] * max(1.0, rest)) if known else float("nan")
