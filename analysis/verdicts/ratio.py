"""Amount against ratio: how much of the variation own amount explains, and how much its ratio to other data."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.points import Array
from analysis.verdicts.arms import Arms
from analysis.verdicts.verdict import LEVEL, draws_of
from analysis.words import amount

DRAWS = 400
FEWEST = 6  # arms with both kinds of data
ALIKE = 0.98  # correlation of amount and ratio beyond which no design tells them apart


@dataclass(frozen=True, eq=False)
class Shares:
    """Shapley shares of the variation that the arms show: own amount, ratio, their interaction, and what is left.

    ``value``, ``low`` and ``high`` have one entry each, in that order. They hold for the ranges given only.
    """

    about: str
    value: Array
    low: Array
    high: Array
    partial: tuple[float, float]  # amount given ratio, ratio given amount (type II)
    amounts: tuple[float, float]
    ratios: tuple[float, float]

    @property
    def sentence(self) -> str:
        amounts = " to ".join(amount(v) for v in self.amounts)
        ratios = " to ".join(f"{v:.3g}" for v in self.ratios)
        parts = [
            f"{100 * v:.0f} % ({100 * low:.0f} to {100 * high:.0f})"
            for v, low, high in zip(self.value, self.low, self.high, strict=True)
        ]
        return (
            f"{self.about}: own amount ({amounts} samples) explains {parts[0]} of what varies, the ratio to other "
            f"data ({ratios}) {parts[1]}, their interaction {parts[2]}; over other ranges the shares would differ."
        )


def amount_or_ratio(found: Arms, seed: int = 0) -> Shares | None:
    """The shares, over the arms of mixed training; None where too few arms vary both.

    Least squares of the (logit or log) mean on the centred logarithms of own amount and of own to other data, weighted
    by the arms' noise; the interaction is their product. Shapley shares of the sums of squares (Lindeman, Merenda and
    Gold 1980) over the two main effects, the interaction last. Intervals from draws of the arms' means.
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
    if found.share:
        near = np.clip(mean, 0.005, 0.995)
        mean, variance = np.log(near / (1 - near)), variance / (near * (1 - near)) ** 2
    weight = 1 / variance
    drawn = draws_of(mean, variance, found.dof, DRAWS, seed)
    value, partial = _shares(mean[None], weight, columns)
    spread, _ = _shares(drawn, weight, columns)
    ends = np.quantile(spread, [(1 - LEVEL) / 2, (1 + LEVEL) / 2], axis=0)
    low, high = np.minimum(ends[0], value[0]), np.maximum(ends[1], value[0])
    ranges = [(float(v.min()), float(v.max())) for v in (own, ratio)]
    first, second = partial[0]
    return Shares(found.name, value[0], low, high, (float(first), float(second)), ranges[0], ranges[1])


def _shares(means: Array, weight: Array, columns: list[Array]) -> tuple[Array, Array]:
    """(draws, arms) -> shares (draws, 4) of amount, ratio, interaction, rest; partial sums of squares (draws, 2)."""
    a, r = columns
    none = _rest(means, weight, [])
    models = {"a": [a], "r": [r], "ar": [a, r], "all": [a, r, a * r]}
    left = {key: _rest(means, weight, use) / none for key, use in models.items()}
    amount_ = ((1 - left["a"]) + (left["r"] - left["ar"])) / 2
    ratio = ((1 - left["r"]) + (left["a"] - left["ar"])) / 2
    shares = np.stack([amount_, ratio, left["ar"] - left["all"], left["all"]], axis=1)
    return shares, np.stack([left["r"] - left["ar"], left["a"] - left["ar"]], axis=1)


def _rest(means: Array, weight: Array, columns: list[Array]) -> Array:
    """The weighted sum of squares that the columns and a constant leave, one entry a draw."""
    root = np.sqrt(weight)
    design = np.stack([np.ones_like(root), *columns], axis=1) * root[:, None]
    basis = np.linalg.qr(design)[0]
    scaled = means * root
    return np.asarray(((scaled - scaled @ basis @ basis.T) ** 2).sum(axis=1))
