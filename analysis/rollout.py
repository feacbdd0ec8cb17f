"""Rolling-origin errors: each law fitted to the smaller amounts only, and how far off it is beyond them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.points import Array
from analysis.solver import Problem
from analysis.uncertainty import SCALES

ORIGINS = 4  # at most; spread over the larger half of the amounts


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
        """The geometric mean over the origins, one entry a law; infinite where a law had no value.

        Errors shrink by orders of magnitude from the first origin to the last; a plain mean would hear the first only.
        """
        with np.errstate(divide="ignore"):
            return np.asarray(np.exp(np.log(np.where(np.isnan(self.square), np.inf, self.square)).mean(axis=1)))


def windows(problems: Sequence[Problem]) -> tuple[Array, Array] | None:
    """What lies ahead of each origin, (origins, points), and the origins; None where no law could spare an amount.

    The problems hold the same points.
    """
    x = problems[0].x
    order = np.sum([np.log(np.maximum(amounts, 1e-300)) for amounts in x], axis=0)
    steps = np.unique(order)
    fewest = max(max(problem.space.law.min_amounts for problem in problems), (len(steps) + 1) // 2)
    if len(steps) <= fewest:
        return None
    sizes = np.unique(np.linspace(fewest, len(steps) - 1, ORIGINS).round().astype(int))
    ahead = order[None, :] > steps[sizes - 1][:, None]
    return ahead, np.array([x[0][~out].max() for out in ahead])


def square_errors(problem: Problem, reached: Array, ahead: Array) -> Array:
    """The mean square error over the points marked in each row of ``ahead``, for the coordinates fitted to the rest."""
    with np.errstate(all="ignore"):
        square = _gap(problem, problem.fitted(reached)) ** 2
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
