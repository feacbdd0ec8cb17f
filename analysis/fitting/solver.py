"""Bounded least squares by damped Gauss-Newton steps (Levenberg and Marquardt's trust region), many problems at a time.

Starts, bootstrap draws and the points of a profile are all rows of one batch, so that a fit costs a few dozen array
operations. Steps follow bent valleys to second order (geodesic acceleration: Transtrum and Sethna 2012, arXiv
1201.5885) and keep within the bounds by an active set.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.arrays import Array
from analysis.fitting.coordinates import Coordinates
from analysis.fitting.objective import Objective

STEP = 1e-30  # of the complex-step derivative: exact to rounding, as nothing is subtracted
PROBE = 0.1  # share of a step at which its bend is measured
BEND = 0.75  # a second-order correction longer than this share of its step is not trusted


class Expansion(NamedTuple):
    """The cost around some coordinates, one entry a member of the batch; ``diagonal`` is the scale of the damping."""

    cost: Array
    gradient: Array
    hessian: Array  # Gauss-Newton's
    diagonal: Array
    fitted: Array
    lever: Array  # (batch, parameters, points): what a change of a fitted value adds to the gradient


@dataclass(frozen=True, eq=False)
class Problem:
    """A law, its coordinates and the points it is fitted to.

    ``weight`` has one row, or one row a member of the batch.
    """

    space: Coordinates
    objective: Objective
    x: tuple[Array, ...]
    y: Array
    trials: Array | None
    weight: Array
    prior: tuple[Array, Array] | None = None  # mean of the coordinates, and stiffness (a matrix) in units of the cost

    def fitted(self, theta: Array) -> Array:
        """Values at the points: (batch, free parameters) -> (batch, points)."""
        params = self.space.natural(theta)
        return np.asarray(self.space.law.value(*self.x, *(params[n][..., None] for n in self.space.law.names)))

    def jacobian(self, theta: Array) -> tuple[Array, Array]:
        """Values (batch, points) and their derivatives by the search coordinates (batch, points, free parameters)."""
        size = theta.shape[-1]
        if self.space.law.gradient is not None:
            moved_params = self.space.natural(theta[..., None, :] + 1j * STEP * np.eye(size))
            natural = np.stack([moved_params[n] for n in self.space.law.names], axis=-1)  # (batch, search, parameters)
            here = natural[..., 0, :].real
            value, partial = self.space.law.gradient(*self.x, *(here[..., i, None] for i in range(here.shape[-1])))
            return value, partial @ np.swapaxes(natural.imag / STEP, -1, -2)
        moved = self.fitted(theta[..., None, :] + 1j * STEP * np.eye(size))  # (batch, parameters, points)
        return moved[..., 0, :].real, np.moveaxis(moved.imag / STEP, -2, -1)

    def cost(self, theta: Array) -> Array:
        """What the solver minimises, one entry a member of the batch; infinite where the law has no value."""
        with np.errstate(all="ignore"):
            terms = self.weight * self.objective.terms(self.fitted(theta), self.y, self.trials)
            total = self.objective.half * terms.sum(axis=-1) + self._prior(theta)[0]
        return np.where(np.isfinite(total), total, np.inf)

    def quadratic(self, theta: Array) -> tuple[Array, Array, Array]:
        """Gradient, Gauss-Newton curvature, and the diagonal for damping."""
        return self.expand(theta)[1:4]

    def expand(self, theta: Array) -> Expansion:
        """The cost to second order."""
        with np.errstate(all="ignore"):
            fitted, jac = self.jacobian(theta)
            slope, curve, damping = self.objective.derivatives(fitted, self.y, self.trials)
            terms = self.weight * self.objective.terms(fitted, self.y, self.trials)
            prior, pull, stiff = self._prior(theta)
            total = self.objective.half * terms.sum(axis=-1) + prior
            gradient = np.matmul((self.weight * slope)[:, None, :], jac)[:, 0, :] + pull
            across = np.swapaxes(jac, 1, 2)
            lever = across * (self.weight * curve)[:, None, :]
            hessian = np.matmul(lever, jac) + stiff
            diagonal = np.matmul(across**2, (self.weight * damping)[:, :, None])[..., 0] + np.diag(stiff)
        return Expansion(np.where(np.isfinite(total), total, np.inf), gradient, hessian, diagonal, fitted, lever)

    def bend(self, theta: Array, step: Array, fitted: Array, lever: Array) -> Array:
        """What the curvature of the residuals along ``step`` adds to the gradient, twice; 0 where it has no value."""
        with np.errstate(all="ignore"):
            ends = self.fitted(np.concatenate([theta + PROBE * step, theta - PROBE * step]))
            second = self.objective.second(ends[: len(theta)], fitted, ends[len(theta) :]) / PROBE**2
            added = np.matmul(lever, second[..., None])[..., 0]
        return np.where(np.isfinite(added), added, 0.0)

    def rows(self, keep: NDArray[np.intp]) -> Problem:
        """The problem for some members of the batch."""
        return self if len(self.weight) == 1 else replace(self, weight=self.weight[keep])

    def _prior(self, theta: Array) -> tuple[Array, Array, Array]:
        """Cost, gradient and curvature of the priors."""
        if self.prior is None:
            return np.zeros(theta.shape[:-1]), np.zeros_like(theta), np.zeros((theta.shape[-1],) * 2)
        mean, stiff = self.prior
        away = theta - mean
        pull = away @ stiff
        return 0.5 * (pull * away).sum(axis=-1), pull, stiff


def solve(
    problem: Problem, start: Array, low: Array, high: Array, steps: int = 200, tolerance: ArrayLike = 1e-9
) -> tuple[Array, Array]:
    """Descend from each row of ``start`` within the bounds (one row, or one each): coordinates and costs reached.

    A row is done when a step gains, or promises to gain, less than ``tolerance`` (one, or one each) of the cost.
    """
    theta = np.clip(start, low, high)
    low, high = np.broadcast_to(low, theta.shape), np.broadcast_to(high, theta.shape)
    state = problem.expand(theta)
    cost = state.cost
    damp, least = np.full(len(theta), 1e-3), np.broadcast_to(tolerance, len(theta))
    live = np.flatnonzero(np.isfinite(cost))
    for _ in range(steps):
        if not len(live):
            break
        here, rows = Expansion(*(a[live] for a in state)), problem.rows(live)
        step, promised = _step(rows, theta[live], here, damp[live, None] * here.diagonal, low[live], high[live])
        trial = theta[live] + step
        reached = rows.expand(trial)
        gain = here.cost - reached.cost
        taken = gain > 0
        shorten = ~taken & (damp[live] > 1e-3) & (damp[live] < 1e8)  # may gain yet, by a shorter step
        small = (np.where(taken, gain, np.abs(promised)) <= least[live] * here.cost) & ~shorten
        ratio = gain / np.maximum(promised, 1e-300)
        damp[live] *= np.where(taken, np.where(ratio > 0.75, 0.3, np.where(ratio > 0.25, 1.0, 3.0)), 3.0)
        damp[live] = np.clip(damp[live], 1e-12, 1e16)
        theta[live[taken]] = trial[taken]
        for kept, new in zip(state, reached, strict=True):
            kept[live[taken]] = new[taken]
        exact = cost[live] <= 1e-28 * len(problem.y)
        live = live[~(exact | small)]
    return theta, cost


def _step(
    problem: Problem, theta: Array, here: Expansion, damping: Array, low: Array, high: Array
) -> tuple[Array, Array]:
    """The step of each row within its bounds, and the gain that its first-order part promises."""
    gradient, hessian = here.gradient, here.hessian
    free = ~(((theta <= low) & (gradient >= 0)) | ((theta >= high) & (gradient <= 0)))
    inverse = _inverse(hessian, damping, free)
    step = -np.matmul(inverse, gradient[..., None])[..., 0]
    for _ in range(2):  # what would leave its bounds goes to the bound, and the rest makes the best of it
        inside = np.clip(step, low - theta, high - theta)
        if (inside == step).all():
            break
        free &= inside == step
        fixed = np.where(free, 0.0, inside)
        inverse = _inverse(hessian, damping, free)
        step = fixed - np.matmul(inverse, gradient[..., None] + np.matmul(hessian, fixed[..., None]))[..., 0]
    step = np.clip(step, low - theta, high - theta)
    promised = -(gradient * step).sum(-1) - 0.5 * (step * np.matmul(hessian, step[..., None])[..., 0]).sum(-1)
    more = -0.5 * np.matmul(inverse, problem.bend(theta, step, here.fitted, here.lever)[..., None])[..., 0]
    trusted = (4 * here.diagonal * more**2).sum(-1) <= BEND**2 * (here.diagonal * step**2).sum(-1)
    return np.clip(step + np.where(trusted[:, None], more, 0.0), low - theta, high - theta), promised


def _inverse(hessian: Array, damping: Array, free: NDArray[np.bool_]) -> Array:
    """The inverse of each row's damped curvature over its free coordinates; 0 for the others."""
    both = free[:, :, None] & free[:, None, :]
    diagonal = np.where(free, np.einsum("bii->bi", hessian) + damping + 1e-300, 1.0)
    root = 1 / np.sqrt(diagonal)
    outer = root[:, :, None] * root[:, None, :]
    scaled = np.where(both, hessian * outer, 0.0)
    np.einsum("bii->bi", scaled)[:] = 1 + 1e-14
    return np.where(both, np.linalg.inv(scaled) * outer, 0.0)
