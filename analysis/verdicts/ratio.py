"""Amount against ratio: how much of the variation own amount explains, and how much its ratio to other data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit, xlogy

from analysis.arrays import Array
from analysis.format import amount
from analysis.verdicts.arms import ArmMeans
from analysis.verdicts.verdict import LEVEL, draws_of

DRAWS = 400
FEWEST = 6  # arms with both kinds of data
ALIKE = 0.98  # correlation of amount and ratio beyond which no design tells them apart
APART = ("strategy", "replay", "params")  # differences between arms that belong to neither
STEPS = 12  # of Newton's method
REACH = 30.0  # of logits


@dataclass(frozen=True, eq=False)
class Shares:
    """Shares of the deviance that the arms show: own amount, ratio, their interaction, and what is left.

    ``value``, ``low`` and ``high`` (a 95 % interval) have one entry each, in that order: Shapley shares of the main
    effects, the interaction on top of them. ``partial`` holds (value, low, high) of amount given ratio, and of ratio
    given amount (type II). They hold for the ranges given only.
    """

    about: str
    value: Array
    low: Array
    high: Array
    partial: tuple[tuple[float, float, float], tuple[float, float, float]]
    amounts: tuple[float, float]
    ratios: tuple[float, float]

    @property
    def sentence(self) -> str:
        amounts = " to ".join(amount(v) for v in self.amounts)
        ratios = " to ".join(f"{v:.3g}" for v in self.ratios)
        parts = [_said(*each) for each in zip(self.value, self.low, self.high, strict=True)]
        given = [_said(*each) for each in self.partial]
        return (
            f"{self.about}: own amount ({amounts} samples) explains {parts[0]} of the deviance, the ratio to other "
            f"data ({ratios}) {parts[1]}, their interaction {parts[2]} (Shapley shares); given the ratio, amount "
            f"explains {given[0]}, given the amount, the ratio {given[1]}; over other ranges the shares would differ."
        )


def _said(value: float, low: float, high: float) -> str:
    return f"{100 * value:.0f} % ({100 * low:.0f} to {100 * high:.0f})"


def amount_or_ratio(found: ArmMeans, seed: int = 0) -> Shares | None:
    """The shares, over the arms of mixed training; None where too few arms vary both.

    Binomial deviance of shares (logit link), sums of squares of the logarithms of losses, by centred logarithms of own
    amount and of own to other data; the interaction is their product. Shapley shares (Lindeman, Merenda and Gold 1980)
    over the two main effects, the interaction last. What strategy, replay and model size explain is taken out first.
    Intervals from draws of the arms' means: items drawn anew across all arms where they are known, and runs.
    """
    table = found.table
    if not {"samples", "total_samples"} <= set(table) or not np.isfinite(table["variance"]).all():
        return None
    table = table[(table["samples"] > 0) & (table["total_samples"] > table["samples"])]
    own = table["samples"].to_numpy(float)
    ratio = own / (table["total_samples"].to_numpy(float) - own)
    logs = [np.log(own), np.log(ratio)]
    if len(table) < FEWEST or min(map(np.ptp, logs)) < 1e-9 or abs(np.corrcoef(*logs)[0, 1]) > ALIKE:
        return None
    columns = [column - column.mean() for column in logs]
    mean, variance = table["mean"].to_numpy(float), table["variance"].to_numpy(float)
    near = np.clip(mean, 0.005, 0.995)
    weight = (near * (1 - near) if found.metric.bounded else 1.0) / np.maximum(variance, 1e-300)
    drawn = np.concatenate([mean[None], _draws(found, table, seed)])
    drawn = np.clip(drawn, 0, 1) if found.metric.bounded else drawn
    shares, partial = _shares(drawn, weight, _others(table), columns, found.metric.bounded)
    ranges = [(float(v.min()), float(v.max())) for v in (own, ratio)]
    value, low, high = _interval(shares)
    given = _interval(partial)
    amount_, ratio_ = ((float(given[0][k]), float(given[1][k]), float(given[2][k])) for k in (0, 1))
    return Shares(found.name, value, low, high, (amount_, ratio_), ranges[0], ranges[1])


def _interval(drawn: Array) -> tuple[Array, Array, Array]:
    """The first row, and an interval of the others that holds it."""
    ends = np.quantile(drawn[1:], [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return drawn[0], np.minimum(ends[0], drawn[0]), np.maximum(ends[1], drawn[0])


def _draws(found: ArmMeans, table: pd.DataFrame, seed: int) -> Array:
    """(draws, arms) of the arms' means."""
    labels = [int(i) for i in table.index]
    mean, items = table["mean"].to_numpy(float), found.items_of(labels)
    if items is None or found.paired is None:
        return draws_of(mean, table["variance"].to_numpy(float), found.dof, DRAWS, seed)
    count = items.shape[1]
    times = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), DRAWS)
    runs = found.paired.scale[labels] / table["runs"].to_numpy(float)
    scatter = draws_of(np.zeros(len(mean)), runs, found.paired.dof, DRAWS, seed + 1)
    return np.asarray(times @ items.T / count + scatter)


def _others(table: pd.DataFrame) -> list[Array]:
    """A constant, and a column a further value of what else tells arms apart."""
    columns = [np.ones(len(table))]
    for name in APART:
        codes = pd.factorize(table[name], sort=True, use_na_sentinel=False)[0] if name in table else np.zeros(1)
        columns += [(codes == code).astype(float) for code in range(1, int(codes.max()) + 1)]
    return columns


def _shares(means: Array, weight: Array, others: list[Array], columns: list[Array], share: bool) -> tuple[Array, Array]:
    """(draws, arms) -> shares (draws, 4) of amount, ratio, interaction, rest; partial shares (draws, 2)."""
    a, r = columns
    models = {"": [], "a": [a], "r": [r], "ar": [a, r], "all": [a, r, a * r]}
    rest = {key: _deviance(means, weight, [*others, *use], share) for key, use in models.items()}
    left = {key: value / np.maximum(rest[""], 1e-300) for key, value in rest.items()}
    amount_ = ((1 - left["a"]) + (left["r"] - left["ar"])) / 2
    ratio = ((1 - left["r"]) + (left["a"] - left["ar"])) / 2
    shares = np.stack([amount_, ratio, left["ar"] - left["all"], left["all"]], axis=1)
    return shares, np.stack([left["r"] - left["ar"], left["a"] - left["ar"]], axis=1)


def _deviance(means: Array, weight: Array, columns: list[Array], share: bool) -> Array:
    """The weighted deviance that the columns leave, one entry a draw: binomial for shares, else squares."""
    root = np.sqrt(weight)
    design = np.stack(columns, axis=1)
    if not share:
        left, size, _ = np.linalg.svd(design * root[:, None], full_matrices=False)
        basis = left[:, size > 1e-9 * size.max()]
        scaled = means * root
        return np.asarray(((scaled - scaled @ basis @ basis.T) ** 2).sum(axis=1))
    ridge = 1e-6 * np.eye(design.shape[1])  # for columns that determine each other
    at = np.zeros((len(means), design.shape[1]))
    for _ in range(STEPS):  # Newton's method for all draws at once, from the start of no effect
        fitted = expit(np.clip(at @ design.T, -REACH, REACH))
        bend = np.einsum("dk,ki,kj->dij", weight * np.maximum(fitted * (1 - fitted), 1e-6), design, design)
        slope = ((means - fitted) * weight) @ design - at @ ridge
        at = at + np.linalg.solve(bend + ridge, slope[..., None])[..., 0]
    fitted = np.clip(expit(np.clip(at @ design.T, -REACH, REACH)), 1e-12, 1 - 1e-12)
    gained = xlogy(means, means / fitted) + xlogy(1 - means, (1 - means) / (1 - fitted))
    return np.asarray(2 * (weight * gained).sum(axis=1))
