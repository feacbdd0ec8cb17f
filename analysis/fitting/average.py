"""The weighted average of several laws: the default prediction, as no single form is safe to extrapolate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from analysis.arrays import Array
from analysis.fitting.curve import Curve, refined
from analysis.fitting.fit_setup import Prepared, prepared
from analysis.fitting.points import Points
from analysis.fitting.rolling_origin import Rollout, windows
from analysis.fitting.rolling_origin import rollout as roll
from analysis.fitting.uncertainty import ONE_ERROR, SCALES, Prediction, Scale, quantile


@dataclass(frozen=True, eq=False)
class Average:
    """Curves with weights that add up to 1. The interval holds each curve's own and the disagreement between them.

    ``errors`` are the curves' mean square errors beyond the amounts they were fitted to, on the scale of the
    objective (from ``rollout``); where there are too few amounts for that, AICc weights stand in for them.
    ``weights`` are their inverses (Bates and Granger 1969, Oper. Res. Q. 20). A prediction also adds to each error the
    curve's own variance there, so that a law has the less say the less it knows at that amount.
    """

    curves: tuple[Curve, ...]
    weights: Array
    errors: Array
    rollout: Rollout | None
    warnings: tuple[str, ...]

    def predict(self, x: Mapping[str, ArrayLike], level: float = 0.95, kind: str = "mean") -> Prediction:
        """As `Curve.predict`, averaged on the scale on which intervals are symmetric."""
        parts = [curve.linked(x, level, kind) for curve in self.curves]
        eta, half = (np.stack(column) for column in zip(*parts, strict=True))
        share = self._shares(x, eta)
        centre = (share * np.nan_to_num(eta)).sum(axis=0)
        apart = quantile(level, np.inf) * np.where(np.isnan(eta), 0.0, eta - centre)
        own = np.where(share > 0, half, 0.0)
        width = np.sqrt((share * (own**2 + apart**2)).sum(axis=0))
        back = self.scale.back
        return Prediction(back(centre), back(centre - width), back(centre + width))

    @property
    def scale(self) -> Scale:
        """The scale of errors and of the intervals' symmetry."""
        return SCALES[self.curves[0].problem.objective.name]

    def aicc_weights(self) -> Array:
        """Weights by Akaike's criterion with the correction for few points, the second score; alike where it has no
        value for any law.
        """
        share = 1 / _from_aicc(self.curves)
        return np.asarray(share / share.sum())

    def _shares(self, x: Mapping[str, ArrayLike], eta: Array) -> Array:
        """The weight of each curve at each amount; none where a law has no value."""
        own = np.stack([curve.linked(x, ONE_ERROR, "mean")[1] for curve in self.curves])
        with np.errstate(divide="ignore"):
            share = np.where(np.isfinite(own), 1 / (self.errors[:, None] + np.nan_to_num(own) ** 2), 0.0)
        share = np.where(share.sum(axis=0) > 0, share, self.weights[:, None])
        share = np.where(np.isnan(eta), 0.0, share)
        with np.errstate(invalid="ignore"):
            return np.asarray(share / share.sum(axis=0))


def fit_average(
    points: Points,
    laws: Sequence[str] = ("shifted_power", "bounded", "m4"),
    objective: str = "log",
    delta: float = 1e-3,
    seed: int = 0,
) -> Average:
    """Fit each law and weigh it by how well it predicts larger amounts from smaller ones.

    A law that needs more amounts than there are is left out, with the warning ``law_refused:NAME``.
    Raises ValueError when every law is refused, or for the reasons of `fit`.
    """
    begun, refused = [], {}
    for law in laws:
        try:
            begun.append(prepared(points, law, objective, delta))
        except ValueError as error:
            refused[law] = str(error)
    if not begun:
        reasons = "; ".join(refused.values()) or "laws is empty"
        raise ValueError(f"no law can be fitted: {reasons}")
    curves, rollout = _refine(begun, seed)
    notes = [f"law_refused:{law}" for law in refused]
    notes += [f"{curve.law.name}:{code}" for curve in curves for code in curve.warnings]
    errors = _from_aicc(curves) if rollout is None else rollout.errors
    errors = np.where(np.isfinite(errors), np.maximum(errors, 1e-20), 1e300)
    return Average(tuple(curves), (1 / errors) / (1 / errors).sum(), errors, rollout, tuple(notes))


def _refine(begun: Sequence[Prepared], seed: int) -> tuple[list[Curve], Rollout | None]:
    """The curves, and how they would have done beyond smaller amounts."""
    origins = windows([b.problem for b in begun])
    if origins is None:
        return [refined(b, seed)[0] for b in begun], None
    ahead, largest = origins
    curves, reached = zip(*(refined(b, seed, ahead) for b in begun), strict=True)
    return list(curves), roll([b.problem for b in begun], reached, ahead, largest)


def _from_aicc(curves: Sequence[Curve]) -> Array:
    """Errors whose inverses are in proportion to AICc weights (Hurvich and Tsai 1989, Biometrika 76)."""
    score = np.array([aicc(curve) for curve in curves])
    if not np.isfinite(score).any():
        return np.ones(len(curves))
    spread = min(max(c.problem.objective.half * c.objective, 1e-20) / len(c.points) for c in curves)
    return np.asarray(spread * np.exp(np.minimum(0.5 * (score - score.min()), 600.0)))


def aicc(curve: Curve) -> float:
    """Akaike's criterion with the correction for few points; infinite where points do not outnumber parameters by 2.

    For counts from the deviance over the dispersion (quasi-AICc, which never takes a dispersion below 1).
    """
    n, free = len(curve.points), len(curve.theta)
    if curve.spread.counts:
        least, k = curve.objective / max(1.0, np.nan_to_num(curve.spread.dispersion, nan=1.0)), free
    else:
        least, k = n * np.log(max(curve.objective, 1e-300) / n), free + 1
    return float(least + 2 * k + 2 * k * (k + 1) / (n - k - 1)) if n > k + 1 else float("inf")
