"""Warnings about points and fits, as stable codes with their meanings and remedies."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from analysis.arrays import Array
from analysis.fitting.coordinates import Coordinates
from analysis.fitting.points import Points
from analysis.fitting.solver import Expansion, FitProblem
from analysis.fitting.uncertainty import FitError
from analysis.laws.law import LOGARITHMIC

WARNINGS = {
    "missing_dropped": ("points with a missing number were left out", "complete or remove them"),
    "zero_dropped": (
        "points at amount 0 were left out: the law describes what data adds",
        "none needed; only laws of mixtures take amounts of 0",
    ),
    "duplicates": (
        "some points are identical in every number; they count as separate measurements",
        "remove rows that were entered twice; give each seed its group",
    ),
    "constant_values": ("all values are equal, so only the level is known", "measure with more items or digits"),
    "few_starts_agree": (
        "fewer than half of the starts reach the best objective; the curve may not be the best one",
        "try a law with fewer parameters, or more amounts",
    ),
    "not_converged": (
        "the search ended before the gradient vanished",
        "try a law with fewer parameters; trust the curve rather than its parameters",
    ),
    "bound": (
        "parameter {name} ends at its bound",
        "trust the curve only within the measured amounts; try another law",
    ),
    "floor_not_identified": (
        "the interval of the floor reaches its lower bound: these amounts do not show a floor",
        "measure larger amounts, or do not quote a floor",
    ),
    "not_identified": (
        "the points do not determine parameter {name}",
        "quote predictions, not this parameter; measure amounts where it matters",
    ),
    "separated": (
        "scores jump from (nearly) 0 to (nearly) 1 between two amounts, so their slope is not determined",
        "measure amounts between them",
    ),
    "no_spare_points": (
        "there are no more points than parameters, so there are no intervals",
        "measure more amounts or seeds",
    ),
    "law_refused": (
        "law {name} needs more amounts than there are, so it is not in the average",
        "measure more amounts",
    ),
}
"""Code -> (meaning, remedy). Codes stay the same between releases, so scripts may look for them."""


def explain(code: str) -> str:
    """The meaning of a warning code such as ``bound:b``. Raises KeyError for an unknown code."""
    kind, _, name = code.partition(":")
    return WARNINGS[kind][0].format(name=name)


def remedy(code: str) -> str:
    """What to do about a warning code such as ``bound:b``. Raises KeyError for an unknown code."""
    return WARNINGS[code.partition(":")[0]][1]


def usable(points: Points) -> tuple[Points, list[str]]:
    """The points that a law can be fitted to, in canonical order, and warning codes about them and the others.

    Points with an amount of 0 are left out. Raises ValueError where no point is left.
    """
    codes = []
    missing = points.missing()
    zero = ~missing & (np.stack(list(points.x.values())) == 0).any(axis=0)
    if missing.any():
        codes.append("missing_dropped")
    if zero.any():
        codes.append("zero_dropped")
    fitted = points.take(~missing & ~zero).ordered()
    if not len(fitted):
        raise ValueError(f"none of the {len(points)} points has an amount above 0 and a value: there is nothing to fit")
    labels = np.zeros(len(fitted)) if fitted.group is None else np.unique(fitted.group, return_inverse=True)[1]
    rows = np.stack([*fitted.x.values(), fitted.value, labels])
    if len(np.unique(rows, axis=1).T) < len(fitted):
        codes.append("duplicates")
    # Equal values are fitted all the same: the level is right, whatever the other parameters.
    if np.ptp(fitted.value) == 0:
        codes.append("constant_values")
    return fitted, codes


def separated(points: Points) -> bool:
    """Whether scores are 0 (within one item) up to an amount and 1 from the next amount on, or the reverse.

    All curves that are steep enough fit such points equally well (complete separation: Albert and Anderson 1984,
    Biometrika 71). False for points without trials and for several amounts.
    """
    if points.trials is None or len(points.x) != 1:
        return False
    amount = next(iter(points.x.values()))
    wrong, right = points.value * points.trials <= 1, (1 - points.value) * points.trials <= 1
    if not (wrong | right).all() or not wrong.any() or not right.any():
        return False
    return bool(amount[wrong].max() < amount[right].min() or amount[right].max() < amount[wrong].min())


def active_bounds(space: Coordinates, theta: Array, gradient: Array) -> NDArray[np.bool_]:
    """True for coordinates at a bound whose cost falls further outwards; ``theta`` and ``gradient`` have the shape
    (coordinates,).
    """
    return np.asarray(((theta <= space.low) & (gradient >= 0)) | ((theta >= space.high) & (gradient <= 0)))


def gradient_norm(here: Expansion, active: NDArray[np.bool_]) -> float:
    """The gain that one more Gauss-Newton step promises, as a share of the objective: 0 at a minimum, in any units.

    ``here`` is the expansion of a batch of one; coordinates marked ``active`` stay at their bound.
    """
    # Without the small diagonal a direction of no curvature would promise an infinite gain.
    matrix = here.hessian[0] + 1e-9 * np.diag(here.diagonal[0] + 1e-300)
    pull = np.where(active, 0.0, here.gradient[0])
    gain = float(pull @ np.linalg.pinv(matrix, hermitian=True) @ pull)
    return gain / max(float(here.cost[0]), 1e-20)


def fit_warnings(
    problem: FitProblem, theta: Array, active: NDArray[np.bool_], error: FitError, norm: float, agree: bool
) -> list[str]:
    """Warning codes about the search, and about parameters that the points do not determine.

    ``norm`` is the `gradient_norm` at ``theta``; ``agree`` says whether enough starts agree.
    """
    free = problem.space.free
    codes = [f"bound:{p.name}" for p, at_bound in zip(free, active, strict=True) if at_bound]
    if not agree:
        codes.append("few_starts_agree")
    if norm > 1e-4:
        codes.append("not_converged")
    # Without a dispersion no parameter has an error, so nothing more can be said about them.
    if error.dof <= 0:
        return [*codes, "no_spare_points"]
    codes += [f"not_identified:{free[i].name}" for i in error.undetermined]
    half = error.half_width(np.eye(len(theta)), 0.95)
    for i, p in enumerate(free):
        # That no floor shows is common and harmless within the amounts, so it has a code of its own.
        if p.role == "floor" and (active[i] or theta[i] - half[i] <= p.low):
            codes.append("floor_not_identified")
        elif not active[i] and i not in error.undetermined and half[i] > _widest(problem, i):
            codes.append(f"not_identified:{p.name}")
    return codes


def _widest(problem: FitProblem, which: int) -> float:
    """The half-width beyond which a coordinate counts as not determined: a factor of 10, or half of its range."""
    p = problem.space.free[which]
    if p.role in LOGARITHMIC or p.role == "log_amount":
        return float(np.log(10.0))
    room = float(problem.space.high[which] - problem.space.low[which])
    return 0.5 * room if np.isfinite(room) else float("inf")
