"""Prepare a fit: check and order the points, set up coordinates and priors, choose starts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from analysis.arrays import Array
from analysis.fitting.coordinates import Coordinates, coordinates
from analysis.fitting.diagnosis import separated, usable
from analysis.fitting.objective import Objective
from analysis.fitting.points import Points
from analysis.fitting.solver import CoordinatePrior, FitProblem
from analysis.fitting.starts import starts
from analysis.laws.catalogue import law_named
from analysis.laws.law import Law

STARTS = 6  # refined starts: four or more from the grid, the others drawn around the best of them


@dataclass(frozen=True, eq=False)
class PreparedFit:
    """A fit before its search: the problem, the points that can be fitted, warning codes about the others, and the
    grid's starts (starts, coordinates), best first.
    """

    problem: FitProblem
    points: Points
    warnings: tuple[str, ...]
    starts: Array


def prepare(
    points: Points,
    law: str,
    objective: str,
    delta: float,
    fixed: Mapping[str, float] | None = None,
) -> PreparedFit:
    """Check everything that `fit` checks, and choose where its search starts.

    Raises ValueError for the reasons of `fit`.
    """
    form = law_named(law)
    form.check_amounts(tuple(points.x))
    criterion = Objective(objective, delta)
    fitted, warnings = usable(points)
    fewest = form.min_amounts
    if objective != "quasibinomial":  # the law's own priors hold for counts alone (see `_coordinate_prior`)
        fewest += sum(p.prior is not None for p in form.parameters)
    if fitted.amounts() < fewest:
        raise ValueError(
            f"law {law!r} needs at least {fewest} distinct amounts above 0; the points have "
            f"{fitted.amounts()}: measure more amounts or choose a law with fewer parameters"
        )
    for name, amounts in fitted.x.items():
        if len(fitted.x) > 1 and np.ptp(amounts) == 0:
            raise ValueError(
                f"{name} is {amounts[0]:g} in all points, so law {law!r} cannot separate its effect from the rest; "
                f"measure several values of {name}, or fit the other amount alone, with law power_floor for example"
            )
    criterion.check(fitted)
    if objective == "quasibinomial" and separated(fitted):
        warnings.append("separated")
    problem = _problem(form, criterion, fitted, fixed or {})
    return PreparedFit(problem, fitted, tuple(warnings), starts(problem, STARTS - 2))


def _problem(law: Law, objective: Objective, points: Points, fixed: Mapping[str, float]) -> FitProblem:
    x = tuple(points.x.values())
    weight = np.ones(len(points)) if points.weight is None else points.weight
    space = coordinates(law, x, points.value, fixed)
    pull = _coordinate_prior(space, objective)
    return FitProblem(space, objective, x, points.value, points.trials, weight[None, :], pull)


def _coordinate_prior(space: Coordinates, objective: Objective) -> CoordinatePrior | None:
    """The law's own priors in search coordinates, for counts; None where there are none."""
    free = [p.name for p in space.free]
    mean, stiffness = np.zeros(len(free)), np.zeros((len(free), len(free)))
    for i, p in enumerate(space.free):
        # Only counts have a known noise, in units of which a prior's standard deviation has a meaning.
        if p.prior and objective.name == "quasibinomial":
            mean[i], stiffness[i, i] = p.prior[0], p.prior[1] ** -2
    return CoordinatePrior(mean, stiffness) if stiffness.any() else None
