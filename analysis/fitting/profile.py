"""Profiles of a fit: how the best cost rises as one coordinate is fixed away from its estimate (Bates and Watts 1988,
Nonlinear Regression Analysis, chapter 6).
"""

from __future__ import annotations

import numpy as np

from analysis.arrays import Array
from analysis.fitting.solver import FitProblem, solve

# Distances from the estimate in half-widths of the Wald interval: dense around the end that is expected, and far enough
# for ends of strongly curved fits.
DISTANCES = np.concatenate([np.linspace(0.1, 2.0, 12), np.geomspace(2.4, 40.0, 12)])


def profile_interval(
    problem: FitProblem, theta: Array, which: int, limit: float, half_width: float
) -> tuple[float, float]:
    """The ends of the interval of coordinate ``which``: where the cost, minimised over the others, has risen by
    ``limit`` above that at ``theta`` (coordinates,).

    ``half_width`` is a guess of half the interval's width. An end that the points do not determine is the coordinate's
    bound.
    """
    least = float(problem.cost(theta[None])[0])
    ends = []
    for sign, bounds in ((-1.0, problem.space.low), (1.0, problem.space.high)):
        bound = float(bounds[which])
        room = abs(bound - theta[which])
        unit = half_width if np.isfinite(half_width) and half_width > 0 else room / 4
        distances = np.minimum(unit * DISTANCES, room) if np.isfinite(room) else unit * DISTANCES
        at = theta[which] + sign * distances
        cost = _least_costs(problem, theta, which, at)
        ends.append(_crossing(np.append(theta[which], at), np.append(least, cost) - least, limit, bound))
    return ends[0], ends[1]


def profile_costs(problem: FitProblem, theta: Array, which: int, error: float) -> tuple[Array, Array]:
    """Values of coordinate ``which`` around ``theta``, in order, and the least cost with it fixed at each, both
    (values,); ``error`` is its standard error.
    """
    at = theta[which] + error * np.linspace(-3.6, 3.6, 49)
    at = at[(at >= problem.space.low[which]) & (at <= problem.space.high[which])]
    return at, _least_costs(problem, theta, which, at)


def _least_costs(problem: FitProblem, theta: Array, which: int, at: Array) -> Array:
    """The least cost with coordinate ``which`` fixed at each value of ``at``, searched from ``theta``; (values,)."""
    lower, upper = (np.tile(bounds, (len(at), 1)) for bounds in (problem.space.low, problem.space.high))
    lower[:, which] = upper[:, which] = at
    return solve(problem, np.tile(theta, (len(at), 1)), lower, upper, steps=60, tolerance=1e-9)[1]


def _crossing(at: Array, rise: Array, limit: float, bound: float) -> float:
    """Where ``rise`` (values,) first passes ``limit`` along the values ``at``, interpolated; ``bound`` if never.

    The root of a cost is nearly linear in a coordinate, so it is the roots that are interpolated.
    """
    root = np.sqrt(np.maximum(rise, 0.0))
    above = np.flatnonzero(root > np.sqrt(limit))
    if not len(above):
        return bound
    k = int(above[0])
    if not np.isfinite(root[k]):
        return float(at[k])
    fraction = (np.sqrt(limit) - root[k - 1]) / (root[k] - root[k - 1])
    return float(at[k - 1] + fraction * (at[k] - at[k - 1]))
