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
MIN_ARMS = 6  # with data of the ability and of others
MIN_RANGE = np.log(1.5)  # of amounts and of ratios: below, rounding of samples makes most of their differences
MAX_CORRELATION = 0.98  # of amount and ratio; beyond it the design cannot tell them apart
TAKEN_OUT = ("strategy", "replay", "params")  # what explains differences between arms besides amount and ratio
STEPS = 12  # of Newton's method
REACH = 30.0  # of logits


@dataclass(frozen=True, eq=False)
class DevianceShares:
    """Shares of the deviance between arms: of own amount, ratio, their interaction, and the rest, in that order.

    ``value``, ``low`` and ``high`` (a 95 % interval) have one entry each: Shapley shares of the main effects, then
    what their interaction adds. ``partial`` holds (value, low, high) of amount given ratio, and of ratio given amount
    (type II). The shares hold for the ranges ``amounts`` and ``ratios`` only.
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
        """The shares in one sentence."""
        amounts = " to ".join(amount(v) for v in self.amounts)
        ratios = " to ".join(f"{v:.3g}" for v in self.ratios)
        shares = [_per_cent(*entry) for entry in zip(self.value, self.low, self.high, strict=True)]
        partial = [_per_cent(*entry) for entry in self.partial]
        return (
            f"{self.about}: given the ratio, own amount ({amounts} samples) explains {partial[0]} of the deviance; "
            f"given the amount, the ratio to other data ({ratios}) explains {partial[1]}. With what they have in "
            f"common shared out (Shapley): amount {shares[0]}, ratio {shares[1]}, their interaction {shares[2]}. Over "
            "other ranges the shares would differ."
        )


def _per_cent(value: float, low: float, high: float) -> str:
    value, low, high = (round(100 * part) for part in (value, low, high))
    return f"{value} % ({low} to {high})"


def amount_or_ratio(arms: ArmMeans, seed: int = 0) -> DevianceShares | None:
    """The shares of the deviance over the arms of mixed training; None where too few arms vary both.

    The deviance is binomial with a logit link for shares and ratings, a sum of squares for other merits. It is
    explained by centred logarithms of own amount and of own to other data, and by their product, the interaction.
    Shapley shares (Lindeman, Merenda and Gold 1980) are over the two main effects; the interaction comes last. What
    strategy, replay and model size explain is taken out first. Intervals follow from draws of the arms' means: of
    items, drawn anew for all arms together where they are known, and of runs.
    """
    table = arms.table
    if not {"samples", "total_samples"} <= set(table) or not np.isfinite(table["variance"]).all():
        return None
    table = table[(table["samples"] > 0) & (table["total_samples"] > table["samples"])]
    own = table["samples"].to_numpy(float)
    ratio = own / (table["total_samples"].to_numpy(float) - own)
    logs = [np.log(own), np.log(ratio)]
    if len(table) < MIN_ARMS or min(map(np.ptp, logs)) < MIN_RANGE or abs(np.corrcoef(*logs)[0, 1]) > MAX_CORRELATION:
        return None
    columns = [column - column.mean() for column in logs]
    mean, variance = table["mean"].to_numpy(float), table["variance"].to_numpy(float)
    bounded = arms.metric.bounded
    near = np.clip(mean, 0.005, 0.995)
    weight = (near * (1 - near) if bounded else 1.0) / np.maximum(variance, 1e-300)
    drawn = np.concatenate([mean[None], _draws(arms, table, seed)])
    shares, partial = _shares(np.clip(drawn, 0, 1) if bounded else drawn, weight, _taken_out(table), columns, bounded)
    ranges = [(float(v.min()), float(v.max())) for v in (own, ratio)]
    middle, low, high = _interval(partial)
    of_amount, of_ratio = ((float(middle[k]), float(low[k]), float(high[k])) for k in (0, 1))
    return DevianceShares(arms.name, *_interval(shares), (of_amount, of_ratio), ranges[0], ranges[1])


def _interval(drawn: Array) -> tuple[Array, Array, Array]:
    """The first row, and the interval of the other rows, widened to hold the first."""
    ends = np.quantile(drawn[1:], [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    return drawn[0], np.minimum(ends[0], drawn[0]), np.maximum(ends[1], drawn[0])


def _draws(arms: ArmMeans, table: pd.DataFrame, seed: int) -> Array:
    """Draws (draws, arms) of the means."""
    labels = [int(i) for i in table.index]
    mean, items = table["mean"].to_numpy(float), arms.items_of(labels)
    if items is None or arms.scatter is None:
        return draws_of(mean, table["variance"].to_numpy(float), arms.dof, DRAWS, seed)
    count = items.shape[1]
    times = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), DRAWS)
    runs = arms.scatter.beyond_items[labels] / table["runs"].to_numpy(float)
    scatter = draws_of(np.zeros(len(mean)), runs, arms.scatter.dof, DRAWS, seed + 1)
    return np.asarray(times @ items.T / count + scatter)


def _taken_out(table: pd.DataFrame) -> list[Array]:
    """A constant, and one column per further value of the factors to be taken out."""
    columns = [np.ones(len(table))]
    for name in TAKEN_OUT:
        codes = pd.factorize(table[name], sort=True, use_na_sentinel=False)[0] if name in table else np.zeros(1)
        columns += [(codes == code).astype(float) for code in range(1, int(codes.max()) + 1)]
    return columns


def _shares(
    means: Array, weight: Array, taken_out: list[Array], columns: list[Array], bounded: bool
) -> tuple[Array, Array]:
    """Means (draws, arms) -> shares (draws, 4) of amount, ratio, interaction and rest; partial shares (draws, 2)."""
    a, r = columns
    models = {"": [], "a": [a], "r": [r], "ar": [a, r], "all": [a, r, a * r]}
    rest = {key: _deviance(means, weight, [*taken_out, *use], bounded) for key, use in models.items()}
    left = {key: value / np.maximum(rest[""], 1e-300) for key, value in rest.items()}
    amount_ = ((1 - left["a"]) + (left["r"] - left["ar"])) / 2
    ratio = ((1 - left["r"]) + (left["a"] - left["ar"])) / 2
    shares = np.stack([amount_, ratio, left["ar"] - left["all"], left["all"]], axis=1)
    return shares, np.stack([left["r"] - left["ar"], left["a"] - left["ar"]], axis=1)


def _deviance(means: Array, weight: Array, columns: list[Array], bounded: bool) -> Array:
    """The weighted deviance that the columns leave, one entry per draw: binomial where bounded, else of squares."""
    root = np.sqrt(weight)
    design = np.stack(columns, axis=1)
    if not bounded:
        left, size, _ = np.linalg.svd(design * root[:, None], full_matrices=False)
        basis = left[:, size > 1e-9 * size.max()]
        scaled = means * root
        return np.asarray(((scaled - scaled @ basis @ basis.T) ** 2).sum(axis=1))
    ridge = 1e-6 * np.eye(design.shape[1])  # for columns that determine each other
    at = np.zeros((len(means), design.shape[1]))
    for _ in range(STEPS):  # Newton's method for all draws at once, starting at no effect
        fitted = expit(np.clip(at @ design.T, -REACH, REACH))
        bend = np.einsum("dk,ki,kj->dij", weight * np.maximum(fitted * (1 - fitted), 1e-6), design, design)
        slope = ((means - fitted) * weight) @ design - at @ ridge
        at = at + np.linalg.solve(bend + ridge, slope[..., None])[..., 0]
    fitted = np.clip(expit(np.clip(at @ design.T, -REACH, REACH)), 1e-12, 1 - 1e-12)
    gained = xlogy(means, means / fitted) + xlogy(1 - means, (1 - means) / (1 - fitted))
    return np.asarray(2 * (weight * gained).sum(axis=1))
