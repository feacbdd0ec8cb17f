"""Rolling-origin errors: each law fitted to the smaller amounts only, and how far off it is beyond them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.arrays import Array
from analysis.fitting.solver import Problem
from analysis.fitting.uncertainty import SCALES

ORIGINS = 4  # at most; spread over the larger half of the amounts


@dataclass(frozen=True, eq=False)
class Rollout:
    """``square`` (laws, origins): the mean square error, on the scale of the objective, over the amounts beyond each
    origin. ``average`` is that of the laws' average, weighted as the origins before say (all alike at the first).
    ``origins`` are the largest amounts fitted (of the first amount, where there are several).
    """

    laws: tuple[str, ...]
    origins: Array
    square: Array
    average: Array

    @property
    def errors(self) -> Array:
        """The geometric mean over the origins, one entry a law; infinite where a law had no value.

        Errors shrink by orders of magnitude from the first origin to the last; a plain mean would hear the first only.
        """
        return _geometric(self.square)


def _geometric(square: Array) -> Array:
    with np.errstate(divide="ignore"):
        return np.asarray(np.exp(np.log(np.where(np.isnan(square), np.inf, square)).mean(axis=-1)))


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


def rollout(problems: Sequence[Problem], reached: Sequence[Array], ahead: Array, origins: Array) -> Rollout:
    """The errors at the points marked in each row of ``ahead``, for the coordinates fitted to the rest: ``reached`` has
    one array (origins, coordinates) a problem.
    """
    with np.errstate(all="ignore"):
        gaps = np.stack([_gap(p, p.fitted(theta)) for p, theta in zip(problems, reached, strict=True)])
    square = _mean_square(gaps, ahead)
    average = np.full(len(origins), np.nan)
    for i in range(len(origins)):
        before = _geometric(square[:, :i]) if i else np.ones(len(problems))
        weight = np.where(np.isfinite(square[:, i] + before), 1 / np.maximum(before, 1e-20), 0.0)
        if weight.any():
            mixed = np.einsum("l,lp->p", weight / weight.sum(), np.where(weight[:, None] > 0, gaps[:, i], 0.0))
            average[i] = _mean_square(mixed, ahead[i])
    return Rollout(tuple(p.space.law.name for p in problems), origins, square, average)


def _mean_square(gaps: Array, ahead: Array) -> Array:
    return np.asarray(np.where(ahead, gaps**2, 0.0).sum(axis=-1) / ahead.sum(axis=-1))


def _gap(problem: Problem, fitted: Array) -> Array:
    """Fitted minus measured on the scale of the objective; shares of 0 and 1 count as half an item away from that."""
    scale = SCALES[problem.objective.name]
    if problem.objective.name != "quasibinomial":
        return scale.forward(fitted) - scale.forward(problem.y)
    assert problem.trials is not None
    least = 0.5 / (problem.trials + 1)
    measured = (problem.y * problem.trials + 0.5) / (problem.trials + 1)
    return scale.forward(np.clip(fitted, least, 1 - least)) - scale.forward(measured)
