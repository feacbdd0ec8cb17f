"""Bounded least squares by damped Gauss-Newton steps (Levenberg 1944; Marquardt 1963), for many starts at a time.

Starts, bootstrap draws and the points of a profile are rows of one batch, so a fit costs a few dozen array operations.
Steps follow curved valleys to second order (geodesic acceleration: Transtrum and Sethna 2012, arXiv 1201.5885) and keep
within the bounds by an active set.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.arrays import Array
from analysis.fitting.coordinates import COMPLEX_STEP, Coordinates, complex_steps
from analysis.fitting.objective import Objective

PROBE = 0.1  # share of a step at which the curvature along it is measured
MAX_CORRECTION = 0.75  # a second-order correction longer than this share of its step is not trusted
FIRST_DAMPING = 1e-3  # relative to the curvature


class Expansion(NamedTuple):
    """The cost around some coordinates to second order, one entry a row of the batch.

    Shapes: cost (batch,), gradient and diagonal (batch, coordinates), hessian (batch, coordinates, coordinates),
    fitted (batch, points), gradient_by_value (batch, coordinates, points). ``hessian`` is that of Gauss and Newton;
    ``diagonal`` is the scale of the damping; ``gradient_by_value`` is what a unit change of a fitted value adds to the
    gradient.
    """

    cost: Array
    gradient: Array
    hessian: Array
    diagonal: Array
    fitted: Array
    gradient_by_value: Array

    def rows(self, which: NDArray[np.bool_]) -> Expansion:
        """The expansion of these rows of the batch."""
        return Expansion(*(column[which] for column in self))

    def instead_of(self, other: Expansion, which: NDArray[np.bool_]) -> Expansion:
        """This expansion in these rows of the batch, another one in the rest; ``other`` may be changed."""
        if which.all():
            return self
        for column, new in zip(other, self, strict=True):
            column[which] = new[which]
        return other


class CoordinatePrior(NamedTuple):
    """A normal prior of the search coordinates: mean (coordinates,), and inverse covariance times the variance of the
    noise (coordinates, coordinates), which has the units of the cost.
    """

    mean: Array
    stiffness: Array


@dataclass(frozen=True, eq=False)
class FitProblem:
    """A law, its search coordinates, and the points that it is fitted to.

    ``x`` has one array (points,) an amount; ``y`` and ``trials`` have the shape (points,). ``weight`` has the shape
    (1, points), or (batch, points) where each row of a batch has weights of its own.
    """

    space: Coordinates
    objective: Objective
    x: tuple[Array, ...]
    y: Array
    trials: Array | None
    weight: Array
    prior: CoordinatePrior | None = None

    def fitted(self, theta: Array) -> Array:
        """Values at the points: (batch, coordinates) -> (batch, points)."""
        params = self.space.natural(theta)
        return np.asarray(self.space.law.value(*self.x, *(params[n][..., None] for n in self.space.law.names)))

    def jacobian(self, theta: Array) -> tuple[Array, Array]:
        """Values (batch, points) and their derivatives by the search coordinates (batch, points, coordinates)."""
        law = self.space.law
        if law.gradient is not None:
            params, moves = self.space.natural_with_slopes(theta)
            value, partial = law.gradient(*self.x, *(params[n][..., None] for n in law.names))
            return value, partial @ moves
        moved = self.fitted(complex_steps(theta))  # (batch, coordinates, points)
        return moved[..., 0, :].real, np.moveaxis(moved.imag / COMPLEX_STEP, -2, -1)

    def cost(self, theta: Array) -> Array:
        """What the solver minimises, (batch,); infinite where the law has no value."""
        with np.errstate(all="ignore"):
            terms = self.weight * self.objective.terms(self.fitted(theta), self.y, self.trials)
            total = self.objective.cost_factor * terms.sum(axis=-1) + self._prior_terms(theta)[0]
        return np.where(np.isfinite(total), total, np.inf)

    def expand(self, theta: Array) -> Expansion:
        """The cost around ``theta`` (batch, coordinates) to second order."""
        with np.errstate(all="ignore"):
            fitted, jac = self.jacobian(theta)
            slope, curvature, damping = self.objective.derivatives(fitted, self.y, self.trials)
            terms = self.weight * self.objective.terms(fitted, self.y, self.trials)
            prior_cost, prior_gradient, stiffness = self._prior_terms(theta)
            total = self.objective.cost_factor * terms.sum(axis=-1) + prior_cost
            gradient = np.matmul((self.weight * slope)[:, None, :], jac)[:, 0, :] + prior_gradient
            jac_t = np.swapaxes(jac, 1, 2)
            by_value = jac_t * (self.weight * curvature)[:, None, :]
            hessian = np.matmul(by_value, jac) + stiffness
            diagonal = np.matmul(jac_t**2, (self.weight * damping)[:, :, None])[..., 0] + np.diag(stiffness)
        return Expansion(np.where(np.isfinite(total), total, np.inf), gradient, hessian, diagonal, fitted, by_value)

    def second_order_gradient(self, theta: Array, step: Array, here: Expansion) -> Array:
        """Twice what the curvature of the residuals along ``step`` adds to the gradient, (batch, coordinates); 0 where
        the law has no value beside ``theta``, whose expansion is ``here``.
        """
        with np.errstate(all="ignore"):
            ends = self.fitted(np.concatenate([theta + PROBE * step, theta - PROBE * step]))
            second = self.objective.second_difference(ends[: len(theta)], here.fitted, ends[len(theta) :]) / PROBE**2
            added = np.matmul(here.gradient_by_value, second[..., None])[..., 0]
        return np.where(np.isfinite(added), added, 0.0)

    def rows(self, index: NDArray[np.intp]) -> FitProblem:
        """The problem for these rows of the batch."""
        return self if len(self.weight) == 1 else replace(self, weight=self.weight[index])

    def _prior_terms(self, theta: Array) -> tuple[Array, Array, Array]:
        """Cost (batch,), gradient (batch, coordinates) and curvature (coordinates, coordinates) of the prior."""
        if self.prior is None:
            return np.zeros(theta.shape[:-1]), np.zeros_like(theta), np.zeros((theta.shape[-1],) * 2)
        distance = theta - self.prior.mean
        gradient = distance @ self.prior.stiffness
        return 0.5 * (gradient * distance).sum(axis=-1), gradient, self.prior.stiffness


def solve(
    problem: FitProblem, start: Array, low: Array, high: Array, steps: int = 200, tolerance: ArrayLike = 1e-9
) -> tuple[Array, Array]:
    """Descend from each row of ``start`` (batch, coordinates): the coordinates and the costs (batch,) reached.

    ``low`` and ``high`` are bounds, (coordinates,) or (batch, coordinates). A row is done when a step gains, or
    promises to gain, less than the share ``tolerance`` (a number, or (batch,)) of its cost, or after ``steps`` steps.
    """
    theta = _between(start, low, high)
    low, high = np.broadcast_to(low, theta.shape), np.broadcast_to(high, theta.shape)
    here = problem.expand(theta)
    reached, cost = theta.copy(), here.cost.copy()
    damping, tolerances = np.full(len(theta), FIRST_DAMPING), np.broadcast_to(tolerance, len(theta))
    live, stays = np.arange(len(theta)), np.isfinite(cost)  # rows that are not done
    for _ in range(steps):
        if not stays.all():
            live, here = live[stays], here.rows(stays)
            theta, damping, tolerances, low, high = (c[stays] for c in (theta, damping, tolerances, low, high))
        if not len(live):
            break
        rows = problem.rows(live)
        step, promised = _step(rows, theta, here, damping[:, None] * here.diagonal, low, high)
        trial = theta + step
        there = rows.expand(trial)
        gain = here.cost - there.cost
        taken = gain > 0
        # Without much damping a step fails only from rounding at a minimum; with more, a shorter step may still gain.
        may_shorten = ~taken & (damping > FIRST_DAMPING) & (damping < 1e8)
        small = (np.where(taken, gain, np.abs(promised)) <= tolerances * here.cost) & ~may_shorten
        # Much gained of what was promised: trust the curvature more; little or nothing: take shorter steps.
        ratio = gain / np.maximum(promised, 1e-300)
        damping = damping * np.where(taken, np.where(ratio > 0.75, 0.3, np.where(ratio > 0.25, 1.0, 3.0)), 3.0)
        damping = _between(damping, 1e-12, 1e16)
        theta = np.where(taken[:, None], trial, theta)
        here = there.instead_of(here, taken)
        reached[live], cost[live] = theta, here.cost
        stays = ~(here.cost <= 1e-28 * len(problem.y)) & ~small
    return reached, cost


def _step(
    problem: FitProblem, theta: Array, here: Expansion, damping: Array, low: Array, high: Array
) -> tuple[Array, Array]:
    """The step of each row within its bounds, (batch, coordinates), and the gain (batch,) that its first-order part
    promises.
    """
    gradient, hessian = here.gradient, here.hessian
    free = ~(((theta <= low) & (gradient >= 0)) | ((theta >= high) & (gradient <= 0)))
    inverse = _damped_inverse(hessian, damping, free)
    step = -np.matmul(inverse, gradient[..., None])[..., 0]
    # A coordinate that would leave its bounds goes to the bound, and the others are solved again with it there. Two
    # rounds are enough in nearly all steps; the clip below takes care of the rest.
    for _ in range(2):
        inside = _between(step, low - theta, high - theta)
        if (inside == step).all():
            break
        free &= inside == step
        to_bound = np.where(free, 0.0, inside)
        inverse = _damped_inverse(hessian, damping, free)
        step = to_bound - np.matmul(inverse, gradient[..., None] + np.matmul(hessian, to_bound[..., None]))[..., 0]
    step = _between(step, low - theta, high - theta)
    promised = -(gradient * step).sum(-1) - 0.5 * (step * np.matmul(hessian, step[..., None])[..., 0]).sum(-1)
    correction = -0.5 * np.matmul(inverse, problem.second_order_gradient(theta, step, here)[..., None])[..., 0]
    length, corrected = ((here.diagonal * vector**2).sum(-1) for vector in (step, correction))
    trusted = 4 * corrected <= MAX_CORRECTION**2 * length
    return _between(step + np.where(trusted[:, None], correction, 0.0), low - theta, high - theta), promised


def _between(value: Array, low: ArrayLike, high: ArrayLike) -> Array:
    """`numpy.clip`, which takes several times as long for arrays of some dozen numbers."""
    return np.asarray(np.minimum(np.maximum(value, low), high))


def _damped_inverse(hessian: Array, damping: Array, free: NDArray[np.bool_]) -> Array:
    """The inverse of each row's damped curvature over its free coordinates; 0 for the others.

    Shapes: (batch, coordinates, coordinates), and (batch, coordinates) for ``damping`` and ``free``.
    """
    both = free[:, :, None] & free[:, None, :]
    diagonal = np.where(free, np.einsum("bii->bi", hessian) + damping + 1e-300, 1.0)
    # Scaled to a unit diagonal first: coordinates differ by orders of magnitude, and inverting would lose digits.
    root = 1 / np.sqrt(diagonal)
    outer = root[:, :, None] * root[:, None, :]
    scaled = np.where(both, hessian * outer, 0.0)
    np.einsum("bii->bi", scaled)[:] = 1 + 1e-14
    return np.where(both, np.linalg.inv(scaled) * outer, 0.0)
