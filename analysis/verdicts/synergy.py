"""Synergy or conflict: an ability's data mixed with other abilities' data, against the same data alone."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from analysis.points import Array
from analysis.uncertainty import quantile
from analysis.verdicts.arms import Arms
from analysis.verdicts.phrases import reason, spread, unit
from analysis.verdicts.scaling import slope
from analysis.verdicts.size import matched
from analysis.verdicts.verdict import LEVEL, Verdict, judge
from analysis.words import amount

APART = ("strategy", "trained_on", "total_samples", "fraction", "replay", "arm", "ratio")


@dataclass(frozen=True, eq=False)
class Difference:
    """Mixed minus alone at each own amount (logarithm to base 2), with variances; and the mixed strategy's name."""

    label: str
    logs: Array
    delta: Array
    variance: Array


def differences(found: Arms) -> list[Difference]:
    """One difference a mixed strategy that shares at least one own amount with the ability alone."""
    table = found.table
    if not {"samples", "total_samples"} <= set(table):
        return []
    alone = table[(table["samples"] > 0) & (table["samples"] == table["total_samples"])]
    mixed = table[(table["samples"] > 0) & (table["samples"] < table["total_samples"])]
    names = mixed["strategy"] if "strategy" in mixed else mixed["samples"].map(lambda _: "mixed")
    apart = (*APART, *(c for c in table if str(c).startswith("samples_")))
    out = []
    for label in sorted(names.unique()):
        pairs = matched(alone, mixed[names == label], apart)
        if not len(pairs):
            continue
        pairs = pairs.assign(
            delta=pairs["mean_other"] - pairs["mean"], noise=pairs["variance"] + pairs["variance_other"]
        )
        groups = pairs.groupby("samples")
        counts = groups["delta"].size().to_numpy()
        noise = groups["noise"].sum(min_count=1).to_numpy() / counts**2
        logs = np.log2(np.array(list(groups.groups), dtype=float))
        out.append(Difference(str(label), logs, groups["delta"].mean().to_numpy(), noise))
    return out


def synergies(found: Arms, margin: float) -> list[Verdict]:
    """For each mixed strategy: the difference at the smallest and at the largest amount, and its trend between.

    Several strategies at one amount are no question of synergy but of strategy (`against_alone`): none for them.
    """
    verdicts = []
    all_ = differences(found)
    if len(all_) > 1 and all(len(d.logs) == 1 for d in all_):
        return []
    for d in all_:
        ends = [0] if len(d.logs) == 1 else [0, -1]
        for k in ends:
            about = f"{found.name}, {d.label} minus alone at {amount(2 ** d.logs[k])} samples"
            verdict = judge("synergy", about, d.delta[k], d.variance[k], found.dof, margin, found.share)
            words = {"up": "helps", "down": "hurts", "equal": "changes little", "undecided": "has no clear effect"}
            said = f"{found.name}: {d.label} {words[verdict.finding]} at {amount(2 ** d.logs[k])} own samples"
            verdicts.append(verdict.said(f"{said}: {spread(verdict)} {unit(found.share)}{reason(verdict)}."))
        if len(d.logs) >= 3:
            verdicts.append(_trend(found, d, margin))
    return verdicts


def _trend(found: Arms, d: Difference, margin: float) -> Verdict:
    """Whether the benefit of mixing shrinks or grows with the ability's own data, and where it changes sign."""
    effect, noise = slope(d.logs, d.delta, d.variance)
    about = f"{found.name}, {d.label} minus alone, per doubling"
    verdict = judge("synergy", about, effect, noise, found.dof, margin / max(float(np.ptp(d.logs)), 1.0), found.share)
    words = {"up": "grows", "down": "shrinks", "equal": "stays the same", "undecided": "has no clear trend"}
    said = f"{found.name}: the benefit of {d.label} {words[verdict.finding]} with own data: {spread(verdict)}"
    return verdict.said(f"{said} {unit(found.share)} per doubling; {crossing_text(d, found.dof)}.")


def crossing_text(d: Difference, dof: float) -> str:
    """The crossing in words, with its interval; ties and several changes of sign are named."""
    signs = np.sign(d.delta)
    changes = int((np.diff(signs[signs != 0]) != 0).sum())
    ties = int((signs == 0).sum())
    extra = f", {ties} ties" if ties else ""
    if changes > 1:
        return f"mixed and alone change places {changes} times{extra}, so there is no single crossing"
    at, low, high = crossing(d, dof)
    if changes == 0 or not d.logs[0] <= at <= d.logs[-1]:
        return f"no crossing within the amounts measured{extra}"
    ends = ["the smallest amounts" if math.isinf(low) else amount(2**low)]
    ends.append("beyond the largest" if math.isinf(high) else amount(2**high))
    return f"they cross at about {amount(float(f'{2**at:.2g}'))} samples ({ends[0]} to {ends[1]}){extra}"


def crossing(d: Difference, dof: float) -> tuple[float, float, float]:
    """Where the line through the differences is 0, in logarithms to base 2, with Fieller's 95 % interval (Fieller
    1954, J. R. Stat. Soc. B 16). An end is infinite where the slope's sign is not sure: then the interval is open.
    """
    known = bool(np.isfinite(d.variance).all()) and dof > 0
    weight = 1 / np.maximum(d.variance, 1e-300) if known else np.ones_like(d.delta)
    centre = float((weight * d.logs).sum() / weight.sum())
    s, var_s = slope(d.logs, d.delta, d.variance)
    if s == 0:
        return math.nan, -math.inf, math.inf
    level = float((weight * d.delta).sum() / weight.sum())
    at = centre - level / s
    if not known:
        return at, -math.inf, math.inf
    t = quantile(LEVEL, dof)
    plain = 1 / float((weight * (d.logs - centre) ** 2).sum())
    var_level = var_s / plain / float(weight.sum())  # the same inflation as the slope's
    a, b, c = s**2 - t**2 * var_s, level * s, level**2 - t**2 * var_level
    inside = b**2 - a * c
    if a <= 0 or inside < 0:
        return at, -math.inf, math.inf
    roots = sorted(centre + (-b - sign * math.sqrt(inside)) / a for sign in (-1, 1))
    return at, roots[0], roots[1]
