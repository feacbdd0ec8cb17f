"""Fits of several series that share parameters, each shrunk towards the mean of the series."""

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

ROUNDS = 15  # of EM
MIN_DEVIATION = 1e-3  # between series, in search coordinates: keeps the covariance invertible for equal series
DELTA = 1e-3  # of Huber's objective


@dataclass(frozen=True)
class SharedParameter:
    """A parameter over the series: its mean, the standard error of the mean, and the standard deviation between series.

    All are those of its logarithm where the parameter is searched as one.
    """

    mean: float
    error: float
    deviation: float


@dataclass(frozen=True, eq=False)
class Pooled:
    """A curve for each series by its label, and the shared parameters by name."""

    curves: Mapping[str, Curve]
    shared: Mapping[str, SharedParameter]


def fit_pooled(
    series: Mapping[str, Points],
    law: str = "bounded",
    shared: tuple[str, ...] | None = None,
    objective: str = "log",
    seed: int = 0,
) -> Pooled:
    """Fit each series with the parameters ``shared`` (default: all that can be) drawn towards those of the others.

    Empirical Bayes: the shared parameters are taken as jointly normal over the series, so that a floor also says what
    exponent to expect. Their mean and covariance follow by EM (Dempster, Laird and Rubin 1977, J. R. Stat. Soc. B 39),
    starting from separate fits. The less a series itself determines, the closer it comes to the others. A series with
    too few amounts for a fit of its own may take part with one amount less for each shared parameter, but at least two.
    Raises ValueError for a parameter that cannot be shared, and when fewer than two series can be fitted alone.
    """
    form = law_named(law)
    names = _shareable(form) if shared is None else shared
    for name in names:
        if name not in _shareable(form):
            allowed = ", ".join(_shareable(form)) or "nothing"
            raise ValueError(f"law {law!r} cannot share {name!r}; it can share {allowed}")
    alone = _separate_fits(series, law, objective, seed)
    if len(alone) < 2:
        raise ValueError(f"{len(alone)} of {len(series)} series can be fitted alone; pooling needs at least 2")
    index = [[p.name for p in alone[0].problem.space.free].index(name) for name in names]
    noise = 1.0 if alone[0].error.counts else float(np.median([c.error.dispersion for c in alone]))
    prior = _first_prior(alone, names, index, noise)
    members = [prepare(points, law, objective, DELTA, prior=prior).problem for points in series.values()]
    mean, covariance, error = _population(members, index, prior, noise)
    prior = Prior(names, mean, np.asarray(noise * np.linalg.inv(covariance), dtype=float))
    curves = {k: refine(prepare(p, law, objective, DELTA, prior=prior), seed)[0] for k, p in series.items()}
    deviation = np.sqrt(np.diag(covariance))
    columns = zip(names, mean, error, deviation, strict=True)
    return Pooled(curves, {name: SharedParameter(*map(float, numbers)) for name, *numbers in columns})


def _shareable(law: Law) -> tuple[str, ...]:
    """The free parameters that mean the same in every series, which those centred with another do not."""
    return tuple(p.name for p in law.parameters if p.fixed is None and not p.pivots)


def _separate_fits(series: Mapping[str, Points], law: str, objective: str, seed: int) -> list[Curve]:
    """The curves of the series that can be fitted alone and whose error is known."""
    curves = []
    for points in series.values():
        try:
            curve = refine(prepare(points, law, objective, DELTA), seed)[0]
        except ValueError:
            continue  # with the prior from the other series it needs fewer amounts
        if curve.error.dof > 0:
            curves.append(curve)
    return curves


def _first_prior(alone: list[Curve], names: tuple[str, ...], index: list[int], noise: float) -> Prior:
    """Median and scaled median deviation over the separate fits: robust, as a fit alone may be far off."""
    uncentred = np.stack([_uncentred(curve)[index] for curve in alone])
    middle = np.median(uncentred, axis=0)
    deviation = np.maximum(1.4826 * np.median(np.abs(uncentred - middle), axis=0), 0.05)
    return Prior(names, middle, noise * np.diag(deviation**-2))


def _uncentred(curve: Curve) -> Array:
    """Search coordinates (coordinates,) without the centring, which differs between series."""
    space = curve.problem.space
    return np.asarray(curve.theta + [space.shift[space.law.names.index(p.name)] for p in space.free])


def _population(members: list[FitProblem], index: list[int], prior: Prior, noise: float) -> tuple[Array, Array, Array]:
    """Mean (shared,) and covariance (shared, shared) of the shared parameters over the series, and the standard errors
    of the mean (shared,), by EM. ``index`` holds their places among the search coordinates.
    """
    spaces = [m.space for m in members]
    shifts = np.array([[s.shift[s.law.names.index(s.free[i].name)] for i in index] for s in spaces])
    mean, stiffness = prior.mean, prior.stiffness
    last: list[Array | None] = [None] * len(members)
    for _ in range(ROUNDS):
        values, errors = np.empty_like(shifts), np.empty((len(members), len(index), len(index)))
        for i, member in enumerate(members):
            # Parameters are shared without their centring, which each series has by its own amounts.
            pulled = _with_prior(member, index, mean - shifts[i], stiffness)
            last[i] = theta = _most_probable(pulled, last[i])
            hessian = pulled.expand(theta[None]).hessian[0]
            values[i] = theta[index] + shifts[i]
            errors[i] = noise * np.linalg.pinv(hessian, hermitian=True)[np.ix_(index, index)]
        mean = values.mean(axis=0)
        distance = values - mean
        covariance = (distance.T @ distance + errors.sum(axis=0)) / len(members) + MIN_DEVIATION**2 * np.eye(len(index))
        stiffness = noise * np.linalg.inv(covariance)
    return mean, covariance, np.sqrt(np.diag(covariance) / len(members))


def _with_prior(member: FitProblem, index: list[int], mean: Array, stiffness: Array) -> FitProblem:
    """The problem with the prior of the coordinates ``index`` replaced."""
    size = len(member.space.free)
    old = CoordinatePrior(np.zeros(size), np.zeros((size, size))) if member.prior is None else member.prior
    new = CoordinatePrior(old.mean.copy(), old.stiffness.copy())
    new.mean[index] = mean
    new.stiffness[np.ix_(index, index)] = stiffness
    return replace(member, prior=new)


def _most_probable(problem: FitProblem, last: Array | None) -> Array:
    """The most probable coordinates (coordinates,) under the prior, searched from its mean and from the last ones."""
    assert problem.prior is not None
    space = problem.space
    mean = np.clip(problem.prior.mean, space.low, space.high)
    start = np.stack([mean if last is None else last, mean])
    theta, cost = solve(problem, start, space.low, space.high, steps=60, tolerance=1e-7)
    return np.asarray(theta[int(np.argmin(cost))])
