"""Rolling-origin errors: each law fitted to the smaller amounts only, and how far off it is beyond them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from analysis.curve import Curve
from analysis.points import Array
from analysis.solver import Problem, solve
from analysis.uncertainty import SCALES

ORIGINS = 4  # at most; spread over the larger half of the amounts
STARTS = 2  # for each origin; taken from a grid, so that what lies ahead is not known


@dataclass(frozen=True, eq=False)
class Rollout:
    """``square`` (laws, origins): the mean square error, on the scale of the objective, over the amounts beyond each
    origin. ``origins`` are the largest amounts fitted (of the first amount, where there are several).
    """

    laws: tuple[str, ...]
    origins: Array
    square: Array

    @property
    def errors(self) -> Array:
        """The mean over the origins, one entry a law; infinite where a law had no value."""
        return np.asarray(np.where(np.isnan(self.square), np.inf, self.square).mean(axis=1))


def roll(curves: Sequence[Curve]) -> Rollout | None:
    """The errors of curves that were fitted to the same points; None where no law could spare an amount."""
    problem = curves[0].problem
    order = np.sum([np.log(np.maximum(x, 1e-300)) for x in problem.x], axis=0)
    steps = np.unique(order)
    fewest = max(max(curve.law.min_amounts for curve in curves), (len(steps) + 1) // 2)
    if len(steps) <= fewest:
        return None
    sizes = np.unique(np.linspace(fewest, len(steps) - 1, ORIGINS).round().astype(int))
    ahead = order[None, :] > steps[sizes - 1][:, None]
    largest = np.array([problem.x[0][~out].max() for out in ahead])
    square = np.stack([_errors(curve, ahead) for curve in curves])
    return Rollout(tuple(curve.law.name for curve in curves), largest, square)


def _errors(curve: Curve, ahead: Array) -> Array:
    """The mean square error over the points marked in each row of ``ahead``, each row fitted to the others."""
    problem = curve.problem
    space = problem.space
    first = curve.first[:STARTS]
    weight = np.where(ahead, 0.0, problem.weight)
    folds = replace(problem, weight=np.repeat(weight, len(first), axis=0))
    reached, cost = solve(folds, np.tile(first, (len(ahead), 1)), space.low, space.high, steps=14, tolerance=1e-4)
    best = np.arange(len(ahead)) * len(first) + cost.reshape(len(ahead), -1).argmin(axis=1)
    with np.errstate(all="ignore"):
        square = _gap(problem, problem.fitted(reached[best])) ** 2
    return np.asarray(np.where(ahead, square, 0.0).sum(axis=1) / ahead.sum(axis=1))


def _gap(problem: Problem, fitted: Array) -> Array:
    """Fitted minus measured on the scale of the objective; shares of 0 and 1 count as half an item away from that."""
    scale = SCALES[problem.objective.name]
    if problem.objective.name != "quasibinomial":
        return scale.forward(fitted) - scale.forward(problem.y)
    assert problem.trials is not None
    least = 0.5 / (problem.trials + 1)
    measured = (problem.y * problem.trials + 0.5) / (problem.trials + 1)
    return scale.forward(np.clip(fitted, least, 1 - least)) - scale.forward(measured)
