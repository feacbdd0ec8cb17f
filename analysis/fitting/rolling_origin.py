"""Rolling-origin errors: each law fitted to the smaller amounts, tested on the larger ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.arrays import Array
from analysis.fitting.solver import FitProblem
from analysis.fitting.uncertainty import SCALES

MAX_ORIGINS = 4  # spread over the larger half of the amounts


@dataclass(frozen=True, eq=False)
class RollingOrigin:
    """How well laws predict larger amounts from smaller ones (rolling-origin evaluation, Tashman 2000, Int. J.
    Forecasting 16).

    An origin is the largest amount that was fitted (of the first amount, where a law takes several). ``square_errors``
    (laws, origins) holds the mean square error over all amounts beyond the origin, on the scale of the objective (see
    `analysis.fitting.uncertainty.SCALES`). ``average_square_errors`` (origins) is that of the average of the laws,
    weighted by their errors at the earlier origins (equally at the first).
    """

    laws: tuple[str, ...]
    origins: Array
    square_errors: Array
    average_square_errors: Array

    @property
    def errors(self) -> Array:
        """The geometric mean of the square errors over the origins, (laws,); infinite where a law had no value.

        Errors shrink by orders of magnitude from the first origin to the last: an arithmetic mean would reflect the
        first alone.
        """
        return _geometric_mean(self.square_errors)


def _geometric_mean(square_errors: Array) -> Array:
    """Over the last axis; a missing error counts as infinite."""
    with np.errstate(divide="ignore"):
        return np.asarray(np.exp(np.log(np.where(np.isnan(square_errors), np.inf, square_errors)).mean(axis=-1)))


def held_out_points(problems: Sequence[FitProblem]) -> tuple[Array, Array] | None:
    """Which points each origin holds out, (origins, points), and the origins' amounts, (origins,).

    All problems have the same points. None where some law needs every amount, so that none can be held out.
    """
    x = problems[0].x
    # Several amounts are ordered by the sum of their logarithms, that is by their product.
    sizes = np.sum([np.log(np.maximum(amounts, 1e-300)) for amounts in x], axis=0)
    distinct = np.unique(sizes)
    fewest = max(max(problem.space.law.min_amounts for problem in problems), (len(distinct) + 1) // 2)
    if len(distinct) <= fewest:
        return None
    fitted_counts = np.unique(np.linspace(fewest, len(distinct) - 1, MAX_ORIGINS).round().astype(int))
    held_out = sizes[None, :] > distinct[fitted_counts - 1][:, None]
    return held_out, np.array([x[0][~row].max() for row in held_out])


def rolling_origin(
    problems: Sequence[FitProblem], coordinates: Sequence[Array], held_out: Array, origins: Array
) -> RollingOrigin:
    """The errors at the points that each origin holds out.

    ``coordinates`` has one array (origins, free parameters) a problem: the fits without the held-out points.
    ``held_out`` and ``origins`` are those of `held_out_points`.
    """
    with np.errstate(all="ignore"):
        gaps = np.stack([_gap(p, p.fitted(theta)) for p, theta in zip(problems, coordinates, strict=True)])
    square_errors = _mean_square(gaps, held_out)
    average = np.full(len(origins), np.nan)
    for i in range(len(origins)):
        # Only earlier origins may weigh the laws: the held-out points of this one would leak into its own test.
        earlier = _geometric_mean(square_errors[:, :i]) if i else np.ones(len(problems))
        weight = np.where(np.isfinite(square_errors[:, i] + earlier), 1 / np.maximum(earlier, 1e-20), 0.0)
        if weight.any():
            mixed = np.einsum("l,lp->p", weight / weight.sum(), np.where(weight[:, None] > 0, gaps[:, i], 0.0))
            average[i] = _mean_square(mixed, held_out[i])
    return RollingOrigin(tuple(p.space.law.name for p in problems), origins, square_errors, average)


def _mean_square(gaps: Array, held_out: Array) -> Array:
    """Over the held-out points, which are the last axis."""
    return np.asarray(np.where(held_out, gaps**2, 0.0).sum(axis=-1) / held_out.sum(axis=-1))


def _gap(problem: FitProblem, fitted: Array) -> Array:
    """Fitted minus measured times the root of the weight, on the scale of the objective; shares by the angular
    transformation.

    Twice the arcsine of the root has the same noise for every share of n items, 1 / sqrt(n) (Anscombe 1948, Biometrika
    35), whereas logits near 0 and 1 would let a single item outweigh all other amounts. Times 2, it equals a difference
    of logits in the middle.
    """
    if problem.objective.name != "quasibinomial":
        forward = SCALES[problem.objective.name].forward
        return np.asarray((forward(fitted) - forward(problem.y)) * np.sqrt(problem.weight[0]))
    angle, measured = (np.arcsin(np.sqrt(np.clip(share, 0.0, 1.0))) for share in (fitted, problem.y))
    return np.asarray(4 * (angle - measured))
