"""Covariance and dispersion of a fit, and the scales on which its intervals are symmetric."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, fdtrc, logit, ndtri, stdtrit

from analysis.arrays import Array
from analysis.fitting.solver import FitProblem

ONE_ERROR = 0.6827  # the level of plus or minus one standard error
RUN_NOISE = 0.01
"""Standard deviation between training runs at a share of one half, as published comparisons of seeds report."""
USUAL_DOF = 2.0
"""Degrees of freedom that `RUN_NOISE` counts for beside the residuals."""
MISFIT_LEVEL = 0.1
"""Chance of a larger misfit, below which the error of a curve is that of the law and not of the runs."""
GROUP_LEVEL = 0.25
"""Chance of larger differences between groups, below which they count as shifts of whole groups."""
CLEAR_LEVEL = 0.01
"""Chance below which a difference between two groups widens an interval as far as their one degree of freedom asks."""
FEW_GROUPS = 10
"""Groups up to which it is asked whether they differ at all: more tell their own variance well."""
KINDS = ("mean", "new_run", "new_run_new_items")


@dataclass(frozen=True, eq=False)
class Prediction:
    """Predicted values with the ends of their intervals, (amounts,) each."""

    value: Array
    low: Array
    high: Array


def quantile(level: float, dof: float) -> float:
    """The half-width of a central interval in standard errors: Student's t with ``dof`` degrees of freedom, the normal
    for an infinite ``dof``, infinite for none. Raises ValueError for a ``level`` outside (0, 1).
    """
    if not 0 < level < 1:
        raise ValueError(f"level={level} must lie between 0 and 1, for example 0.95")
    if dof <= 0:
        return float("inf")
    return float(ndtri(0.5 + level / 2) if np.isinf(dof) else stdtrit(dof, 0.5 + level / 2))


@dataclass(frozen=True, eq=False)
class FitError:
    """The error of a fit.

    ``unscaled``    inverse curvature (coordinates, coordinates), 0 for coordinates at a bound; times ``dispersion``
                    it is the covariance
    ``dispersion``  estimated from the residuals with ``dof`` degrees of freedom; NaN where there are none
    ``noise``       variance of one more measurement on the scale of the objective
    ``counts``      whether values are shares of items: their intervals are never narrower than the items alone allow
    ``trials``      median number of items behind a value; NaN without counts
    ``undetermined``  indices of coordinates in directions that the points do not determine
    ``between``     what groups (seeds) that lie above or below the curve as a whole add to the covariance; 0 without
                    groups, or where they differ no more than points do
    ``groups``      number of groups
    ``chance``      that groups differ at least as much where none is shifted; 1 where that was not asked
    ``usual``       the dispersion to expect before the residuals are seen; NaN where nothing says so
    """

    unscaled: Array
    dispersion: float
    noise: float
    dof: float
    counts: bool
    trials: float
    undetermined: tuple[int, ...]
    between: Array
    groups: int = 0
    usual: float = float("nan")
    chance: float = 1.0

    @property
    def shrunk(self) -> tuple[float, float]:
        """The dispersion with its degrees of freedom, drawn towards the usual one where that is known, which weighs as
        much as `USUAL_DOF` degrees of freedom (a scaled inverse chi-squared prior; Gelman et al. 2013, Bayesian Data
        Analysis, section 2.6). The residuals of one seed leave two or three, which say little, and may all be 0.
        """
        if np.isnan(self.usual) or not self.dof > 0:
            return self.dispersion, self.dof
        dof = self.dof + USUAL_DOF
        return (self.dof * self.dispersion + USUAL_DOF * self.usual) / dof, dof

    def half_width(self, gradient: Array, level: float) -> Array:
        """Half the width (...,) of the intervals of quantities with these gradients (..., coordinates).

        The parts of points and of groups each have their own t quantile (Howe 1974, J. Am. Stat. Assoc. 69): pooled
        degrees of freedom would be high exactly when the few groups happen to lie close together.

        Two groups leave one degree of freedom, whose t quantile is 12.7. So their interval is at most as wide as one
        of them alone would make it, by the root of 2, unless they differ clearly (at `CLEAR_LEVEL`).
        """
        variance = np.einsum("...i,ij,...j->...", gradient, self.unscaled, gradient)
        dispersion, dof = self.shrunk
        group_variance = np.einsum("...i,ij,...j->...", gradient, self.between, gradient)
        half = quantile(level, dof) * np.sqrt(dispersion * variance)
        if group_variance.any():
            both = np.hypot(half, quantile(level, self.groups - 1) * np.sqrt(np.maximum(group_variance, 0.0)))
            capped = self.groups == 2 and self.chance >= CLEAR_LEVEL
            half = np.minimum(both, np.sqrt(2) * half) if capped else both
        if not self.counts:
            return np.asarray(half)
        return np.asarray(np.maximum(half, quantile(level, np.inf) * np.sqrt(variance)))


def fit_error(
    problem: FitProblem, theta: Array, active: NDArray[np.bool_], group: NDArray[Any] | None = None
) -> FitError:
    """The error of the fit at ``theta`` (coordinates,); those marked ``active`` count as fixed at their bound.

    ``group`` (points,) labels the seed or run of each point. For counts the dispersion is Pearson's statistic over its
    degrees of freedom (McCullagh and Nelder 1989, Generalized Linear Models, section 4.5).
    """
    fitted, jac = problem.jacobian(theta[None])
    hessian = problem.expand(theta[None]).hessian
    weight = problem.weight[0]
    counts = problem.objective.name == "quasibinomial"
    prior = np.zeros(len(theta), bool) if problem.prior is None else np.diag(problem.prior.stiffness) > 0
    # A parameter that its prior allows to leave the bound is not known to lie there.
    free = ~active | prior
    # Each prior counts as one measurement.
    dof = float((weight > 0).sum() + prior.sum() - free.sum())
    inverse, undetermined = _inverse(hessian[0], free)
    if problem.objective.name == "huber_log":
        return _huber_error(problem, theta, active, dof)
    r = problem.objective.residual(fitted[0], problem.y)
    if counts:
        assert problem.trials is not None
        p = np.clip(fitted[0], 1e-9, 1 - 1e-9)
        r = r * np.sqrt(problem.trials / (p * (1 - p)))
    noise = float((weight * r * r).sum() / dof) if dof > 0 else float("nan")
    dispersion, misfit_dof = (noise, dof) if counts else _with_misfit(problem.x, r, weight, noise, dof)
    trials = float(np.median(problem.trials)) if counts and problem.trials is not None else float("nan")
    slope, curvature, _ = problem.objective.derivatives(fitted[0], problem.y, problem.trials)
    unit = np.sqrt(weight * curvature)  # turns points into measurements of equal variance
    residual = slope / np.sqrt(curvature) * np.sqrt(weight)
    between, groups, chance = group_covariance(inverse, jac[0] * unit[:, None], residual, dof, group)
    usual = 1 + 4 * trials * RUN_NOISE**2  # of shares: what items and the usual scatter of runs give
    return FitError(
        inverse, dispersion, noise, misfit_dof, counts, trials, undetermined, between, groups, usual, chance
    )


def _with_misfit(x: tuple[Array, ...], r: Array, weight: Array, noise: float, dof: float) -> tuple[float, float]:
    """The dispersion behind the error of a curve, with its degrees of freedom.

    That of all residuals, unless the means at the amounts lie farther from the law than the repeats at an amount
    explain (F test of lack of fit at `MISFIT_LEVEL`): then that of these means. Repeats make a wrong law no better.
    """
    at = np.unique(np.stack(x), axis=1, return_inverse=True)[1].ravel()
    size, total = np.bincount(at, weight), np.bincount(at, weight * r)
    away = float((total**2 / np.maximum(size, 1e-300)).sum())
    repeats = float((weight > 0).sum() - (size > 0).sum())
    spare, within = dof - repeats, float((weight * r * r).sum()) - away
    if not (repeats > 0 and spare > 0 and within > 0):
        return noise, dof
    if fdtrc(spare, repeats, (away / spare) / (within / repeats)) >= MISFIT_LEVEL:
        return noise, dof
    return away / spare, spare


def group_covariance(
    inverse: Array, jac: Array, residual: Array, dof: float, group: NDArray[Any] | None
) -> tuple[Array, int, float]:
    """What a random shift of each group adds to the covariance (coordinates, coordinates), the number of groups, and
    the chance that groups differ as much without any shift (1 where that cannot be asked or need not be).

    The variance of the shifts follows from the sums of the residuals within groups (method of moments, as Henderson
    1953, Biometrics 9). It is 0 where few groups differ no more than points do (see `_chance`): two seeds, which
    leave one degree of freedom, would otherwise make every second interval several times too wide. ``jac`` (points,
    coordinates) and ``residual`` (points,) are those of measurements of equal variance, ``inverse`` is the inverse of
    ``jac.T @ jac``.
    """
    zero = np.zeros_like(inverse)
    if group is None or dof <= 0:
        return zero, 0, 1.0
    label = np.unique(group, return_inverse=True)[1]
    groups, size = int(label.max()) + 1, np.bincount(label)
    if groups < 2 or size.max() == 1:
        return zero, groups, 1.0
    total = np.stack([np.bincount(label, column) for column in jac.T], axis=1)  # (groups, coordinates)
    both, within = inverse @ (total.T @ total), inverse @ (jac.T @ jac)
    # With M the matrix that maps measurements to residuals, Z the membership of groups, T the sums ``total`` and I the
    # inverse: Z'MZ = diag(size) - T I T'.
    lost = np.einsum("gi,ij,gj->g", total, inverse, total)
    trace = float(size.sum() - lost.sum())
    square_of = float((size**2).sum() - 2 * (size * lost).sum() + np.trace(both @ both))
    trace_of_square = float(size.sum() - 2 * lost.sum() + np.trace(both @ within))
    # E[sum over groups of (group's sum)^2] = noise * tr(Z'MZ) + shift * |Z'MZ|^2; E[residual^2] likewise.
    sums, square = float((np.bincount(label, residual) ** 2).sum()), float((residual**2).sum())
    system = np.array([[trace, square_of], [dof, trace_of_square]])
    # Nearly singular: the design cannot tell the groups' shifts from the noise.
    if abs(np.linalg.det(system)) < 1e-9 * np.abs(system).max() ** 2:
        return zero, groups, 1.0
    shift = float(np.linalg.solve(system, [sums, square])[1])
    chance = 1.0
    if groups <= FEW_GROUPS:
        inside = np.diag(size) - total @ inverse @ total.T
        chance = _chance(inside, np.bincount(label, residual).astype(float), square, dof)
        if chance >= GROUP_LEVEL:
            return zero, groups, chance
    pull = inverse @ total.T
    return max(shift, 0.0) * pull @ pull.T, groups, chance


def _chance(inside: Array, sums: Array, square: float, dof: float) -> float:
    """The chance that groups differ at least as much where only their points scatter, by an F test.

    ``inside`` (groups, groups) is Z'MZ and ``sums`` (groups,) are the groups' sums of residuals (see
    `group_covariance`); ``square`` is the sum of all squared residuals, of which shifts of the groups take a part.
    """
    size, direction = np.linalg.eigh(inside)
    kept = size > 1e-8 * size.max()
    rank = int(kept.sum())
    taken = float(((sums @ direction[:, kept]) ** 2 / size[kept]).sum())
    left = max(square - taken, 1e-300) / max(dof - rank, 1e-9)
    return float(fdtrc(rank, dof - rank, taken / rank / left)) if dof > rank else 1.0


def _huber_error(problem: FitProblem, theta: Array, active: NDArray[np.bool_], dof: float) -> FitError:
    """The error under Huber's objective (Huber 1973, Ann. Stat. 1): the dispersion is the mean square of the clipped
    residuals over the squared share of residuals that are not clipped.
    """
    fitted, jac = problem.jacobian(theta[None])
    r = problem.objective.residual(fitted[0], problem.y)
    weight, delta = problem.weight[0], problem.objective.delta
    log_jac = jac[0] / fitted[0][:, None]
    inverse, undetermined = _inverse(log_jac.T @ (weight[:, None] * log_jac), ~active)
    deviation = 1.4826 * float(np.median(np.abs(r)))  # the standard deviation of normal residuals
    # A delta far below the noise leaves few residuals unclipped, so their density is taken over a wider window.
    window = max(delta, deviation * len(r) ** -0.2)
    clipped = np.clip(r, -delta, delta)
    density = delta / window * float((np.abs(r) <= window).mean())
    dispersion = float((weight * clipped**2).sum() / dof) / density**2 if dof > 0 and density > 0 else float("nan")
    noise = max(deviation**2, delta**2)
    return FitError(inverse, dispersion, noise, dof, False, float("nan"), undetermined, np.zeros_like(inverse))


def _inverse(hessian: Array, free: NDArray[np.bool_]) -> tuple[Array, tuple[int, ...]]:
    """The inverse (coordinates, coordinates) over the free coordinates, without directions of no curvature; and the
    indices of the coordinates that take part in those directions.
    """
    inverse = np.zeros_like(hessian)
    index = np.flatnonzero(free)
    if not len(index):
        return inverse, ()
    part = hessian[np.ix_(index, index)]
    root = 1 / np.sqrt(np.maximum(np.diag(part), 1e-300))
    size, direction = np.linalg.eigh(part * root[:, None] * root[None, :])
    curved = size > 1e-10 * max(size.max(), 1e-300)
    solved = (direction[:, curved] / size[curved]) @ direction[:, curved].T
    inverse[np.ix_(index, index)] = solved * root[:, None] * root[None, :]
    in_flat = np.abs(direction[:, ~curved]).max(axis=1, initial=0.0) > 0.3
    return inverse, tuple(int(i) for i in index[in_flat])


@dataclass(frozen=True, eq=False)
class Scale:
    """The scale on which intervals are symmetric: logarithms, logits, or the values themselves."""

    name: str
    forward: Callable[[Array], Array]
    back: Callable[[Array], Array]
    slope: Callable[[Array], Array]  # derivative of ``forward``


def _positive(value: Array) -> Array:
    """NaN for values that are not positive: a law that may fall below 0 (a line) has no logarithm there."""
    return np.where(value > 0, value, np.nan)


def _inside(p: Array) -> Array:
    """Scores, kept so far from 0 and 1 that their logits are finite."""
    return np.clip(p, 1e-9, 1 - 1e-9)


LOG = Scale("log", lambda v: np.log(_positive(v)), np.exp, lambda v: 1 / _positive(v))
RAW = Scale("value", lambda v: v, lambda v: v, np.ones_like)
LOGIT = Scale("logit", lambda p: logit(_inside(p)), expit, lambda p: 1 / (_inside(p) * (1 - _inside(p))))
SCALES = {"log": LOG, "huber_log": LOG, "least_squares": RAW, "quasibinomial": LOGIT}
"""The scale of each objective."""
