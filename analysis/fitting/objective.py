"""What a fit minimises: a sum over points, with the derivatives that the solver needs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.arrays import Array
from analysis.fitting.points import Points
from analysis.laws.law import Number

OBJECTIVES = ("log", "huber_log", "least_squares", "quasibinomial")
SMALL = 1e-9  # scores nearer to 0 or 1 than this count as this near


@dataclass(frozen=True)
class Objective:
    """One term a point; the fit minimises their weighted sum (never a mean).

    log             (ln fitted - ln value)^2
    huber_log       Huber's function of ln fitted - ln value: r^2/2 up to ``delta``, then delta (|r| - delta/2)
    least_squares   (fitted - value)^2
    quasibinomial   binomial deviance of value x trials correct out of trials
    """

    name: str
    delta: float = 1e-3

    def __post_init__(self) -> None:
        if self.name not in OBJECTIVES:
            raise ValueError(f"objective={self.name!r} is unknown; choose one of: {', '.join(OBJECTIVES)}")
        if not self.delta > 0:
            raise ValueError(f"delta={self.delta} must be above 0")

    @property
    def half(self) -> float:
        """The solver minimises ``half`` times the sum, so that its curvature is that of a sum of squares."""
        return 1.0 if self.name == "huber_log" else 0.5

    def check(self, points: Points) -> None:
        """Raise ValueError where a value cannot enter this objective."""
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
        """The terms of the sum, of the shape of ``fitted`` (..., points)."""
        if self.name == "quasibinomial":
            assert trials is not None
            p = np.clip(fitted, SMALL, 1 - SMALL)
            right = np.where(y > 0, y * (np.log(np.maximum(y, SMALL)) - np.log(p)), 0.0)
            wrong = np.where(y < 1, (1 - y) * (np.log(np.maximum(1 - y, SMALL)) - np.log1p(-p)), 0.0)
            return np.asarray(2 * trials * (right + wrong))
        r = self.residual(fitted, y)
        if self.name == "huber_log":
            size = np.abs(r)
            return np.where(size <= self.delta, 0.5 * r * r, self.delta * (size - 0.5 * self.delta))
        return r * r

    def residual(self, fitted: Number, y: Array) -> Array:
        """Fitted minus measured, in logarithms for the log objectives; infinite where fitted has no logarithm."""
        if self.name not in ("log", "huber_log"):
            return np.asarray(fitted - y)
        return np.where(fitted > 0, np.log(np.maximum(fitted, 1e-300)) - np.log(y), np.inf)

    def second(self, up: Array, here: Array, down: Array) -> Array:
        """The second difference of the residual from ``down`` over ``here`` to ``up``, in units of the fitted value."""
        if self.name in ("log", "huber_log"):
            return np.asarray(here * (np.log(up) + np.log(down) - 2 * np.log(here)))
        return np.asarray(up + down - 2 * here)

    def derivatives(self, fitted: Array, y: Array, trials: Array | None) -> tuple[Array, Array, Array]:
        """Of ``half`` times a term, by the fitted value: slope, Gauss-Newton curvature, and one that is never 0."""
        if self.name == "quasibinomial":
            assert trials is not None
            p = np.clip(fitted, SMALL, 1 - SMALL)
            information = trials / (p * (1 - p))
            return information * (p - y), information, information
        r = self.residual(fitted, y)
        if self.name == "least_squares":
            return r, np.ones_like(r), np.ones_like(r)
        inverse = 1 / fitted
        if self.name == "log":
            return r * inverse, inverse**2, inverse**2
        size = np.maximum(np.abs(r), 1e-300)
        pull = np.minimum(1.0, self.delta / size)
        return r * pull * inverse, (size <= self.delta) * inverse**2, pull * inverse**2
