"""Fit one law to points: the curve, its warnings, its intervals."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from analysis.arrays import Array
from analysis.fitting.coordinates import Coordinates
from analysis.fitting.diagnosis import active_bounds, gradient_norm, notes
from analysis.fitting.fit_setup import STARTS, Prepared, prepared
from analysis.fitting.points import Points
from analysis.fitting.solver import FitProblem, solve
from analysis.fitting.uncertainty import (
    KINDS,
    ONE_ERROR,
    SCALES,
    FitError,
    Prediction,
    profile,
    profiled,
    quantile,
    spread,
)
from analysis.laws.law import LOGARITHMIC, Law

TOLERANCE, ROUGHLY = 1e-9, 1e-4  # of the search for the curve, and of the fits to smaller amounts only
AGREE = 1e-6  # starts agree when their objectives differ by less than this share


@dataclass(frozen=True, eq=False)
class Draws:
    """Bootstrap draws: natural parameters (name -> one entry a draw), and their curves."""

    params: Mapping[str, Array]
    law: Law

    def values(self, x: Mapping[str, ArrayLike]) -> Array:
        """The curve of each draw at the amounts ``x``: (draws, amounts)."""
        amounts = [np.asarray(column, dtype=float) for column in x.values()]
        return np.asarray(self.law.value(*amounts, *(self.params[n][:, None] for n in self.law.names)))


@dataclass(frozen=True, eq=False)
class Curve:
    """A fitted law.

    ``objective`` is the minimised sum; ``warnings`` are codes of `WARNINGS` in analysis/fitting/diagnosis.py, with
    ``:parameter`` where one is meant.
    """

    law: Law
    params: Mapping[str, float]
    objective: float
    starts: int
    agreeing_starts: int
    gradient_norm: float
    warnings: tuple[str, ...]
    points: Points  # those that were fitted
    error: FitError
    problem: FitProblem
    theta: Array

    def predict(self, x: Mapping[str, ArrayLike], level: float = 0.95, kind: str = "mean") -> Prediction:
        """Values at amounts ``x`` with intervals at ``level``.

        ``kind``: "mean" is the curve itself, "new_run" one more training run measured without item noise,
        "new_run_new_items" one more run measured on as many items as before. Without counts the last two cannot be
        told apart and are the same.
        """
        eta, half = self.linked(x, level, kind)
        back = SCALES[self.problem.objective.name].back
        return Prediction(back(eta), back(eta - half), back(eta + half))

    def linked(self, x: Mapping[str, ArrayLike], level: float, kind: str) -> tuple[Array, Array]:
        """Predictions and half-widths on the scale on which intervals are symmetric."""
        if kind not in KINDS:
            raise ValueError(f"kind={kind!r} is unknown; choose one of: {', '.join(KINDS)}")
        scale = SCALES[self.problem.objective.name]
        value, jac = self._at(self._amounts(x))
        slope = scale.slope(value)
        gradient = jac * slope[:, None]
        half = self.error.half_width(gradient, level)
        if kind != "mean":
            half = np.hypot(half, self._scatter(value, slope, level, kind))
        return scale.forward(value), half

    def interval(self, name: str, level: float = 0.95) -> tuple[float, float]:
        """The interval of one parameter.

        By profile; by Student's t for amplitudes (in logarithms), intercepts, and under Huber's objective.
        """
        which = self._free(name)
        parameter = self.problem.space.free[which]
        if np.isnan(self.error.dispersion):
            return float("nan"), float("nan")
        if parameter.pivots or self.problem.objective.name == "huber_log":
            return self._wald(name, level)
        space = self.problem.space
        half = float(self.error.half_width(np.eye(len(self.theta))[which], level))
        scale = float(np.sqrt(self.error.unscaled[which, which]))
        unit = half / scale if scale > 0 else quantile(level, self.error.dof) * math.sqrt(self.error.dispersion)
        if unit == 0:
            return self.params[name], self.params[name]
        ends = profile(self.problem, self.theta, space.low, space.high, which, 0.5 * unit**2, half)
        low, high = (self._natural_end(which, end)[name] for end in ends)
        return low, high

    def profile(self, name: str) -> tuple[Array, Array]:
        """Values of a parameter around its estimate, and the root of how much worse the best fit with it held there is,
        in standard errors. Raises ValueError for a parameter that is not free, or whose error is unknown.
        """
        which = self._free(name)
        scale = float(self.error.half_width(np.eye(len(self.theta))[which], ONE_ERROR))
        if not (np.isfinite(scale) and scale > 0):
            raise ValueError(f"law {self.law.name!r}: the error of {name!r} is unknown, so it has no profile")
        space = self.problem.space
        at, cost = profiled(self.problem, self.theta, space.low, space.high, which, scale)
        rise = np.maximum(cost - float(self.problem.cost(self.theta[None])[0]), 0.0)
        values = [self._natural_end(which, float(end))[name] for end in at]
        return np.array(values), np.sqrt(2 * rise / self.error.dispersion)

    def bootstrap(self, draws: int = 1000, seed: int = 0) -> Draws:
        """Refits under random weights: one exponential weight a group, or a point where no groups are given.

        The Bayesian bootstrap of Rubin 1981 (Ann. Stat. 9): no draw loses an amount, as resampled points would.
        """
        rng = np.random.default_rng(seed)
        group = self.points.group
        label = np.arange(len(self.points)) if group is None else np.unique(group, return_inverse=True)[1]
        weights = rng.exponential(size=(draws, int(label.max()) + 1))
        weights *= weights.shape[1] / weights.sum(axis=1, keepdims=True)
        space = self.problem.space
        problem = replace(self.problem, weight=self.problem.weight * weights[:, label])
        theta, _ = solve(problem, np.tile(self.theta, (draws, 1)), space.low, space.high, steps=60, tolerance=1e-8)
        return Draws({n: np.asarray(v) for n, v in space.natural(theta).items()}, self.law)

    def _free(self, name: str) -> int:
        """The place of a free parameter among the search coordinates."""
        free = [p.name for p in self.problem.space.free]
        if name not in free:
            raise ValueError(f"law {self.law.name!r} has no free parameter {name!r}; it has {', '.join(free)}")
        return free.index(name)

    def _amounts(self, x: Mapping[str, ArrayLike]) -> tuple[Array, ...]:
        absent = [name for name in self.points.x if name not in x]
        if absent:
            raise ValueError(f"predict needs amounts for {', '.join(self.points.x)}; {', '.join(absent)} is absent")
        columns = tuple(np.atleast_1d(np.asarray(x[name], dtype=float)) for name in self.points.x)
        for name, column in zip(self.points.x, columns, strict=True):
            fine = column >= 0 if self.law.allows_zero else column > 0
            if not fine.all():
                least = "at least 0" if self.law.allows_zero else "above 0"
                raise ValueError(f"predict at {name}={column[~fine][0]:g}: amounts must be {least}")
        return columns

    def _at(self, amounts: tuple[Array, ...]) -> tuple[Array, Array]:
        old = self.problem
        value, jac = FitProblem(old.space, old.objective, amounts, old.y, old.trials, old.weight).jacobian(
            self.theta[None]
        )
        return value[0], jac[0]

    def _scatter(self, value: Array, slope: Array, level: float, kind: str) -> Array:
        """Half the width of the interval of one more measurement around a known curve, on the scale of the intervals.

        How runs scatter on the same items is what the dispersion has beyond that of items, so its degrees of freedom
        are fewer (Satterthwaite 1946, Biometrics Bull. 2); and never more than runs and items scatter together.
        """
        t, dispersion = quantile(level, self.error.dof), self.error.dispersion
        if not self.error.counts:
            return np.full_like(value, t * math.sqrt(self.error.noise))
        both = t**2 * max(dispersion, 1.0)
        runs = 0.0
        if dispersion > 1:
            dof = self.error.dof * (1 - 1 / dispersion) ** 2
            runs = min(quantile(level, dof) ** 2 * (dispersion - 1), both)
        items = np.clip(value * (1 - value), 1e-9, None) / self.error.trials * slope**2
        return np.asarray(np.sqrt((runs if kind == "new_run" else both) * items))

    def _wald(self, name: str, level: float) -> tuple[float, float]:
        space = self.problem.space
        positive = space.law.parameters[space.law.names.index(name)].role in LOGARITHMIC
        moved = space.natural(self.theta[None] + 1e-30j * np.eye(len(self.theta)))[name]
        gradient = moved.imag / 1e-30
        value = self.params[name]
        if positive:
            gradient = gradient / value
        half = float(self.error.half_width(gradient, level))
        return (value * math.exp(-half), value * math.exp(half)) if positive else (value - half, value + half)

    def _natural_end(self, which: int, end: float) -> dict[str, float]:
        theta = self.theta.copy()
        theta[which] = end
        return _natural(self.problem.space, theta)


def fit(
    points: Points,
    law: str = "bounded",
    objective: str = "log",
    delta: float = 1e-3,
    seed: int = 0,
    fixed: Mapping[str, float] | None = None,
) -> Curve:
    """The curve of ``law`` that minimises the sum ``objective`` over ``points``.

    ``delta`` belongs to "huber_log"; ``seed`` to the random starts; ``fixed`` fixes parameters, for example ``{"g":
    0.25}``.
    Raises ValueError for an unknown law or objective, values outside the objective's range, and too few distinct
    amounts.
    """
    return refined(prepared(points, law, objective, delta, fixed), seed)[0]


def refined(begun: Prepared, seed: int, ahead: Array | None = None) -> tuple[Curve, Array]:
    """The curve from the best of the refined starts; and, for each row of ``ahead``, the coordinates of a rougher fit
    without the points that are marked there (see `analysis.fitting.rolling_origin`). All are searched in one batch.
    """
    problem, space = begun.problem, begun.problem.space
    jitter = np.random.default_rng(seed).normal(0.0, 0.3, (STARTS - len(begun.first), begun.first.shape[1]))
    first = np.concatenate([begun.first, np.clip(begun.first[0] + jitter, space.low, space.high)])
    weight, least = problem.weight, np.full(STARTS, TOLERANCE)
    if ahead is not None:  # the best start of the grid does for each
        weight = np.concatenate([np.repeat(weight, STARTS, axis=0), np.where(ahead, 0.0, weight)])
        least = np.append(least, np.full(len(ahead), ROUGHLY))
        first = np.concatenate([first, np.tile(first[:1], (len(ahead), 1))])
    theta, cost = solve(replace(problem, weight=weight), first, space.low, space.high, tolerance=least)
    return _curve(begun, theta[:STARTS], cost[:STARTS]), theta[STARTS:]


def _curve(begun: Prepared, reached: Array, costs: Array) -> Curve:
    """The best of the places that the starts reached, with its error and warnings."""
    problem, space = begun.problem, begun.problem.space
    best = int(np.argmin(costs))
    if not np.isfinite(costs[best]):
        raise ValueError(
            f"law {space.law.name!r} has no finite objective at any start; check the values {problem.y[:3]}..."
        )
    theta, cost = reached[best], float(costs[best])
    agreeing = int((costs <= cost + AGREE * abs(cost) + 1e-20 * len(problem.y)).sum())
    here = problem.expand(theta[None])
    active = active_bounds(space, theta, here.gradient[0])
    error = spread(problem, theta, active, begun.points.group)
    norm = gradient_norm(here, active)
    codes = [*begun.codes, *notes(problem, theta, active, error, norm, agreeing * 2 >= STARTS)]
    return Curve(
        space.law,
        _natural(space, theta),
        cost / problem.objective.cost_factor,
        STARTS,
        agreeing,
        norm,
        tuple(codes),
        begun.points,
        error,
        problem,
        theta,
    )


def _natural(space: Coordinates, theta: Array) -> dict[str, float]:
    return {name: float(value[0]) for name, value in space.natural(theta[None]).items()}
