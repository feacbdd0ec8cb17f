"""What comes before the search of a fit: checks, coordinates, priors, starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from analysis.arrays import Array
from analysis.fitting.coordinates import Coordinates, Prior, coordinates
from analysis.fitting.diagnosis import separated, usable
from analysis.fitting.objective import Objective
from analysis.fitting.points import Points
from analysis.fitting.solver import CoordinatePrior, FitProblem
from analysis.fitting.starts import starts
from analysis.laws.catalogue import law_named
from analysis.laws.law import Law

STARTS = 6  # refined starts: four or more from the grid, two around the best of them


@dataclass(frozen=True, eq=False)
class Prepared:
    """A fit before its search: the points that can be fitted, warnings about the rest, starts (best first)."""

    problem: FitProblem
    points: Points
    codes: tuple[str, ...]
    first: Array


def prepared(
    points: Points,
    law: str,
    objective: str,
    delta: float,
    fixed: Mapping[str, float] | None = None,
    prior: Prior | None = None,
) -> Prepared:
    """The checks of `fit`, and where its search starts. With a ``prior`` the law does with one amount less for each of
    its parameters, but two at least.
    """
    form = law_named(law).for_amounts(tuple(points.x))
    criterion = Objective(objective, delta)
    kept, codes = usable(points, form.allows_zero)
    fewest = form.min_amounts if prior is None else max(2, form.min_amounts - len(prior.names))
    if kept.amounts() < fewest:
        raise ValueError(
            f"law {law!r} needs at least {fewest} distinct amounts above 0; the points have "
            f"{kept.amounts()}: measure more amounts or choose a law with fewer parameters"
        )
    criterion.check(kept)
    if objective == "quasibinomial" and separated(kept):
        codes.append("separated")
    problem = _problem(form, criterion, kept, fixed or {}, prior)
    return Prepared(problem, kept, tuple(codes), starts(problem, STARTS - 2))


def _problem(
    law: Law, objective: Objective, points: Points, fixed: Mapping[str, float], prior: Prior | None
) -> FitProblem:
    x = tuple(points.x.values())
    weight = np.ones(len(points)) if points.weight is None else points.weight
    space = coordinates(law, x, points.value, fixed)
    pull = _pull(space, objective, prior)
    return FitProblem(space, objective, x, points.value, points.trials, weight[None, :], pull)


def _pull(space: Coordinates, objective: Objective, given: Prior | None) -> CoordinatePrior | None:
    """Means and stiffness of the free coordinates: the given ones, beside counts also the laws' own; None for none."""
    free = [p.name for p in space.free]
    mean, stiff = np.zeros(len(free)), np.zeros((len(free), len(free)))
    for i, p in enumerate(space.free):
        if p.prior and objective.name == "quasibinomial":
            mean[i], stiff[i, i] = p.prior[0], p.prior[1] ** -2
    if given is not None:
        at = [free.index(name) for name in given.names]
        mean[at] = given.mean - space.shift[[space.law.names.index(name) for name in given.names]]
        stiff[np.ix_(at, at)] = given.stiffness
    return CoordinatePrior(mean, stiff) if stiff.any() else None
