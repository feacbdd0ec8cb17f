"""The weighted average of several laws: the default prediction, as no single form is safe to extrapolate."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import ArrayLike

from analysis.curve import Curve, fit
from analysis.points import Array, Points
from analysis.solver import solve
from analysis.uncertainty import SCALES, Prediction, quantile


@dataclass(frozen=True, eq=False)
class Average:
    """Curves with weights that add up to 1. The interval holds each curve's own and the disagreement between them."""

    curves: tuple[Curve, ...]
    weights: Array
    warnings: tuple[str, ...]

    def predict(self, x: Mapping[str, ArrayLike], level: float = 0.95, kind: str = "mean") -> Prediction:
        """As `Curve.predict`, averaged on the scale on which intervals are symmetric."""
        parts = [curve.linked(x, level, kind) for curve in self.curves]
        eta, half = (np.stack(column) for column in zip(*parts, strict=True))
        share = np.where(np.isnan(eta), 0.0, self.weights[:, None])  # no say where a law has no value
        share = share / share.sum(axis=0)
        centre = (share * np.nan_to_num(eta)).sum(axis=0)
        apart = quantile(level, np.inf) * (eta - centre)
        width = np.sqrt((share * np.nan_to_num(half**2 + apart**2)).sum(axis=0))
        back = SCALES[self.curves[0].problem.objective.name].back
        return Prediction(back(centre), back(centre - width), back(centre + width))


def fit_average(
    points: Points,
    laws: Sequence[str] = ("shifted_power", "bounded", "m4"),
    objective: str = "log",
    delta: float = 1e-3,
    seed: int = 0,
) -> Average:
    """Fit each law and weigh it by how well it predicts each amount from the others.

    A law that needs more amounts than there are is left out, with the warning ``law_refused:NAME``.
    Raises ValueError when every law is refused, or for the reasons of `fit`.
    """
    curves, refused = [], {}
    for law in laws:
        try:
            curves.append(fit(points, law, objective, delta, seed))
        except ValueError as error:
            refused[law] = str(error)
    if not curves:
        reasons = "; ".join(refused.values()) or "laws is empty"
        raise ValueError(f"no law can be fitted: {reasons}")
    notes = [f"law_refused:{law}" for law in refused]
    notes += [f"{curve.law.name}:{code}" for curve in curves for code in curve.warnings]
    return Average(tuple(curves), _weights(curves), tuple(notes))


def _weights(curves: Sequence[Curve]) -> Array:
    """Weights from the objective over amounts that were left out one at a time: a likelihood of what was not seen."""
    errors = np.array([_left_out(curve) for curve in curves])
    points = len(curves[0].points)
    floor = 1e-12 * max(float(errors.max()), 1e-300)
    if curves[0].spread.counts:
        dispersion = max(1.0, min(curve.spread.dispersion for curve in curves))
        score = -0.5 * errors / dispersion
    else:
        score = -0.5 * points * np.log(errors + floor)
    weight = np.exp(score - score.max())
    return np.asarray(weight / weight.sum())


def _left_out(curve: Curve) -> float:
    """The sum of the objective over the points, each predicted by the law refitted without all points of its amount."""
    problem = curve.problem
    amounts = np.stack(list(curve.points.x.values()))
    label = np.unique(amounts, axis=1, return_inverse=True)[1].reshape(-1)
    out = np.arange(label.max() + 1)[:, None] == label[None, :]
    without = replace(problem, weight=np.where(out, 0.0, problem.weight))
    space = problem.space
    theta, _ = solve(without, np.tile(curve.theta, (len(out), 1)), space.low, space.high, steps=60, tolerance=1e-8)
    terms = problem.objective.terms(problem.fitted(theta), problem.y, problem.trials)
    return float((np.where(out, problem.weight * terms, 0.0)).sum())
