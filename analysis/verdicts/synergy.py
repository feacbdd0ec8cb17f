"""Synergy or conflict: an ability's data mixed with other abilities' data, against the same data alone."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from analysis.arrays import Array
from analysis.fitting.uncertainty import quantile
from analysis.format import amount
from analysis.verdicts.arms import ArmMeans
from analysis.verdicts.contrast import Weights, contrast, difference, dof
from analysis.verdicts.scaling import slope
from analysis.verdicts.size import matched
from analysis.verdicts.verdict import LEVEL, Verdict, judge
from analysis.verdicts.wording import pairing, reason, spread

APART = ("strategy", "trained_on", "total_samples", "fraction", "replay", "arm", "ratio")


@dataclass(frozen=True, eq=False)
class Difference:
    """Mixed minus alone at each own amount (logarithm to base 2), with their covariance and its degrees of freedom; the
    mixed strategy's name, the weights of the arms behind each difference, and the items that all of them answered (0
    where that is not known).
    """

    label: str
    logs: Array
    delta: Array
    covariance: Array
    dof: float
    weights: tuple[Weights, ...]
    items: int = 0


def differences(found: ArmMeans) -> list[Difference]:
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
        if len(pairs):
            out.append(_difference(found, str(label), pairs))
    return out


def _difference(found: ArmMeans, label: str, pairs: pd.DataFrame) -> Difference:
    groups = pairs.groupby("samples")
    weights = tuple(difference(list(part["label_other"]), list(part["label"])) for _, part in groups)
    labels = sorted({i for each in weights for i in each})
    gather = np.array([[each.get(i, 0.0) for i in labels] for each in weights])
    logs = np.log2(np.array(list(groups.groups), dtype=float))
    delta = gather @ found.table.loc[labels, "mean"].to_numpy(float)
    tilt = logs - logs.mean() if len(logs) > 1 else np.ones(1)
    free = dof(found, dict(zip(labels, tilt @ gather, strict=True)))
    items = found.items_of(labels)
    count = 0 if items is None else items.shape[1]
    return Difference(label, logs, delta, gather @ found.covariance(labels) @ gather.T, free, weights, count)


def synergies(found: ArmMeans, margin: float) -> list[Verdict]:
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
            verdict = contrast("synergy", about, found, d.weights[k], margin)
            words = {"up": "helps", "down": "hurts", "equal": "changes little", "undecided": "has no clear effect"}
            said = f"{found.name}: {d.label} {words[verdict.finding]} at {amount(2 ** d.logs[k])} own samples"
            verdicts.append(verdict.said(f"{said}: {spread(verdict)} {found.metric.effect_unit}{reason(verdict)}."))
        if len(d.logs) >= 3:
            verdicts.append(_trend(found, d, margin))
    return verdicts


def _trend(found: ArmMeans, d: Difference, margin: float) -> Verdict:
    """Whether the benefit of mixing shrinks or grows with the ability's own data, and where it changes sign."""
    effect, noise = slope(d.logs, d.delta, d.covariance)
    about = f"{found.name}, {d.label} minus alone, per doubling"
    verdict = judge("synergy", about, effect, noise, d.dof, margin / max(float(np.ptp(d.logs)), 1.0), found.metric)
    verdict = replace(verdict, items=d.items)
    words = {"up": "grows", "down": "shrinks", "equal": "stays the same", "undecided": "has no clear trend"}
    said = f"{found.name}: the benefit of {d.label} {words[verdict.finding]} with own data: {spread(verdict)}"
    return verdict.said(f"{said} {found.metric.effect_unit} per doubling{pairing(verdict)}; {crossing_text(d)}.")


def crossing_text(d: Difference) -> str:
    """The crossing in words, with its interval; ties and several changes of sign are named.

    Mixed and alone change places where two differences next to each other, ties left out, are of opposite sign and both
    clear of 0; further changes that the noise could have made are counted apart.
    """
    half = quantile(LEVEL, d.dof) * np.sqrt(np.diag(d.covariance)) if d.dof > 0 else np.full(len(d.logs), np.nan)
    clear = np.sign(np.where(np.abs(d.delta) > half, d.delta, 0.0))
    changes, sure = (int((np.diff(s[s != 0]) != 0).sum()) for s in (np.sign(d.delta), clear))
    ties = int((d.delta == 0).sum())
    extra = f", {ties} {'tie' if ties == 1 else 'ties'}" if ties else ""
    if sure > 1:
        return f"mixed and alone change places {sure} times{extra}, so there is no single crossing"
    if changes > 1:
        extra += f"; the sign changes {changes} times, as noise could make it"
    at, low, high = crossing(d)
    if changes == 0 or not d.logs[0] <= at <= d.logs[-1]:
        return f"no crossing within the amounts measured{extra}"
    ends = ["the smallest amounts" if math.isinf(low) else amount(2**low)]
    ends.append("beyond the largest" if math.isinf(high) else amount(2**high))
    return f"they cross at about {amount(float(f'{2**at:.2g}'))} samples ({ends[0]} to {ends[1]}){extra}"


def crossing(d: Difference) -> tuple[float, float, float]:
    """Where the line through the differences is 0, in logarithms to base 2, with Fieller's 95 % interval (Fieller
    1954, J. R. Stat. Soc. B 16). An end is infinite where the slope's sign is not sure: then the interval is open.
    """
    known = bool(np.isfinite(d.covariance).all()) and d.dof > 0
    inverse = np.linalg.inv(d.covariance + 1e-24 * np.eye(len(d.logs))) if known else np.eye(len(d.logs))
    weight = inverse.sum(axis=0)
    centre = float(weight @ d.logs / weight.sum())  # there level and slope are independent
    s, var_s = slope(d.logs, d.delta, d.covariance)
    if s == 0:
        return math.nan, -math.inf, math.inf
    level = float(weight @ d.delta / weight.sum())
    at = centre - level / s
    if not known:
        return at, -math.inf, math.inf
    t = quantile(LEVEL, d.dof)
    away = d.logs - centre
    var_level = var_s * float(away @ inverse @ away) / float(weight.sum())  # the same inflation as the slope's
    a, b, c = s**2 - t**2 * var_s, level * s, level**2 - t**2 * var_level
    inside = b**2 - a * c
    if a <= 0 or inside < 0:
        return at, -math.inf, math.inf
    roots = sorted(centre + (-b - sign * math.sqrt(inside)) / a for sign in (-1, 1))
    return at, roots[0], roots[1]
