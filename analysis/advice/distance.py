"""How far designs lie from those measured, and how much wider intervals have to be so far away."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.arrays import Array
from analysis.data.apart import SAMPLES

Names = Sequence[str] | NDArray[np.str_]
OWN, OTHER = "own data", "other data"
"""Samples of the ability itself and of all others together; the report's panel has the same names."""
MOST = 60
"""Arms that are predicted from those at a distance; of more, as many in even steps."""
MOST_GIVEN = 300
"""Arms that each of them is predicted from; of more, as many in even steps."""
FEWEST = 4
"""Arms that must be left to predict from, and arms that must be predicted, for a width to be known."""
FAR = 2.0
"""Doublings from the nearest measured cell, from which on a prediction is called far."""
ALIKE = 0.02
"""Shares of the data that differ by less make one proportion."""
NEAREST, AND_FAR, NEVER = "{} from the nearest", ", far", "a strategy never measured, far"
"""A distance in words; the report's panel, which measures its own in the browser, has them from here."""


@dataclass(frozen=True, eq=False)
class Places:
    """Where arms lie: the doublings (arms, parts) of each ability's amount above ``least``, and their strategies.

    ``names`` are the abilities, or `OWN` and `OTHER` where the table does not say how much of each was used.
    """

    names: tuple[str, ...]
    least: float
    doublings: Array
    strategy: Names

    def away(self, amounts: Array, strategy: Names) -> Array:
        """The doublings (cells,) between designs of these amounts (cells, parts) and the nearest arm of their strategy.

        Of each pair the ability counts in which the two differ most. Infinite where the strategy has no arm.
        """
        at = np.log2(1 + amounts / self.least)
        gaps = np.abs(at[:, None, :] - self.doublings[None, :, :]).max(axis=2)
        same = np.asarray(strategy)[:, None] == np.asarray(self.strategy)[None, :]
        return np.asarray(np.where(same, gaps, np.inf).min(axis=1, initial=np.inf))

    def far(self, away: Array) -> NDArray[np.bool_]:
        """Which of these distances (cells,) are far."""
        return np.asarray(away >= FAR)

    def one_proportion(self, strategy: Names) -> NDArray[np.bool_]:
        """Whether the strategy of each cell (cells,) was measured on one mixture alone, in whatever amounts."""
        amounts = np.exp2(self.doublings) - 1
        shares = amounts / np.maximum(amounts.sum(axis=1, keepdims=True), 1e-300)
        mixed = (amounts > 0).sum(axis=1) > 1
        known: dict[str, bool] = {}
        for name in set(map(str, strategy)):
            own = shares[mixed & (np.asarray(self.strategy) == name)]
            known[name] = bool(len(own)) and bool((np.abs(own - own[0]) < ALIKE).all())
        return np.array([known[str(name)] for name in strategy], dtype=bool)


def places(table: pd.DataFrame, least: float, strategy: Names) -> Places:
    """The places of arms; ``least`` is the smallest amount measured."""
    names, amounts = parts_of(table)
    return Places(names, least, np.log2(1 + amounts / least), strategy)


def parts_of(table: pd.DataFrame) -> tuple[tuple[str, ...], Array]:
    """The abilities and how much of each (arms, parts) was used; own and other data where the table tells no more."""
    columns = sorted(str(name) for name in table if str(name).startswith(SAMPLES))
    if columns and table[columns].notna().all(axis=None):
        return tuple(name.removeprefix(SAMPLES) for name in columns), table[columns].to_numpy(float)
    own = table["samples"].to_numpy(float)
    return (OWN, OTHER), np.stack([own, table["total_samples"].to_numpy(float) - own], axis=1)


def amounts_of(table: pd.DataFrame) -> dict[str, Array]:
    """The samples (arms,) of each arm: `OWN`, `OTHER`, and by ability where the table tells."""
    own = table["samples"].to_numpy(float)
    names, amounts = parts_of(table)
    by = dict(zip(names, amounts.T, strict=True)) if names != (OWN, OTHER) else {}
    return {**by, OWN: own, OTHER: table["total_samples"].to_numpy(float) - own}


def stretch(places: Places, away: Array, strategy: Names, kernel: Array, value: Array) -> Array:
    """How many times as wide (cells,) the intervals of cells have to be that lie ``away`` from the nearest arm.

    The arms themselves tell: each is predicted from those that lie at least as far from it, and those of other
    strategies; the answer is the ratio with which 95 % of these predictions hold, at least 1. ``kernel`` (arms, arms)
    includes the noise, ``value`` (arms,) is centred; both in the same units. NaN where the arms do not tell: too few
    lie so far apart, or the strategy was measured on one mixture alone, which says nothing of mixtures far from it.
    """
    whole = np.where(np.isfinite(away), np.ceil(away), np.inf)
    known = {far: _ratio(places, float(far), kernel, value) for far in np.unique(whole)}
    ratio = np.array([known[far] for far in whole])
    return np.where(places.far(away) & places.one_proportion(strategy), np.nan, ratio)


def _ratio(places: Places, far: float, kernel: Array, value: Array) -> float:
    """The ratio at one distance."""
    names = np.asarray(places.strategy)
    standard = []
    for i in np.unique(np.linspace(0, len(value) - 1, min(MOST, len(value))).astype(int)):
        gap = np.abs(places.doublings - places.doublings[i]).max(axis=1)
        kept = np.flatnonzero(((gap >= far) | (names != names[i])) & (np.arange(len(value)) != i))
        kept = kept[np.unique(np.linspace(0, len(kept) - 1, min(MOST_GIVEN, len(kept))).astype(int))]
        if len(kept) < FEWEST or (np.isfinite(far) and not (names[kept] == names[i]).any()):
            continue
        half = np.linalg.solve(kernel[np.ix_(kept, kept)], kernel[kept, i])
        variance = kernel[i, i] - half @ kernel[kept, i]
        standard.append(abs(value[i] - half @ value[kept]) / np.sqrt(max(variance, 1e-12)))
    if len(standard) < FEWEST:
        return float("nan")
    return max(1.0, float(np.quantile(standard, 0.95, method="higher")) / 1.96)


def ratios(places: Places, kernel: Array, value: Array) -> tuple[list[float], float]:
    """The ratios of `stretch` at 0, 1, 2 ... doublings, as far as the arms tell, and that of a strategy never measured.

    Without what `stretch` says of strategies that were measured on one mixture alone.
    """
    found = list[float]()
    while not (found and np.isnan(found[-1])):
        found.append(_ratio(places, float(len(found)), kernel, value))
    return found[:-1], _ratio(places, float("inf"), kernel, value)


def times(away: float) -> str:
    """Doublings as a factor: ``4x``."""
    return f"{2**away:.2g}x" if away < 6 else f"{2**away:,.0f}x"


def distance_words(away: float) -> str:
    """How far a design lies from the nearest arm of its strategy: ``4x from the nearest, far``."""
    return NEAREST.format(times(away)) + (AND_FAR if away >= FAR else "") if np.isfinite(away) else NEVER
