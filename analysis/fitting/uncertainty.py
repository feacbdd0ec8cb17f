"""How sure a fit is: covariance, dispersion, profiles, and bands around predictions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, logit, ndtri, stdtrit

from analysis.arrays import Array
from analysis.fitting.solver import FitProblem, solve

ONE_ERROR = 0.6827  # the level of plus or minus one standard error
KINDS = ("mean", "new_run", "new_run_new_items")
PROFILE = np.concatenate(
    [np.linspace(0.1, 2.0, 12), np.geomspace(2.4, 40.0, 12)]
)  # steps, in half-widths of the Wald interval


@dataclass(frozen=True, eq=False)
class Prediction:
    """Predicted values with the ends of their interval, one entry an amount."""

    value: Array
    low: Array
    high: Array


def quantile(level: float, dof: float) -> float:
    """Student's t (the normal for infinite ``dof``): the half-width of a central interval, in standard errors."""
    if not 0 < level < 1:
        raise ValueError(f"level={level} must lie between 0 and 1, for example 0.95")
    if dof <= 0:
        return float("inf")
    return float(ndtri(0.5 + level / 2) if np.isinf(dof) else stdtrit(dof, 0.5 + level / 2))


@dataclass(frozen=True, eq=False)
class FitError:
    """The error of a fit. ``unscaled`` is the inverse curvature over the search coordinates (0 for those at a bound).

    ``dispersion`` scales it; it is estimated from the residuals with ``dof`` degrees of freedom. ``between`` is what
    groups (seeds) that lie above or below the curve as a whole add to the covariance, estimated from ``groups`` of
    them; zero where there are no groups, or where they differ no more than points do. ``noise`` is the
    variance of one more measurement on the scale of the objective (in logarithms for the log objectives). ``counts``
    marks values that are shares of ``trials`` items (their median): their intervals are never narrower than the items
    alone allow.
    """

    unscaled: Array
    dispersion: float
    noise: float
    dof: float
    counts: bool
    trials: float
    loose: tuple[int, ...]  # coordinates in directions that the points do not determine
    between: Array
    groups: int = 0

    def half_width(self, gradient: Array, level: float) -> Array:
        """Half the width of the interval of quantities with these gradients (..., coordinates).

        The parts of points and groups have a t quantile each (Howe 1974, J. Am. Stat. Assoc. 69): pooled degrees of
        freedom would be high exactly when the few groups happen to lie close together.
        """
        variance = np.einsum("...i,ij,...j->...", gradient, self.unscaled, gradient)
        across = np.einsum("...i,ij,...j->...", gradient, self.between, gradient)
        wide = quantile(level, self.dof) * np.sqrt(self.dispersion * variance)
        if across.any():
            wide = np.hypot(wide, quantile(level, self.groups - 1) * np.sqrt(np.maximum(across, 0.0)))
        if not self.counts:
            return np.asarray(wide)
        return np.asarray(np.maximum(wide, quantile(level, np.inf) * np.sqrt(variance)))


def spread(problem: FitProblem, theta: Array, active: NDArray[np.bool_], group: NDArray[Any] | None = None) -> FitError:
    """The error of the fit at ``theta`` (free parameters); coordinates marked ``active`` are held at their bound."""
    fitted, jac = problem.jacobian(theta[None])
    hessian = problem.expand(theta[None]).hessian
    weight = problem.weight[0]
    counts = problem.objective.name == "quasibinomial"
    prior = np.zeros(len(theta), bool) if problem.prior is None else np.diag(problem.prior[1]) > 0
    # A parameter that its prior allows to leave the bound is not known to lie there.
    free = ~active | prior
    dof = float((weight > 0).sum() + prior.sum() - free.sum())
    inverse, loose = _inverse(hessian[0], free)
    if problem.objective.name == "huber_log":
        return _robust(problem, theta, active, dof)
    r = problem.objective.residual(fitted[0], problem.y)
    if counts:
        assert problem.trials is not None
        p = np.clip(fitted[0], 1e-9, 1 - 1e-9)
        r = r * np.sqrt(problem.trials / (p * (1 - p)))
    dispersion = float((weight * r * r).sum() / dof) if dof > 0 else float("nan")
    trials = float(np.median(problem.trials)) if counts and problem.trials is not None else float("nan")
    slope, curve, _ = problem.objective.derivatives(fitted[0], problem.y, problem.trials)
    unit = np.sqrt(weight * curve)
    between, groups = _between(inverse, jac[0] * unit[:, None], slope / np.sqrt(curve) * np.sqrt(weight), dof, group)
    return FitError(inverse, dispersion, dispersion, dof, counts, trials, loose, between, groups)


def _between(inverse: Array, jac: Array, residual: Array, dof: float, group: NDArray[Any] | None) -> tuple[Array, int]:
    """What a random shift of each group adds to the covariance, and the number of groups.

    Its variance follows from the sums of the residuals within groups (method of moments), 0 at least. ``jac`` and
    ``residual`` have unit weight.
    """
    none = np.zeros_like(inverse)
    if group is None or dof <= 0:
        return none, 0
    label = np.unique(group, return_inverse=True)[1]
    groups, size = int(label.max()) + 1, np.bincount(label)
    if groups < 2 or size.max() == 1:
        return none, groups
    total = np.stack([np.bincount(label, column) for column in jac.T], axis=1)  # (groups, coordinates)
    both, within = inverse @ (total.T @ total), inverse @ (jac.T @ jac)
    # With M what the fit leaves of a vector of residuals and Z the membership of groups: Z'MZ = diag(size) - T I T'.
    lost = np.einsum("gi,ij,gj->g", total, inverse, total)
    trace = float(size.sum() - lost.sum())
    square_of = float((size**2).sum() - 2 * (size * lost).sum() + np.trace(both @ both))
    trace_of_square = float(size.sum() - 2 * lost.sum() + np.trace(both @ within))
    # E[sum over groups of (group's sum)^2] = noise * tr(Z'MZ) + shift * |Z'MZ|^2; E[residual^2] likewise.
    sums, square = float((np.bincount(label, residual) ** 2).sum()), float((residual**2).sum())
    system = np.array([[trace, square_of], [dof, trace_of_square]])
    if abs(np.linalg.det(system)) < 1e-9 * np.abs(system).max() ** 2:
        return none, groups
    shift = float(np.linalg.solve(system, [sums, square])[1])
    pull = inverse @ total.T
    return max(shift, 0.0) * pull @ pull.T, groups


def _robust(problem: FitProblem, theta: Array, active: NDArray[np.bool_], dof: float) -> FitError:
    """Huber's sandwich: the mean square of the pulls over the squared density of residuals within ``delta``.

    A ``delta`` far below the noise leaves few residuals inside; the density is then taken over a wider window.
    """
    fitted, jac = problem.jacobian(theta[None])
    r = problem.objective.residual(fitted[0], problem.y)
    weight, delta = problem.weight[0], problem.objective.delta
    curve = jac[0] / fitted[0][:, None]
    inverse, loose = _inverse(curve.T @ (weight[:, None] * curve), ~active)
    robust = 1.4826 * float(np.median(np.abs(r)))
    window = max(delta, robust * len(r) ** -0.2)
    pull = np.clip(r, -delta, delta)
    density = delta / window * float((np.abs(r) <= window).mean())
    dispersion = float((weight * pull**2).sum() / dof) / density**2 if dof > 0 and density > 0 else float("nan")
    none = np.zeros_like(inverse)
    return FitError(inverse, dispersion, max(robust**2, delta**2), dof, False, float("nan"), loose, none)


def _inverse(hessian: Array, free: NDArray[np.bool_]) -> tuple[Array, tuple[int, ...]]:
    """Inverse over the free coordinates, without the directions that have no curvature; and who takes part in those."""
    inverse = np.zeros_like(hessian)
    index = np.flatnonzero(free)
    if not len(index):
        return inverse, ()
    part = hessian[np.ix_(index, index)]
    root = 1 / np.sqrt(np.maximum(np.diag(part), 1e-300))
    size, direction = np.linalg.eigh(part * root[:, None] * root[None, :])
    known = size > 1e-10 * max(size.max(), 1e-300)
    solved = (direction[:, known] / size[known]) @ direction[:, known].T
    inverse[np.ix_(index, index)] = solved * root[:, None] * root[None, :]
    loose = np.abs(direction[:, ~known]).max(axis=1, initial=0.0) > 0.3
    return inverse, tuple(int(i) for i in index[loose])


def profile(
    problem: FitProblem, theta: Array, low: Array, high: Array, which: int, limit: float, scale: float
) -> tuple[float, float]:
    """The ends of one search coordinate: up to where the cost, minimised over the others, rises by ``limit``.

    ``scale`` is the first guess of the half-width. An end that the points do not determine is the coordinate's bound.
    """
    least = float(problem.cost(theta[None])[0])
    ends = []
    for sign, bound in ((-1.0, float(low[which])), (1.0, float(high[which]))):
        room = abs(bound - theta[which])
        step = scale if np.isfinite(scale) and scale > 0 else room / 4
        reach = np.minimum(step * PROFILE, room) if np.isfinite(room) else step * PROFILE
        at = theta[which] + sign * reach
        cost = _profiled(problem, theta, low, high, which, at)
        ends.append(_crossing(np.append(theta[which], at), np.append(least, cost) - least, limit, bound))
    return ends[0], ends[1]


def profiled(
    problem: FitProblem, theta: Array, low: Array, high: Array, which: int, scale: float
) -> tuple[Array, Array]:
    """Values of one search coordinate around ``theta``, in order, and the least cost with it held at each."""
    at = theta[which] + scale * np.linspace(-3.6, 3.6, 49)
    at = at[(at >= low[which]) & (at <= high[which])]
    return at, _profiled(problem, theta, low, high, which, at)


def _profiled(problem: FitProblem, theta: Array, low: Array, high: Array, which: int, at: Array) -> Array:
    lower, upper = np.tile(low, (len(at), 1)), np.tile(high, (len(at), 1))
    lower[:, which] = upper[:, which] = at
    return solve(problem, np.tile(theta, (len(at), 1)), lower, upper, steps=60, tolerance=1e-9)[1]


def _crossing(at: Array, rise: Array, limit: float, bound: float) -> float:
    """Where the root of ``rise`` first passes the root of ``limit``, interpolated; ``bound`` if it never does."""
    root = np.sqrt(np.maximum(rise, 0.0))
    over = np.flatnonzero(root > np.sqrt(limit))
    if not len(over):
        return bound
    k = int(over[0])
    if not np.isfinite(root[k]):
        return float(at[k])
    share = (np.sqrt(limit) - root[k - 1]) / (root[k] - root[k - 1])
    return float(at[k - 1] + share * (at[k] - at[k - 1]))


@dataclass(frozen=True, eq=False)
class Scale:
    """The scale on which intervals are symmetric: logarithms, logits, or the values themselves."""

    name: str
    forward: Callable[[Array], Array]
    back: Callable[[Array], Array]
    slope: Callable[[Array], Array]  # derivative of ``forward``


def _positive(v: Array) -> Array:
    """NaN where a law that may fall to 0 (a line) leaves the losses behind."""
    return np.where(v > 0, v, np.nan)


def _inside(p: Array) -> Array:
    return np.clip(p, 1e-9, 1 - 1e-9)


LOG = Scale("log", lambda v: np.log(_positive(v)), np.exp, lambda v: 1 / _positive(v))
RAW = Scale("value", lambda v: v, lambda v: v, np.ones_like)
LOGIT = Scale("logit", lambda p: logit(_inside(p)), expit, lambda p: 1 / (_inside(p) * (1 - _inside(p))))
SCALES = {"log": LOG, "huber_log": LOG, "least_squares": RAW, "quasibinomial": LOGIT}
