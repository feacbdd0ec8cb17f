"""Synergy or conflict: an ability's data mixed with other abilities' data, against the same data alone."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from analysis.arrays import Array
from analysis.data.apart import SAMPLES, SOURCE
from analysis.fitting.uncertainty import quantile
from analysis.format import amount, counted
from analysis.verdicts.arms import ArmMeans
from analysis.verdicts.contrast import Weights, contrast, difference, dof
from analysis.verdicts.scaling import slope
from analysis.verdicts.size import matched
from analysis.verdicts.verdict import LEVEL, Verdict, judge
from analysis.verdicts.wording import pairing, qualification, with_unit

MIXTURE = ("strategy", "trained_on", "total_samples", "fraction", "replay", "ratio_arm", "ratio")
"""Columns in which mixed and alone may differ; besides, the amounts of other abilities."""
WORDS = {"up": "helps", "down": "hurts", "equal": "changes little", "undecided": "has no clear effect"}
PLACES = 401  # amounts at which the difference is compared with 0
TREND_WORDS = {"up": "grows", "down": "shrinks", "equal": "stays the same", "undecided": "has no clear trend"}


@dataclass(frozen=True, eq=False)
class MixingEffects:
    """Mixed minus alone at each amount of the ability's own data, for one mixed strategy.

    ``logs`` are the amounts as logarithms to base 2, ``delta`` the differences with their ``covariance`` and its
    degrees of freedom, ``weights`` the contrast behind each difference, and ``items`` the number of items that all
    arms answered (0 where items are unknown).
    """

    label: str
    logs: Array
    delta: Array
    covariance: Array
    dof: float
    weights: tuple[Weights, ...]
    items: int = 0


def mixing_effects(arms: ArmMeans) -> list[MixingEffects]:
    """The effects of every mixed strategy that shares at least one own amount with training alone."""
    table = arms.table
    if not {"samples", "total_samples"} <= set(table):
        return []
    alone = table[(table["samples"] > 0) & (table["samples"] == table["total_samples"])]
    mixed = table[(table["samples"] > 0) & (table["samples"] < table["total_samples"])]
    names = mixed["strategy"] if "strategy" in mixed else mixed["samples"].map(lambda _: "mixed")
    # Training alone has no source of the other abilities; within a stratum no two sources of one ability are mixed up.
    ignore_columns = (*MIXTURE, *(c for c in table if str(c).startswith((SAMPLES, SOURCE))))
    pairs = {str(label): matched(alone, mixed[names == label], ignore_columns) for label in sorted(names.unique())}
    return [_effects(arms, label, part) for label, part in pairs.items() if len(part)]


def _effects(arms: ArmMeans, label: str, pairs: pd.DataFrame) -> MixingEffects:
    groups = pairs.groupby("samples")
    weights = tuple(difference(list(part["label_other"]), list(part["label"])) for _, part in groups)
    labels = sorted({i for contrast_ in weights for i in contrast_})
    gather = np.array([[contrast_.get(i, 0.0) for i in labels] for contrast_ in weights])
    logs = np.log2(np.array(list(groups.groups), dtype=float))
    delta = gather @ arms.table.loc[labels, "mean"].to_numpy(float)
    tilt = logs - logs.mean() if len(logs) > 1 else np.ones(1)
    free = dof(arms, dict(zip(labels, tilt @ gather, strict=True)))
    items = arms.items_of(labels)
    count = 0 if items is None else items.shape[1]
    return MixingEffects(label, logs, delta, gather @ arms.covariance(labels) @ gather.T, free, weights, count)


def synergies(arms: ArmMeans, margin: float) -> list[Verdict]:
    """For each mixed strategy: the effect at the smallest and at the largest amount, and its trend between them.

    None where several strategies were measured at a single amount: that is a comparison of strategies
    (`against_alone`).
    """
    all_effects = mixing_effects(arms)
    if len(all_effects) > 1 and all(len(effects.logs) == 1 for effects in all_effects):
        return []
    verdicts = []
    for effects in all_effects:
        ends = [0] if len(effects.logs) == 1 else [0, -1]
        verdicts += [_at_amount(arms, effects, k, margin) for k in ends]
        if len(effects.logs) >= 3:
            verdicts.append(_trend(arms, effects, margin))
    return verdicts


def _at_amount(arms: ArmMeans, effects: MixingEffects, place: int, margin: float) -> Verdict:
    """The effect of mixing at one of the amounts."""
    samples = amount(2 ** effects.logs[place])
    about = f"{arms.name}, {effects.label} minus alone at {samples} samples"
    verdict = contrast("synergy", about, arms, effects.weights[place], margin)

    def say(final: Verdict) -> str:
        finding = f"{arms.name}: {effects.label} {WORDS[final.finding]} at {samples} own samples"
        return f"{finding}: {with_unit(final)}{qualification(final)}."

    return verdict.saying(say)


def _trend(arms: ArmMeans, effects: MixingEffects, margin: float) -> Verdict:
    """Whether the benefit of mixing shrinks or grows with the ability's own data, and where it changes sign."""
    effect, noise = slope(effects.logs, effects.delta, effects.covariance)
    about = f"{arms.name}, {effects.label} minus alone, per doubling"
    per_doubling = margin / max(float(np.ptp(effects.logs)), 1.0)
    verdict = judge("synergy", about, effect, noise, effects.dof, per_doubling, arms.metric)

    def say(final: Verdict) -> str:
        finding = f"{arms.name}: the benefit of {effects.label} {TREND_WORDS[final.finding]} with own data"
        size = f"{with_unit(final)} per doubling{pairing(final)}"
        return f"{finding}: {size}; {crossing_text(effects)}."

    return replace(verdict, items=effects.items, noise=arms.noise, say=say)


def crossing_text(effects: MixingEffects) -> str:
    """The crossing of mixed and alone in words, with its interval; ties and several crossings are named.

    They cross where two neighbouring differences, ties left out, have opposite signs. A crossing is clear where both
    differ from 0; further crossings, which the noise could have made, are counted separately.
    """
    known = effects.dof > 0
    half = quantile(LEVEL, effects.dof) * np.sqrt(np.diag(effects.covariance)) if known else np.nan * effects.logs
    clear = np.sign(np.where(np.abs(effects.delta) > half, effects.delta, 0.0))
    changes, clear_changes = (int((np.diff(s[s != 0]) != 0).sum()) for s in (np.sign(effects.delta), clear))
    ties = int((effects.delta == 0).sum())
    extra = f", {counted(ties, 'tie')}" if ties else ""
    if clear_changes > 1:
        return f"mixed and alone cross {clear_changes} times{extra}, so there is no single crossing"
    if changes > 1:
        extra += f"; the sign changes {changes} times, which noise could explain"
    at, low, high = crossing(effects)
    if changes == 0 or not effects.logs[0] <= at <= effects.logs[-1]:
        return f"no crossing within the amounts measured{extra}"
    # Nothing was measured outside these amounts, and 2**high may be too large a number.
    smallest, largest = effects.logs[0], effects.logs[-1]
    ends = [f"below {amount(2**smallest)}" if low < smallest else amount(2**low)]
    ends.append(f"beyond {amount(2**largest)}" if high > largest else amount(2**high))
    return f"they cross at about {amount(float(f'{2**at:.2g}'))} samples ({ends[0]} to {ends[1]}){extra}"


def crossing(effects: MixingEffects) -> tuple[float, float, float]:
    """Where mixed and alone cross, as logarithm to base 2, and a 95 % interval of it.

    The differences, made monotone (isotonic regression), are joined by straight lines; the crossing is where these pass
    0, NaN where they do not. The interval holds all amounts between the measured ones at which the interpolated
    difference does not differ from 0, as Fieller's does for one line (1954, J. R. Stat. Soc. B 16). An end is infinite
    where that is so at the smallest or largest amount, or where the noise is unknown.
    """
    from scipy.optimize import isotonic_regression  # slow to import, and needed by few tables

    logs, delta = effects.logs, effects.delta
    known = bool(np.isfinite(effects.covariance).all()) and effects.dof > 0
    weights = 1 / (np.diag(effects.covariance) + 1e-24) if known else np.ones(len(logs))
    rising = slope(logs, delta, effects.covariance)[0] > 0
    level = isotonic_regression(delta, weights=weights, increasing=bool(rising)).x
    at = float(np.interp(0.0, level if rising else level[::-1], logs if rising else logs[::-1]))
    at = at if level.min() <= 0 <= level.max() and np.ptp(level) > 0 else math.nan
    if not known:
        return at, -math.inf, math.inf
    x = np.linspace(logs[0], logs[-1], PLACES)
    joined = np.stack([np.interp(x, logs, unit) for unit in np.eye(len(logs))], axis=1)
    error = np.sqrt(np.einsum("pi,ij,pj->p", joined, effects.covariance, joined))
    near = np.flatnonzero(np.abs(joined @ delta) <= quantile(LEVEL, effects.dof) * error)
    if not len(near):
        return at, at, at
    low = -math.inf if near[0] == 0 else float(x[near[0]])
    high = math.inf if near[-1] == PLACES - 1 else float(x[near[-1]])
    return at, low, high
