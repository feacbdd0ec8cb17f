"""One surrogate an ability: a Gaussian process over own data, others' data and strategy."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.special import expit

from analysis.arrays import Array
from analysis.data.metric import Metric
from analysis.verdicts.arms import ArmMeans
from analysis.verdicts.strategy import ALONE, strategy_labels

Labels = NDArray[np.str_]
BASE = "base"
FEWEST = 4  # arms of an ability below which there is no surrogate


@dataclass(frozen=True)
class Shape:
    """Prior standard deviations, in those of the values: of the level, of a linear effect over the range seen, of what
    bends away from it (over ``reach`` of the range); the share that strategies have in common; and the scatter of a
    run beyond its items' noise.
    """

    linear: float
    bend: float
    reach: float
    shared: float
    scatter: float


GRID = tuple(Shape(*s) for s in product((0.7, 2.0), (0.2, 0.7, 1.5), (0.15, 0.3, 0.8), (0.7, 0.95), (0.02, 0.1, 0.3)))
LEVEL = 1.5


@dataclass(frozen=True, eq=False)
class Design:
    """Cells as the surrogate sees them: inputs scaled to the range measured (cells, inputs), and strategies."""

    inputs: Array
    strategy: Labels

    def take(self, which: slice) -> Design:
        """Some of the cells."""
        return Design(self.inputs[which], self.strategy[which])

    def and_then(self, other: Design) -> Design:
        """These cells and the others."""
        return Design(np.concatenate([self.inputs, other.inputs]), np.concatenate([self.strategy, other.strategy]))


@dataclass(frozen=True, eq=False)
class Surrogate:
    """Fitted to the arms of one ability. Values are merits (`Metric.merit`), those of shares and ratings as logits.

    The kernel is constant + linear + squared exponential, a part of it common to all strategies (an intrinsic
    coregionalisation; Rasmussen and Williams 2006, chapters 2 and 4). Its shape has the largest marginal likelihood of
    ``GRID``.
    """

    ability: str
    metric: Metric
    shape: Shape
    unit: Array  # what divides each input
    design: Design
    centre: float
    scale: float
    noise: Array  # variance of each arm, scaled
    factor: Array  # lower Cholesky factor of the kernel with noise
    solved: Array  # kernel with noise, solved for the values

    def inputs(self, own: Array, others: Array, strategy: Labels) -> Design:
        """Cells with these samples of the ability itself and of all others."""
        return Design(np.log1p(np.stack([own, others], axis=1) / self.unit[0]) / self.unit[1], strategy)

    def predict(self, cells: Design) -> tuple[Array, Array]:
        """Means (cells,) and covariance (cells, cells) of the curve at cells, without the scatter of a run."""
        cross = kernel(self.shape, cells, self.design)
        half = solve_triangular(self.factor, cross.T, lower=True)
        covariance = kernel(self.shape, cells, cells) - half.T @ half
        return self.centre + self.scale * (cross @ self.solved), self.scale**2 * covariance

    def shown(self, value: Array) -> Array:
        """Values of the metric."""
        return self.metric.value(self.utility(value))

    def utility(self, value: Array) -> Array:
        """What a weighted sum adds up: merits."""
        return np.asarray(expit(value) if self.metric.bounded else value)

    def left_out(self) -> tuple[Array, Array]:
        """Each arm predicted from all others: (predicted - measured), and that in standard errors."""
        inverse = cho_solve((self.factor, True), np.eye(len(self.solved)))
        variance = 1 / np.diag(inverse)
        gap = -self.solved * variance
        return self.scale * gap, gap / np.sqrt(variance)


def kernel(shape: Shape, left: Design, right: Design) -> Array:
    """The prior covariance between cells, in units of the values' variance."""
    a, b = left.inputs[:, None, :], right.inputs[None, :, :]
    away = (((a - b) / shape.reach) ** 2).sum(axis=-1)
    effect = shape.linear**2 * (a * b).sum(axis=-1) + shape.bend**2 * np.exp(-0.5 * away)
    same = left.strategy[:, None] == right.strategy[None, :]
    return np.asarray(LEVEL**2 + effect * np.where(same, 1.0, shape.shared))


def surrogate(found: ArmMeans) -> Surrogate | None:
    """The surrogate of an ability's arms, those not trained on it included; None for fewer than four arms, or where
    nothing tells their noise.
    """
    table = found.table
    if len(table) < FEWEST or not {"samples", "total_samples"} <= set(table):
        return None
    value, variance = values(found)
    if not np.isfinite(variance).all() or np.ptp(value) == 0:
        return None
    own = table["samples"].to_numpy(float)
    others = table["total_samples"].to_numpy(float) - own
    positive = np.concatenate([own, others])
    least = float(positive[positive > 0].min())
    span = np.maximum(np.log1p(np.stack([own, others], axis=1) / least).max(axis=0), 1.0)
    unit = np.stack([np.full(2, least), span])
    design = Design(np.log1p(np.stack([own, others], axis=1) / least) / span, strategies(found))
    centre, scale = float(value.mean()), float(value.std())
    noise = variance / scale**2
    best = max(GRID, key=lambda shape: _evidence(shape, design, (value - centre) / scale, noise))
    noise = noise + best.scatter**2 / table["runs"].to_numpy(float)
    factor = np.asarray(np.linalg.cholesky(kernel(best, design, design) + np.diag(noise)), dtype=float)
    solved = cho_solve((factor, True), (value - centre) / scale)
    return Surrogate(found.ability, found.metric, best, unit, design, centre, scale, noise, factor, solved)


def strategies(found: ArmMeans) -> Labels:
    """The strategy of each arm; training on one ability only is multitask training of one."""
    if "strategy" not in found.table:
        return np.full(len(found.table), "multitask")
    names = strategy_labels(found.table).to_numpy(str)
    return np.where(names == ALONE, "multitask", names)


def values(found: ArmMeans) -> tuple[Array, Array]:
    """Means of the arms as the surrogate sees them, and their variances."""
    mean, variance = (found.table[c].to_numpy(float) for c in ("mean", "variance"))
    if not found.metric.bounded:
        return mean, variance
    near = np.clip(mean, 0.004, 0.996)
    return np.log(near / (1 - near)), variance / (near * (1 - near)) ** 2


def _evidence(shape: Shape, design: Design, value: Array, noise: Array) -> float:
    """The logarithm of the marginal likelihood, but for a constant."""
    matrix = kernel(shape, design, design) + np.diag(noise + shape.scatter**2)
    factor, lower = cho_factor(matrix, lower=True)
    return float(-0.5 * value @ cho_solve((factor, lower), value) - np.log(np.diag(factor)).sum())
