"""What is wrong with points or with a fit, as stable warning codes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from analysis.arrays import Array
from analysis.fitting.coordinates import Coordinates
from analysis.fitting.points import Points
from analysis.fitting.solver import Expansion, FitProblem
from analysis.fitting.uncertainty import FitError
from analysis.laws.law import LOGARITHMIC

# code: what it means, and what helps. Codes are stable: scripts may look for them.
WARNINGS = {
    "missing_dropped": ("points with a missing number were left out", "complete or remove them"),
    "zero_dropped": (
        "points at amount 0 were left out: the laws describe what data adds",
        "none needed; laws of mixtures keep zeros",
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
        "try a law with fewer parameters; look at the curve before its parameters",
    ),
    "bound": ("parameter {name} ends at its bound", "trust the curve within the amounts seen; try another law"),
    "floor_not_identified": (
        "the interval of the floor reaches its lower bound: these amounts do not show a floor",
        "measure larger amounts, or quote no floor",
    ),
    "not_identified": (
        "the points do not determine parameter {name}",
        "quote predictions, not this parameter; measure amounts where it matters",
    ),
    "separated": (
        "scores jump from (nearly) 0 to (nearly) 1 between two amounts: how steeply is not determined",
        "measure amounts between them",
    ),
    "no_spare_points": ("as many parameters as points, so there are no intervals", "measure more amounts or seeds"),
    "law_refused": (
        "law {name} needs more amounts than there are, so it is not in the average",
        "measure more amounts",
    ),
}


def explain(code: str) -> str:
    """A warning code such as ``bound:b`` in words."""
    kind, _, name = code.partition(":")
    return WARNINGS[kind][0].format(name=name)


def remedy(code: str) -> str:
    """What helps against what a warning code such as ``bound:b`` says."""
    return WARNINGS[code.partition(":")[0]][1]


def usable(points: Points, zeros: bool = False) -> tuple[Points, list[str]]:
    """The points that a law can be fitted to, in canonical order, and warnings about the rest.

    ``zeros`` keeps those with an amount of 0. Raises ValueError where none is left.
    """
    codes = []
    missing = points.missing()
    zero = ~missing & (np.stack(list(points.x.values())) == 0).any(axis=0) & (not zeros)
    if missing.any():
        codes.append("missing_dropped")
    if zero.any():
        codes.append("zero_dropped")
    kept = points.take(~missing & ~zero).ordered()
    if not len(kept):
        raise ValueError(f"none of the {len(points)} points has an amount above 0 and a value: there is nothing to fit")
    labels = np.zeros(len(kept)) if kept.group is None else np.unique(kept.group, return_inverse=True)[1]
    rows = np.stack([*kept.x.values(), kept.value, labels])
    if len(np.unique(rows, axis=1).T) < len(kept):
        codes.append("duplicates")
    if np.ptp(kept.value) == 0:
        codes.append("constant_values")
    return kept, codes


def separated(points: Points) -> bool:
    """Whether shares of items are (within one item) 0 up to an amount and 1 from the next on, or the reverse.

    Then every steep enough curve fits alike (complete separation; Albert and Anderson 1984, Biometrika 71).
    """
    if points.trials is None or len(points.x) != 1:
        return False
    amount = next(iter(points.x.values()))
    wrong, right = points.value * points.trials <= 1, (1 - points.value) * points.trials <= 1
    if not (wrong | right).all() or not wrong.any() or not right.any():
        return False
    return bool(amount[wrong].max() < amount[right].min() or amount[right].max() < amount[wrong].min())


def active_bounds(space: Coordinates, theta: Array, gradient: Array) -> NDArray[np.bool_]:
    """The coordinates that press against a bound."""
    return np.asarray(((theta <= space.low) & (gradient >= 0)) | ((theta >= space.high) & (gradient <= 0)))


def gradient_norm(here: Expansion, active: NDArray[np.bool_]) -> float:
    """What one more step promises to gain, as a share of the objective: 0 at a minimum, whatever the units.

    ``here`` has a batch of one.
    """
    matrix = here.hessian[0] + 1e-9 * np.diag(here.diagonal[0] + 1e-300)
    pull = np.where(active, 0.0, here.gradient[0])
    gain = float(pull @ np.linalg.pinv(matrix, hermitian=True) @ pull)
    return gain / max(float(here.cost[0]), 1e-20)


def fit_warnings(
    problem: FitProblem, theta: Array, active: NDArray[np.bool_], error: FitError, norm: float, agree: bool
) -> list[str]:
    """Warning codes about the search and about what the points determine."""
    free = problem.space.free
    found = [f"bound:{p.name}" for p, at in zip(free, active, strict=True) if at]
    if not agree:
        found.append("few_starts_agree")
    if norm > 1e-4:
        found.append("not_converged")
    if error.dof <= 0:
        return [*found, "no_spare_points"]
    found += [f"not_identified:{free[i].name}" for i in error.undetermined]
    half = error.half_width(np.eye(len(theta)), 0.95)
    for i, p in enumerate(free):
        if p.role == "floor" and (active[i] or theta[i] - half[i] <= p.low):
            found.append("floor_not_identified")
        elif not active[i] and i not in error.undetermined and half[i] > _too_wide(problem, i):
            found.append(f"not_identified:{p.name}")
    return found


def _too_wide(problem: FitProblem, which: int) -> float:
    """The half-width beyond which a parameter counts as not determined."""
    p = problem.space.free[which]
    if p.role in LOGARITHMIC or p.role == "log_amount":
        return float(np.log(10.0))
    room = float(problem.space.high[which] - problem.space.low[which])
    return 0.5 * room if np.isfinite(room) else float("inf")
