"""The weighted average of several laws: the default prediction, since no single law extrapolates safely."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from analysis.arrays import Array
from analysis.fitting.curve import Curve, refine
from analysis.fitting.fit_setup import PreparedFit, prepare
from analysis.fitting.points import Points
from analysis.fitting.rolling_origin import RollingOrigin, held_out_points, rolling_origin
from analysis.fitting.uncertainty import ONE_ERROR, SCALES, Prediction, Scale, quantile


@dataclass(frozen=True, eq=False)
class Average:
    """Curves of several laws with weights that add up to 1.

    ``errors`` (laws,) are the laws' mean square errors beyond the amounts they were fitted to, on the scale of the
    objective (see `RollingOrigin.errors`). With too few amounts to hold any out, ``rolling_origin`` is None and the
    errors are those that make the weights AICc weights. ``weights`` (laws,) are proportional to the inverse errors
    (Bates and Granger 1969, Oper. Res. Q. 20). ``warnings`` are ``law_refused:LAW`` and the curves' own warnings as
    ``LAW:CODE``.
    """

    curves: tuple[Curve, ...]
    weights: Array
    errors: Array
    rolling_origin: RollingOrigin | None
    warnings: tuple[str, ...]

    def predict(self, x: Mapping[str, ArrayLike], level: float = 0.95, kind: str = "mean") -> Prediction:
        """The weighted mean of the curves at the amounts ``x`` (name -> (amounts,)), averaged on `scale`.

        The interval covers each curve's own interval and the disagreement between the curves. A law's weight at an
        amount is the inverse of its error plus its own variance there, so an uncertain extrapolation counts little.
        ``level``, ``kind`` and errors raised are those of `Curve.predict`.
        """
        parts = [curve.on_scale(x, level, kind) for curve in self.curves]
        eta, half = (np.stack(column) for column in zip(*parts, strict=True))
        weight = self._weights_at(x, eta)
        centre = (weight * np.nan_to_num(eta)).sum(axis=0)
        disagreement = quantile(level, np.inf) * np.where(np.isnan(eta), 0.0, eta - centre)
        own = np.where(weight > 0, half, 0.0)
        width = np.sqrt((weight * (own**2 + disagreement**2)).sum(axis=0))
        back = self.scale.back
        return Prediction(back(centre), back(centre - width), back(centre + width))

    def difference(
        self, old: Mapping[str, ArrayLike], new: Mapping[str, ArrayLike], level: float = 0.95
    ) -> tuple[Array, Array]:
        """How far the curve is higher at the amounts ``new`` than at ``old``, with half the width of its interval.

        As `Curve.difference`, averaged with the weights that the laws have at ``new``.
        """
        parts = [curve.difference(old, new, level) for curve in self.curves]
        away, half = (np.stack(column) for column in zip(*parts, strict=True))
        weight = self._weights_at(new, np.stack([curve.on_scale(new, level, "mean")[0] for curve in self.curves]))
        centre = (weight * np.nan_to_num(away)).sum(axis=0)
        disagreement = quantile(level, np.inf) * np.where(np.isnan(away), 0.0, away - centre)
        own = np.where(weight > 0, half, 0.0)
        return centre, np.sqrt((weight * (own**2 + disagreement**2)).sum(axis=0))

    @property
    def scale(self) -> Scale:
        """The scale of the errors, on which intervals are symmetric."""
        return SCALES[self.curves[0].problem.objective.name]

    def aicc_weights(self) -> Array:
        """Akaike weights (laws,) with the correction for few points (see `aicc`), shown beside the weights for
        comparison; equal where the criterion has no value for any law.
        """
        weight = 1 / _errors_from_aicc(self.curves)
        return np.asarray(weight / weight.sum())

    def _weights_at(self, x: Mapping[str, ArrayLike], eta: Array) -> Array:
        """The weight of each curve at each amount, (laws, amounts); 0 where a law has no value."""
        own = np.stack([curve.on_scale(x, ONE_ERROR, "mean")[1] for curve in self.curves])
        with np.errstate(divide="ignore"):
            weight = np.where(np.isfinite(own), 1 / (self.errors[:, None] + np.nan_to_num(own) ** 2), 0.0)
        # Where the error of no curve is known, the laws' own errors alone decide.
        weight = np.where(weight.sum(axis=0) > 0, weight, self.weights[:, None])
        weight = np.where(np.isnan(eta), 0.0, weight)
        with np.errstate(invalid="ignore"):
            return np.asarray(weight / weight.sum(axis=0))


def fit_average(
    points: Points,
    laws: Sequence[str] = ("shifted_power", "bounded", "m4"),
    objective: str = "log",
    delta: float = 1e-3,
    seed: int = 0,
    usual: float | None = None,
) -> Average:
    """Fit each law and weigh it by how well it predicts larger amounts from smaller ones.

    A law that needs more amounts than there are is left out, with the warning ``law_refused:LAW``. ``objective``,
    ``delta`` and ``seed`` are those of `fit`. ``usual`` is the dispersion that the intervals are drawn towards (see
    `FitError.shrunk`); counts have their own.
    Raises ValueError when every law is refused, or for the reasons of `fit`.
    """
    fits, refused = [], {}
    # A refused law is no error as long as another one fits: which laws fit depends on the number of amounts.
    for law in laws:
        try:
            fits.append(prepare(points, law, objective, delta))
        except ValueError as error:
            refused[law] = str(error)
    if not fits:
        reasons = "; ".join(refused.values()) or "laws is empty"
        raise ValueError(f"no law can be fitted: {reasons}")
    curves, origins = _refine(fits, seed)
    if usual is not None:
        curves = [replace(curve, error=replace(curve.error, usual=usual)) for curve in curves]
    warnings = [f"law_refused:{law}" for law in refused]
    warnings += [f"{curve.law.name}:{code}" for curve in curves for code in curve.warnings]
    errors = _errors_from_aicc(curves) if origins is None else origins.errors
    # A law without a finite error still gets a weight above 0, so that the weights stay defined if all are like it.
    errors = np.where(np.isfinite(errors), np.maximum(errors, 1e-20), 1e300)
    return Average(tuple(curves), (1 / errors) / (1 / errors).sum(), errors, origins, tuple(warnings))


def _refine(fits: Sequence[PreparedFit], seed: int) -> tuple[list[Curve], RollingOrigin | None]:
    """The curves, and the rolling-origin errors of their laws where amounts can be held out."""
    windows = held_out_points([fit.problem for fit in fits])
    if windows is None:
        return [refine(fit, seed)[0] for fit in fits], None
    held_out, origins = windows
    curves, reached = zip(*(refine(fit, seed, held_out) for fit in fits), strict=True)
    return list(curves), rolling_origin([fit.problem for fit in fits], reached, held_out, origins)


def _errors_from_aicc(curves: Sequence[Curve]) -> Array:
    """Errors (laws,) whose inverses are proportional to AICc weights (Hurvich and Tsai 1989, Biometrika 76)."""
    score = np.array([aicc(curve) for curve in curves])
    if not np.isfinite(score).any():
        return np.ones(len(curves))
    # In units of the best law's mean square, so that they compare with the variances that a prediction adds.
    unit = min(max(c.problem.objective.cost_factor * c.objective, 1e-20) / len(c.points) for c in curves)
    return np.asarray(unit * np.exp(np.minimum(0.5 * (score - score.min()), 600.0)))


def aicc(curve: Curve) -> float:
    """Akaike's criterion with the correction for few points (Hurvich and Tsai 1989, Biometrika 76); infinite unless
    the points outnumber the parameters by more than one.

    For counts it uses the deviance over the dispersion (quasi-AICc), with a dispersion of at least 1.
    """
    n, free = len(curve.points), len(curve.theta)
    if curve.error.counts:
        misfit, k = curve.objective / max(1.0, np.nan_to_num(curve.error.dispersion, nan=1.0)), free
    else:
        # The variance of the residuals is estimated too, hence one parameter more.
        misfit, k = n * np.log(max(curve.objective, 1e-300) / n), free + 1
    return float(misfit + 2 * k + 2 * k * (k + 1) / (n - k - 1)) if n > k + 1 else float("inf")
