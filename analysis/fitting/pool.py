"""Fits of several series that share what they have in common: parameters, shrunk towards what is usual among them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from analysis.arrays import Array
from analysis.fitting.coordinates import Prior
from analysis.fitting.curve import Curve, refine
from analysis.fitting.fit_setup import prepare
from analysis.fitting.points import Points
from analysis.fitting.solver import CoordinatePrior, FitProblem, solve
from analysis.laws.catalogue import law_named
from analysis.laws.law import Law

ROUNDS = 15
LEAST = 1e-3  # smallest standard deviation between series, in search coordinates


@dataclass(frozen=True)
class Common:
    """The mean of a parameter over series (of its logarithm where it is searched as one), its standard error, and the
    standard deviation between series.
    """

    mean: float
    error: float
    between: float


@dataclass(frozen=True, eq=False)
class Pooled:
    """A curve a series, and what the series have in common, by parameter."""

    curves: Mapping[str, Curve]
    common: Mapping[str, Common]


def fit_pooled(
    series: Mapping[str, Points],
    law: str = "bounded",
    shared: tuple[str, ...] | None = None,
    objective: str = "log",
    seed: int = 0,
) -> Pooled:
    """Fit each series with the parameters ``shared`` (default: all that can be) drawn towards those of the others.

    Empirical Bayes: the parameters are taken to be normal over the series, so that a floor also says what exponent to
    expect; mean and covariance follow by EM (Dempster, Laird and Rubin 1977, J. R. Stat. Soc. B 39) from separate fits
    on. The less a series itself says, the nearer it comes to the others; one with too few amounts for a fit of its own
    joins in with one amount less for each shared parameter, but two at least.
    Raises ValueError for a parameter that cannot be shared, or when fewer than two series can be fitted alone.
    """
    form = law_named(law)
    names = _shareable(form) if shared is None else shared
    for name in names:
        if name not in _shareable(form):
            fine = ", ".join(_shareable(form)) or "nothing"
            raise ValueError(f"law {law!r} cannot share {name!r}; it can share {fine}")
    alone = _alone(series, law, objective, seed)
    if len(alone) < 2:
        raise ValueError(f"{len(alone)} of {len(series)} series can be fitted alone; pooling needs at least 2")
    at = [[p.name for p in alone[0].problem.space.free].index(name) for name in names]
    noise = 1.0 if alone[0].error.counts else float(np.median([c.error.dispersion for c in alone]))
    raw = np.stack([_raw(c, c.theta)[at] for c in alone])
    middle = np.median(raw, axis=0)
    off = np.maximum(1.4826 * np.median(np.abs(raw - middle), axis=0), 0.05)
    prior = Prior(names, middle, noise * np.diag(off**-2))
    members = [prepare(points, law, objective, 1e-3, prior=prior).problem for points in series.values()]
    mean, covariance, error = _shared(members, at, prior, noise)
    prior = Prior(names, mean, np.asarray(noise * np.linalg.inv(covariance), dtype=float))
    curves = {k: refine(prepare(p, law, objective, 1e-3, prior=prior), seed)[0] for k, p in series.items()}
    between = np.sqrt(np.diag(covariance))
    common = {n: Common(*map(float, parts)) for n, *parts in zip(names, mean, error, between, strict=True)}
    return Pooled(curves, common)


def _shareable(law: Law) -> tuple[str, ...]:
    """Free parameters that mean the same in every series: not those that are centred with another."""
    return tuple(p.name for p in law.parameters if p.fixed is None and not p.pivots)


def _alone(series: Mapping[str, Points], law: str, objective: str, seed: int) -> list[Curve]:
    """The fits of the series that need no help, where their error is known."""
    curves = []
    for points in series.values():
        try:
            curve = refine(prepare(points, law, objective, 1e-3), seed)[0]
        except ValueError:
            continue  # it may be possible with the help of the others
        if curve.error.dof > 0:
            curves.append(curve)
    return curves


def _raw(curve: Curve, theta: Array) -> Array:
    """Search coordinates without their centring."""
    space = curve.problem.space
    return np.asarray(theta + [space.shift[space.law.names.index(p.name)] for p in space.free])


def _shared(members: list[FitProblem], at: list[int], prior: Prior, noise: float) -> tuple[Array, Array, Array]:
    """Mean and covariance of the shared parameters over the series, and the mean's standard errors, by EM."""
    spaces = [m.space for m in members]
    shifts = np.array([[s.shift[s.law.names.index(s.free[i].name)] for i in at] for s in spaces])
    mean, stiff = prior.mean, prior.stiffness
    theta: list[Array | None] = [None] * len(members)
    for _ in range(ROUNDS):
        found, errors = np.empty_like(shifts), np.empty((len(members), len(at), len(at)))
        for i, member in enumerate(members):
            theta[i] = _posterior(member, at, mean - shifts[i], stiff, theta[i])
            updated = _with_prior(member, at, mean - shifts[i], stiff)
            hessian = updated.expand(theta[i][None]).hessian[0]  # type: ignore[index]
            found[i] = theta[i][at] + shifts[i]  # type: ignore[index]
            errors[i] = noise * np.linalg.pinv(hessian, hermitian=True)[np.ix_(at, at)]
        mean = found.mean(axis=0)
        away = found - mean
        covariance = (away.T @ away + errors.sum(axis=0)) / len(members) + LEAST**2 * np.eye(len(at))
        stiff = noise * np.linalg.inv(covariance)
    return mean, covariance, np.sqrt(np.diag(covariance) / len(members))


def _with_prior(member: FitProblem, at: list[int], mean: Array, stiff: Array) -> FitProblem:
    size = len(member.space.free)
    old_mean, old_stiff = member.prior if member.prior is not None else (np.zeros(size), np.zeros((size, size)))
    new_mean, new_stiff = old_mean.copy(), old_stiff.copy()
    new_mean[at] = mean
    new_stiff[np.ix_(at, at)] = stiff
    return replace(member, prior=CoordinatePrior(new_mean, new_stiff))


def _posterior(member: FitProblem, at: list[int], mean: Array, stiff: Array, last: Array | None) -> Array:
    """The most probable coordinates of one series under the prior, from the last ones and from the mean."""
    space = member.space
    problem = _with_prior(member, at, mean, stiff)
    middle = np.clip(problem.prior[0], space.low, space.high)  # type: ignore[index]
    begin = np.stack([middle if last is None else last, middle])
    theta, cost = solve(problem, begin, space.low, space.high, steps=60, tolerance=1e-7)
    return np.asarray(theta[int(np.argmin(cost))])
