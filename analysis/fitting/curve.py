"""Fit one law to points: the curve with its warnings, predictions, intervals, profiles and bootstrap draws."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from analysis.arrays import Array
from analysis.fitting.coordinates import Coordinates
from analysis.fitting.diagnosis import active_bounds, fit_warnings, gradient_norm
from analysis.fitting.fit_setup import STARTS, PreparedFit, prepare
from analysis.fitting.points import Points
from analysis.fitting.profile import profile_costs, profile_interval
from analysis.fitting.solver import FitProblem, solve
from analysis.fitting.uncertainty import KINDS, ONE_ERROR, SCALES, FitError, Prediction, fit_error, quantile
from analysis.laws.law import LOGARITHMIC, Law

TOLERANCE = 1e-9  # of the search for the curve
ROUGH_TOLERANCE = 1e-4  # of the fits without held-out points, whose errors are far larger than this
AGREEMENT = 1e-6  # starts agree when their objectives differ by less than this share


@dataclass(frozen=True, eq=False)
class Draws:
    """Bootstrap draws of a curve: natural parameters (name -> (draws,))."""

    params: Mapping[str, Array]
    law: Law

    def values(self, x: Mapping[str, ArrayLike]) -> Array:
        """The curve of each draw at the amounts ``x`` (name -> (amounts,)): (draws, amounts)."""
        amounts = [np.asarray(column, dtype=float) for column in x.values()]
        return np.asarray(self.law.value(*amounts, *(self.params[n][:, None] for n in self.law.names)))


@dataclass(frozen=True, eq=False)
class Curve:
    """A fitted law.

    ``params``     natural parameters by name, fixed ones included
    ``objective``  the minimised sum
    ``starts``, ``agreeing_starts``  starts that were refined, and how many of them reach the best objective
    ``gradient_norm``  see `analysis.fitting.diagnosis.gradient_norm`
    ``warnings``   codes of `analysis.fitting.diagnosis.WARNINGS`, as ``CODE:parameter`` where one is meant
    ``points``     the points that were fitted, without those left out
    ``error``, ``problem``, ``theta``  error, problem and search coordinates of the fit
    """

    law: Law
    params: Mapping[str, float]
    objective: float
    starts: int
    agreeing_starts: int
    gradient_norm: float
    warnings: tuple[str, ...]
    points: Points
    error: FitError
    problem: FitProblem
    theta: Array

    def predict(self, x: Mapping[str, ArrayLike], level: float = 0.95, kind: str = "mean") -> Prediction:
        """Values at the amounts ``x`` (name -> (amounts,)) with intervals at ``level``.

        ``kind`` is "mean" for the curve itself, "new_run" for one more training run measured without item noise, or
        "new_run_new_items" for one more run measured on as many items as the points. Losses carry no counts of items,
        so the last two are the same for them.
        Raises ValueError for an unknown kind, a level outside (0, 1), a missing amount, and one outside the law's
        domain.
        """
        eta, half = self.on_scale(x, level, kind)
        back = SCALES[self.problem.objective.name].back
        return Prediction(back(eta), back(eta - half), back(eta + half))

    def on_scale(self, x: Mapping[str, ArrayLike], level: float, kind: str) -> tuple[Array, Array]:
        """As `predict`, but values and half-widths (amounts,) on the scale on which intervals are symmetric."""
        if kind not in KINDS:
            raise ValueError(f"kind={kind!r} is unknown; choose one of: {', '.join(KINDS)}")
        scale = SCALES[self.problem.objective.name]
        value, jac = self._values_at(self._checked_amounts(x))
        slope = scale.slope(value)
        half = self.error.half_width(jac * slope[:, None], level)
        if kind != "mean":
            half = np.hypot(half, self._scatter(value, slope, level, kind))
        return scale.forward(value), half

    def difference(
        self, old: Mapping[str, ArrayLike], new: Mapping[str, ArrayLike], level: float
    ) -> tuple[Array, Array]:
        """Values at the amounts ``new`` minus those at ``old``, and half the widths of their intervals (amounts,).

        Differences of the logarithms of losses, else of the values. What both ends have in common does not count.
        """
        logs = SCALES[self.problem.objective.name].name == "log"
        ends = [self._values_at(self._checked_amounts(x)) for x in (old, new)]
        (first, jac), (last, further) = [(np.log(v), j / v[:, None]) for v, j in ends] if logs else ends
        return last - first, self.error.half_width(further - jac, level)

    def interval(self, name: str, level: float = 0.95) -> tuple[float, float]:
        """The interval of one parameter, NaN where its error is unknown.

        By profile; by Student's t for amplitudes (in logarithms), for intercepts, and under Huber's objective.
        Raises ValueError for a parameter that is not free.
        """
        which = self._index(name)
        parameter = self.problem.space.free[which]
        if np.isnan(self.error.dispersion):
            return float("nan"), float("nan")
        # The coordinate of a centred parameter is its value at the centre, so a profile of it would be of that.
        if parameter.pivots or self.problem.objective.name == "huber_log":
            return self._wald_interval(name, level)
        half = float(self.error.half_width(np.eye(len(self.theta))[which], level))
        scale = float(np.sqrt(self.error.unscaled[which, which]))
        # At a bound the curvature says nothing, and the profile has to find the width by itself.
        unit = half / scale if scale > 0 else quantile(level, self.error.dof) * math.sqrt(self.error.dispersion)
        if unit == 0:  # an exact fit, whose cost rises at once
            return self.params[name], self.params[name]
        low, high = profile_interval(self.problem, self.theta, which, 0.5 * unit**2, half)
        return self._natural_value(name, low), self._natural_value(name, high)

    def profile(self, name: str) -> tuple[Array, Array]:
        """Values of a parameter around its estimate, in order, and how much worse the best fit with it fixed at each
        is: the root of the rise of the objective in standard errors. Both have the shape (values,).

        Raises ValueError for a parameter that is not free, or whose error is unknown.
        """
        which = self._index(name)
        error = float(self.error.half_width(np.eye(len(self.theta))[which], ONE_ERROR))
        if not (np.isfinite(error) and error > 0):
            raise ValueError(f"law {self.law.name!r}: the error of {name!r} is unknown, so it has no profile")
        at, cost = profile_costs(self.problem, self.theta, which, error)
        rise = np.maximum(cost - float(self.problem.cost(self.theta[None])[0]), 0.0)
        values = np.array([self._natural_value(name, float(coordinate)) for coordinate in at])
        return values, np.sqrt(2 * rise / self.error.dispersion)

    def bootstrap(self, draws: int = 1000, seed: int = 0) -> Draws:
        """Refits under random weights: one exponential weight for each group, or for each point without groups.

        The Bayesian bootstrap of Rubin 1981 (Ann. Stat. 9): every draw keeps every amount, unlike resampled points.
        """
        rng = np.random.default_rng(seed)
        group = self.points.group
        label = np.arange(len(self.points)) if group is None else np.unique(group, return_inverse=True)[1]
        weights = rng.exponential(size=(draws, int(label.max()) + 1))
        # With a mean of 1 the weights keep the balance between points and prior.
        weights *= weights.shape[1] / weights.sum(axis=1, keepdims=True)
        space = self.problem.space
        problem = replace(self.problem, weight=self.problem.weight * weights[:, label])
        theta, _ = solve(problem, np.tile(self.theta, (draws, 1)), space.low, space.high, steps=60, tolerance=1e-8)
        return Draws({n: np.asarray(v) for n, v in space.natural(theta).items()}, self.law)

    def _index(self, name: str) -> int:
        """The index of a free parameter among the search coordinates."""
        free = [p.name for p in self.problem.space.free]
        if name not in free:
            raise ValueError(f"law {self.law.name!r} has no free parameter {name!r}; it has {', '.join(free)}")
        return free.index(name)

    def _checked_amounts(self, x: Mapping[str, ArrayLike]) -> tuple[Array, ...]:
        """The amounts in the order of the points; ValueError where one is missing or outside the law's domain."""
        missing = [name for name in self.points.x if name not in x]
        if missing:
            raise ValueError(f"predict needs amounts for {', '.join(self.points.x)}; {', '.join(missing)} is absent")
        columns = tuple(np.atleast_1d(np.asarray(x[name], dtype=float)) for name in self.points.x)
        for name, column in zip(self.points.x, columns, strict=True):
            allowed = column > 0
            if not allowed.all():
                raise ValueError(f"predict at {name}={column[~allowed][0]:g}: amounts must be above 0")
        return columns

    def _values_at(self, amounts: tuple[Array, ...]) -> tuple[Array, Array]:
        """Values (amounts,) and their derivatives by the coordinates (amounts, coordinates)."""
        value, jac = replace(self.problem, x=amounts).jacobian(self.theta[None])
        return value[0], jac[0]

    def _scatter(self, value: Array, slope: Array, level: float, kind: str) -> Array:
        """Half the width of the interval of one more measurement around a known curve, on the scale of the intervals.

        How runs scatter on the same items is what the dispersion has beyond that of items, so its degrees of freedom
        are fewer (Satterthwaite 1946, Biometrics Bull. 2). It is never more than runs and items scatter together.
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

    def _wald_interval(self, name: str, level: float) -> tuple[float, float]:
        """The interval by the curvature at the estimate, symmetric in the logarithm of a positive parameter."""
        space = self.problem.space
        gradient = space.natural_with_slopes(self.theta[None])[1][0, space.law.names.index(name)]
        value = self.params[name]
        if space.law.parameters[space.law.names.index(name)].role in LOGARITHMIC:
            half = float(self.error.half_width(gradient / value, level))
            return value * math.exp(-half), value * math.exp(half)
        half = float(self.error.half_width(gradient, level))
        return value - half, value + half

    def _natural_value(self, name: str, coordinate: float) -> float:
        """The natural value of a free parameter with its own coordinate replaced."""
        theta = self.theta.copy()
        theta[self._index(name)] = coordinate
        return _natural(self.problem.space, theta)[name]


def fit(
    points: Points,
    law: str = "bounded",
    objective: str = "log",
    delta: float = 1e-3,
    seed: int = 0,
    fixed: Mapping[str, float] | None = None,
) -> Curve:
    """The curve of ``law`` (a name in `LAWS`) that minimises ``objective`` (see `Objective`) over ``points``.

    ``delta`` belongs to "huber_log", ``seed`` to the random starts. ``fixed`` fixes parameters at natural values, for
    example ``{"g": 0.25}``.
    Raises ValueError for an unknown law or objective, values outside the objective's domain, and too few distinct
    amounts.
    """
    return refine(prepare(points, law, objective, delta, fixed), seed)[0]


def refine(prepared: PreparedFit, seed: int, held_out: Array | None = None) -> tuple[Curve, Array]:
    """The curve from the best of the refined starts; and the coordinates (origins, coordinates) of a rougher fit for
    each row of ``held_out`` (origins, points), without the points that it marks.
    """
    problem, space = prepared.problem, prepared.problem.space
    # The grid may miss a minimum beside its best value; starts around that value find it.
    jitter = np.random.default_rng(seed).normal(0.0, 0.3, (STARTS - len(prepared.starts), prepared.starts.shape[1]))
    start = np.concatenate([prepared.starts, np.clip(prepared.starts[0] + jitter, space.low, space.high)])
    weight, tolerance = problem.weight, np.full(STARTS, TOLERANCE)
    # All searches run in one batch: most of the time of a fit goes into the calls, not into the rows.
    if held_out is not None:
        weight = np.concatenate([np.repeat(weight, STARTS, axis=0), np.where(held_out, 0.0, weight)])
        tolerance = np.append(tolerance, np.full(len(held_out), ROUGH_TOLERANCE))
        start = np.concatenate([start, np.tile(start[:1], (len(held_out), 1))])
    theta, cost = solve(replace(problem, weight=weight), start, space.low, space.high, tolerance=tolerance)
    return _best_curve(prepared, theta[:STARTS], cost[:STARTS]), theta[STARTS:]


def _best_curve(prepared: PreparedFit, reached: Array, costs: Array) -> Curve:
    """The curve of the least of the ``costs`` (starts,) at the coordinates ``reached``, with its error and warnings."""
    problem, space = prepared.problem, prepared.problem.space
    best = int(np.argmin(costs))
    if not np.isfinite(costs[best]):
        raise ValueError(
            f"law {space.law.name!r} has no finite objective at any start; check the values {problem.y[:3]}..."
        )
    theta, cost = reached[best], float(costs[best])
    # An exact fit has objectives of pure rounding, of which a share means nothing: hence the second tolerance.
    agreeing = int((costs <= cost + AGREEMENT * abs(cost) + 1e-20 * len(problem.y)).sum())
    here = problem.expand(theta[None])
    active = active_bounds(space, theta, here.gradient[0])
    error = fit_error(problem, theta, active, prepared.points.group)
    norm = gradient_norm(here, active)
    codes = [*prepared.warnings, *fit_warnings(problem, theta, active, error, norm, agreeing * 2 >= STARTS)]
    return Curve(
        law=space.law,
        params=_natural(space, theta),
        objective=cost / problem.objective.cost_factor,
        starts=STARTS,
        agreeing_starts=agreeing,
        gradient_norm=norm,
        warnings=tuple(codes),
        points=prepared.points,
        error=error,
        problem=problem,
        theta=theta,
    )


def _natural(space: Coordinates, theta: Array) -> dict[str, float]:
    """The natural parameters at the coordinates ``theta`` (coordinates,)."""
    return {name: float(value[0]) for name, value in space.natural(theta[None]).items()}
