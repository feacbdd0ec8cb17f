"""The objectives that a fit can minimise: a sum over points, with the derivatives that the solver needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.arrays import Array
from analysis.fitting.points import Points
from analysis.laws.law import Number

OBJECTIVES = ("log", "huber_log", "least_squares", "quasibinomial")
SCORE_MARGIN = 1e-9  # scores nearer to 0 or 1 than this count as this near, so that their logarithms are finite


@dataclass(frozen=True)
class Objective:
    """An objective: one term a point, of which the fit minimises the weighted sum.

    log             (ln fitted - ln value)^2
    huber_log       r^2 / 2 of r = ln fitted - ln value up to |r| = ``delta``, then delta (|r| - delta / 2)
                    (Huber 1964, Ann. Math. Stat. 35; for scaling laws Hoffmann et al. 2022, arXiv 2203.15556)
    least_squares   (fitted - value)^2
    quasibinomial   binomial deviance of value x trials correct answers out of trials, with a dispersion estimated
                    from the residuals (Wedderburn 1974, Biometrika 61)

    A sum rather than a mean, so that the tolerances of the search do not depend on the number of points.
    Raises ValueError for an unknown name and a ``delta`` that is not above 0.
    """

    name: str
    delta: float = 1e-3

    def __post_init__(self) -> None:
        if self.name not in OBJECTIVES:
            raise ValueError(f"objective={self.name!r} is unknown; choose one of: {', '.join(OBJECTIVES)}")
        if not self.delta > 0:
            raise ValueError(f"delta={self.delta} must be above 0")

    @property
    def cost_factor(self) -> float:
        """The solver minimises this factor times the sum: 1/2 for sums of squares and deviances, whose derivatives then
        have no factor 2; 1 for Huber's function, which contains the 1/2.
        """
        return 1.0 if self.name == "huber_log" else 0.5

    def check(self, points: Points) -> None:
        """Raise ValueError for a value that this objective is not defined for, and for missing trials."""
        value = points.value
        if self.name in ("log", "huber_log") and (value <= 0).any():
            worst = value[value <= 0][0]
            raise ValueError(
                f"value {worst:g} has no logarithm; use objective='least_squares', or 'quasibinomial' for scores"
            )
        if self.name != "quasibinomial":
            return
        if points.trials is None:
            raise ValueError("objective='quasibinomial' needs trials: the number of items behind each value")
        if ((value < 0) | (value > 1)).any():
            worst = value[(value < 0) | (value > 1)][0]
            raise ValueError(
                f"value {worst:g} is not a share of items; objective='quasibinomial' needs values from 0 to 1"
            )

    def terms(self, fitted: Number, y: Array, trials: Array | None) -> Array:
        """The terms of the sum, (..., points) as ``fitted``; ``y`` and ``trials`` have the shape (points,)."""
        if self.name == "quasibinomial":
            assert trials is not None
            p = np.clip(fitted, SCORE_MARGIN, 1 - SCORE_MARGIN)
            # y ln y is 0 at y = 0, but its logarithm is not finite there.
            right = np.where(y > 0, y * (np.log(np.maximum(y, SCORE_MARGIN)) - np.log(p)), 0.0)
            wrong = np.where(y < 1, (1 - y) * (np.log(np.maximum(1 - y, SCORE_MARGIN)) - np.log1p(-p)), 0.0)
            return np.asarray(2 * trials * (right + wrong))
        r = self.residual(fitted, y)
        if self.name == "huber_log":
            size = np.abs(r)
            return np.where(size <= self.delta, 0.5 * r * r, self.delta * (size - 0.5 * self.delta))
        return r * r

    def residual(self, fitted: Number, y: Array) -> Array:
        """Fitted minus measured (..., points), in logarithms for the log objectives; infinite where ``fitted`` has no
        logarithm.
        """
        if self.name not in ("log", "huber_log"):
            return np.asarray(fitted - y)
        # Infinite rather than NaN, so that a search backs away from such parameters.
        return np.where(fitted > 0, np.log(np.maximum(fitted, 1e-300)) - np.log(y), np.inf)

    def second_difference(self, up: Array, here: Array, down: Array) -> Array:
        """``r(up) - 2 r(here) + r(down)`` of the residual r, in units of the fitted value: times ``here`` for the log
        objectives, whose residuals change by 1 / ``here`` with the fitted value.
        """
        if self.name in ("log", "huber_log"):
            return np.asarray(here * (np.log(up) + np.log(down) - 2 * np.log(here)))
        return np.asarray(up + down - 2 * here)

    def derivatives(self, fitted: Array, y: Array, trials: Array | None) -> tuple[Array, Array, Array]:
        """Derivatives of `cost_factor` times a term by the fitted value, each (..., points): the slope, the
        Gauss-Newton curvature, and a curvature that is never 0, for the damping.
        """
        if self.name == "quasibinomial":
            assert trials is not None
            p = np.clip(fitted, SCORE_MARGIN, 1 - SCORE_MARGIN)
            information = trials / (p * (1 - p))
            return information * (p - y), information, information
        r = self.residual(fitted, y)
        if self.name == "least_squares":
            return r, np.ones_like(r), np.ones_like(r)
        inverse = 1 / fitted
        if self.name == "log":
            return r * inverse, inverse**2, inverse**2
        # Huber's function has no curvature beyond delta; damping takes that of the parabola with the same slope there.
        size = np.maximum(np.abs(r), 1e-300)
        pull = np.minimum(1.0, self.delta / size)
        return r * pull * inverse, (size <= self.delta) * inverse**2, pull * inverse**2
