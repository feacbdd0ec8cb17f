"""What all measurements of a curve have in common: they answer the same items, so their errors do not average out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.arrays import Array
from analysis.data.study import Measure
from analysis.fitting.uncertainty import Prediction, Scale, quantile

USUAL_ALIKE = 0.4
"""Correlation between two runs' results on one unknown item, as of difficulties that scatter by 2 logits."""
MOST_RUNS = 60
"""Runs between which the correlation is estimated."""


@dataclass(frozen=True, eq=False)
class SharedItems:
    """The part of the noise of items that is in all measurements of a series.

    ``alike`` is the correlation between two runs' results on one item. The error of one measurement over its items is
    that of ``items`` independent ones for shares of a range; for losses it is relative, ``errors`` at ``amounts``.
    """

    alike: float
    items: float
    amounts: Array
    errors: Array

    def widened(self, band: Prediction, scale: Scale, amounts: Array, level: float = 0.95) -> Prediction:
        """The band of a curve on these items as one on items like them."""
        if np.isfinite(self.items):
            error = np.sqrt(np.clip(band.value * (1 - band.value), 1e-9, None) / self.items) * scale.slope(band.value)
        else:
            error = np.interp(np.log(amounts), np.log(self.amounts), self.errors)
        more = quantile(level, np.inf) * np.sqrt(self.alike) * error
        middle = scale.forward(band.value)
        low, high = (np.hypot(middle - scale.forward(end), more) for end in (band.low, band.high))
        return Prediction(band.value, scale.back(middle - low), scale.back(middle + high))


def alike(measure: Measure) -> float:
    """The mean correlation between trained models' results over the items; `USUAL_ALIKE` where these are not known."""
    rows = measure.trained
    found = measure.item_values(rows.iloc[np.unique(np.linspace(0, len(rows) - 1, MOST_RUNS).astype(int))])
    if found is None:
        return USUAL_ALIKE
    return correlation(found[0])


def correlation(values: Array) -> float:
    """The mean correlation between runs over their items, of values (runs, items); `USUAL_ALIKE` for fewer than two."""
    known = values[~np.isnan(values).any(axis=1)]
    known = known[np.ptp(known, axis=1) > 0] if known.shape[1] else known[:0]
    runs = len(known)
    if runs < 2:
        return USUAL_ALIKE
    standard = (known - known.mean(axis=1, keepdims=True)) / known.std(axis=1, keepdims=True)
    together = float((standard.sum(axis=0) ** 2).mean())
    return float(np.clip((together - runs) / (runs * (runs - 1)), 0.0, 1.0))
