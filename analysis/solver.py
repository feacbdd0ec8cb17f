"""Bounded least squares by damped Gauss-Newton steps (Levenberg and Marquardt's trust region), many problems at a time.

Starts, bootstrap draws and the points of a profile are all rows of one batch, so that a fit costs a few dozen array
operations.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from analysis.coordinates import Coordinates
from analysis.objective import Objective
from analysis.points import Array

STEP = 1e-30  # of the complex-step derivative: exact to rounding, as nothing is subtracted


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
    prior: tuple[Array, Array] | None = None  # mean and stiffness (0 for none) of each coordinate, in units of the cost

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
        return self.expand(theta)[1:]

    def expand(self, theta: Array) -> tuple[Array, Array, Array, Array]:
        """`cost` and `quadratic` at once."""
        with np.errstate(all="ignore"):
            fitted, jac = self.jacobian(theta)
            slope, curve, damping = self.objective.derivatives(fitted, self.y, self.trials)
            terms = self.weight * self.objective.terms(fitted, self.y, self.trials)
            prior, pull, stiff = self._prior(theta)
            total = self.objective.half * terms.sum(axis=-1) + prior
            gradient = np.matmul((self.weight * slope)[:, None, :], jac)[:, 0, :] + pull
            across = np.swapaxes(jac, 1, 2)
            hessian = np.matmul(across * (self.weight * curve)[:, None, :], jac) + stiff[:, None] * np.eye(len(stiff))
            diagonal = np.matmul(across**2, (self.weight * damping)[:, :, None])[..., 0] + stiff
        return np.where(np.isfinite(total), total, np.inf), gradient, hessian, diagonal

    def rows(self, keep: NDArray[np.intp]) -> Problem:
        """The problem for some members of the batch."""
        return self if len(self.weight) == 1 else replace(self, weight=self.weight[keep])

    def _prior(self, theta: Array) -> tuple[Array, Array, Array]:
        """Cost, gradient and curvature of the priors."""
        if self.prior is None:
            return np.zeros(theta.shape[:-1]), np.zeros_like(theta), np.zeros(theta.shape[-1])
        mean, stiff = self.prior
        away = theta - mean
        return 0.5 * (stiff * away**2).sum(axis=-1), stiff * away, stiff


def solve(
    problem: Problem, start: Array, low: Array, high: Array, steps: int = 200, tolerance: float = 1e-10
) -> tuple[Array, Array]:
    """Descend from each row of ``start`` within the bounds (one row, or one each): coordinates and costs reached.

    A row is done when steps gain, or promise to gain, less than ``tolerance`` of the cost twice in a row.
    """
    theta = np.clip(start, low, high)
    low, high = np.broadcast_to(low, theta.shape), np.broadcast_to(high, theta.shape)
    cost, gradient, hessian, diagonal = problem.expand(theta)
    damp = np.full(len(theta), 1e-3)
    idle = np.zeros(len(theta), dtype=int)
    live = np.flatnonzero(np.isfinite(cost))
    for _ in range(steps):
        if not len(live):
            break
        here, pull, curve = theta[live], gradient[live], hessian[live]
        step = _step(here, pull, curve, damp[live, None] * diagonal[live], low[live], high[live])
        trial = np.clip(here + step, low[live], high[live])
        reached = problem.rows(live).expand(trial)
        step = trial - here
        promised = -(pull * step).sum(-1) - 0.5 * np.matmul(step[:, None, :], curve @ step[..., None])[:, 0, 0]
        gain = cost[live] - reached[0]
        taken = gain > 0
        shorten = ~taken & (damp[live] > 1e-3) & (damp[live] < 1e8)  # may gain yet, by a shorter step
        small = (np.where(taken, gain, promised) <= tolerance * cost[live]) & ~shorten
        ratio = gain / np.maximum(promised, 1e-300)
        damp[live] *= np.where(taken, np.where(ratio > 0.75, 0.1, np.where(ratio > 0.25, 1.0, 3.0)), 6.0)
        damp[live] = np.clip(damp[live], 1e-12, 1e16)
        theta[live[taken]] = trial[taken]
        for kept, new in zip((cost, gradient, hessian, diagonal), reached, strict=True):
            kept[live[taken]] = new[taken]
        idle[live] = np.where(small, idle[live] + 1, np.where(taken, 0, idle[live]))
        exact = cost[live] <= 1e-28 * len(problem.y)
        live = live[~(exact | (idle[live] >= 2))]
    return theta, cost


def _step(theta: Array, gradient: Array, hessian: Array, damping: Array, low: Array, high: Array) -> Array:
    """The damped Gauss-Newton step of each row; coordinates that press against a bound stay."""
    free = ~(((theta <= low) & (gradient >= 0)) | ((theta >= high) & (gradient <= 0)))
    size = theta.shape[-1]
    both = free[:, :, None] & free[:, None, :]
    eye = np.eye(size)
    matrix = np.where(both, hessian, 0.0) + eye * np.where(free, damping + 1e-300, 1.0)[:, :, None]
    root = 1 / np.sqrt(np.maximum(np.einsum("bii->bi", matrix), 1e-300))
    scaled = matrix * root[:, :, None] * root[:, None, :] + 1e-14 * eye
    return np.asarray(-root * np.linalg.solve(scaled, (root * np.where(free, gradient, 0.0))[..., None])[..., 0])
