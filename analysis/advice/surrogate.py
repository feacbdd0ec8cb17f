"""The surrogate model of an ability: a Gaussian process over own data, other data and strategy."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from itertools import product

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.spatial.distance import cdist
from scipy.special import expit

from analysis.advice.distance import OTHER, OWN, Places, amounts_of, places, ratios, stretch
from analysis.arrays import Array
from analysis.data.metric import Metric
from analysis.data.table import COLUMNS
from analysis.format import counted
from analysis.verdicts.arms import ArmMeans
from analysis.verdicts.strata import ALONE
from analysis.verdicts.strategy import strategy_labels

Labels = NDArray[np.str_]
BASE = "base"
MIN_ARMS = 4
MEANINGS = {column.name: column.meaning for column in COLUMNS}
"""What the columns of the long table mean."""


@dataclass(frozen=True)
class KernelShape:
    """What the kernel takes effects to be, in standard deviations of the values.

    ``linear`` is the size of a linear effect over the range measured, ``bend`` that of deviations from it, which
    extend over ``reach`` of the range. ``shared`` is the correlation of effects between strategies, ``scatter`` the
    scatter of a run beyond its items' noise.
    """

    linear: float
    bend: float
    reach: float
    shared: float
    scatter: float


GRID = tuple(
    KernelShape(*s) for s in product((0.7, 2.0), (0.2, 0.7, 1.5), (0.15, 0.3, 0.8), (0.7, 0.95), (0.02, 0.1, 0.3))
)
LEVEL = 1.5  # prior standard deviation of the level, in those of the values
ABSENT = 0.3
"""Correlation of effects between cells with and without own data: what other data do to a model that has seen nothing
of an ability tells little of what they do beside its own data.
"""
ONE_SUM = (OTHER,)
"""The other data of a surrogate that counts all of it in one sum."""
SHRUNK = (0.1, 0.3, 1.0)
"""How much the data of other abilities, each apart, may matter beside own data, by marginal likelihood."""
CLEARLY = 2.0
"""By how much the logarithm of the marginal likelihood has to rise for one input to count more or less than the rest;
with less, few mixtures are told apart by chance and intervals come out too narrow."""


@dataclass(frozen=True, eq=False)
class CellInputs:
    """The inputs of the surrogate: own and other data (cells, 1 + others), scaled to the range measured; strategies."""

    inputs: Array
    strategy: Labels

    def take(self, which: slice) -> CellInputs:
        """The cells of a slice."""
        return CellInputs(self.inputs[which], self.strategy[which])

    def and_then(self, other: CellInputs) -> CellInputs:
        """These cells followed by the others."""
        return CellInputs(np.concatenate([self.inputs, other.inputs]), np.concatenate([self.strategy, other.strategy]))


@dataclass(frozen=True, eq=False)
class Surrogate:
    """A Gaussian process fitted to the arms of one ability.

    Its values are merits (`Metric.merit`), those of shares and ratings as logits. The kernel is constant + linear +
    squared exponential, a part of it common to all strategies, and to cells with and without own data (intrinsic
    coregionalisation; Rasmussen and Williams 2006, chapters 2 and 4). Its shape is the one of ``GRID`` with the largest
    marginal likelihood, by which also each input counts more or less (section 5.1). ``others`` are the abilities whose
    data count apart, each with an effect of its own that may help or hurt, or `ONE_SUM`; of the two, the one that
    predicts mixtures left out better was taken, and ``instead`` is the `error` of the one that was not, NaN where there
    was no choice.
    """

    ability: str
    metric: Metric
    others: tuple[str, ...]
    shape: KernelShape
    unit: Array  # (2, 1 + others): the smallest amount, and the range of ln(1 + amount / smallest), of each input
    design: CellInputs
    centre: float
    scale: float
    noise: Array  # variance of each arm, in units of scale squared
    factor: Array  # lower Cholesky factor of the kernel with noise
    solved: Array  # kernel with noise, solved for the values
    places: Places
    instead: float = float("nan")

    def inputs(self, amounts: Mapping[str, Array], strategy: Labels) -> CellInputs:
        """Cells with these numbers of samples (cells,): `OWN`, `OTHER`, and by ability. What is absent counts as 0."""
        none = np.zeros(len(strategy))
        columns = np.stack([amounts.get(name, none) for name in (OWN, *self.others)], axis=1)
        return CellInputs(np.log1p(columns / self.unit[0]) / self.unit[1], strategy)

    def away(self, amounts: Mapping[str, Array], strategy: Labels) -> Array:
        """The doublings (cells,) between cells of these amounts, as in `inputs`, and the nearest arm; `Places.away`."""
        none = np.zeros(len(strategy))
        return self.places.away(np.stack([amounts.get(n, none) for n in self.places.names], axis=1), strategy)

    def predict(self, cells: CellInputs) -> tuple[Array, Array]:
        """Means (cells,) and covariance (cells, cells) of the curve, without the scatter of runs."""
        cross = kernel(self.shape, cells, self.design)
        half = solve_triangular(self.factor, cross.T, lower=True)
        covariance = kernel(self.shape, cells, cells) - half.T @ half
        return self.centre + self.scale * (cross @ self.solved), self.scale**2 * covariance

    def shown(self, value: Array) -> Array:
        """Values of the surrogate as values of the metric."""
        return self.metric.value(self.merit(value))

    def merit(self, value: Array) -> Array:
        """Values of the surrogate as merits, which weighted sums add up."""
        return np.asarray(expit(value) if self.metric.bounded else value)

    def stretch(self, away: Array, strategy: Labels) -> Array:
        """How many times as wide as stated (cells,) intervals are that far from the nearest arm; see `stretch`."""
        whole = self.factor @ self.factor.T
        return stretch(self.places, away, strategy, whole, whole @ self.solved)

    def ratios(self) -> tuple[list[float], float]:
        """The same by whole doublings; see `ratios`."""
        whole = self.factor @ self.factor.T
        return ratios(self.places, whole, whole @ self.solved)

    def left_out(self) -> tuple[Array, Array]:
        """Each arm predicted from those of all other mixtures: predicted minus measured, and that in standard errors.

        Arms of equal amounts, which differ in strategy, are left out together; the shape of the kernel stays.
        """
        inverse = cho_solve((self.factor, True), np.eye(len(self.solved)))
        mixture = np.unique(self.places.doublings.round(6), axis=0, return_inverse=True)[1].ravel()
        gap, variance = np.zeros(len(mixture)), np.zeros(len(mixture))
        for which in range(mixture.max() + 1):
            arms = np.flatnonzero(mixture == which)
            covariance = np.linalg.inv(inverse[np.ix_(arms, arms)])
            gap[arms], variance[arms] = -covariance @ self.solved[arms], np.diag(covariance)
        return self.scale * gap, gap / np.sqrt(variance)

    @property
    def error(self) -> float:
        """The root mean square error of arms predicted from other mixtures, in the unit of `Metric.model_unit`."""
        return float(np.sqrt((self.left_out()[0] ** 2).mean()))


def kernel(shape: KernelShape, left: CellInputs, right: CellInputs) -> Array:
    """The prior covariance (left, right) between cells, in units of scale squared."""
    away = cdist(left.inputs, right.inputs, "sqeuclidean") / shape.reach**2
    effect = shape.linear**2 * (left.inputs @ right.inputs.T) + shape.bend**2 * np.exp(-0.5 * away)
    same = left.strategy[:, None] == right.strategy[None, :]
    both = (left.inputs[:, :1] > 0) == (right.inputs[:, 0] > 0)
    return np.asarray(LEVEL**2 + effect * np.where(same, 1.0, shape.shared) * np.where(both, 1.0, ABSENT))


def lacks(arms: ArmMeans) -> str:
    """Why there is no surrogate of these arms and what would help; "" where there is one."""
    table = arms.table
    if absent := [name for name in ("samples", "total_samples") if name not in table]:
        return f"the table lacks the column {absent[0]}, {MEANINGS[absent[0]]}; add it"
    if len(table) < MIN_ARMS:
        return f"it was measured on {counted(len(table), 'design')}, and it takes {MIN_ARMS}"
    value, variance = values(arms)
    if not np.isfinite(variance).all():
        items = "n_items or stderr" if arms.metric.kind == "share" else "stderr"
        return f"its noise is unknown; add a column {items}, or runs with other seeds"
    return "all its values are equal" if np.ptp(value) == 0 else ""


def surrogate(arms: ArmMeans, *, one_sum: bool = False) -> Surrogate:
    """The surrogate of an ability's arms, including those not trained on it; of arms that lack nothing (see `lacks`).

    With ``one_sum`` other abilities count in one sum whatever predicts better.
    """
    table = arms.table
    plain = _fitted(arms, ONE_SUM, None)
    amounts = amounts_of(table)
    apart = tuple(n for n in amounts if n not in (OWN, OTHER, arms.ability) and amounts[n].any())
    if one_sum or len(apart) < 2:
        return plain
    better, worse = sorted([plain, _fitted(arms, apart, plain.shape)], key=lambda model: model.error)
    return replace(better, instead=worse.error)


def _fitted(arms: ArmMeans, others: tuple[str, ...], start: KernelShape | None) -> Surrogate:
    """The surrogate in which these others count; how much they may is chosen for the shape ``start``, if given."""
    table, names = arms.table, strategies(arms)
    value, variance = values(arms)
    amounts = amounts_of(table)
    columns = np.stack([amounts[name] for name in (OWN, *others)], axis=1)
    least = float(min(column[column > 0].min() for column in (amounts[OWN], amounts[OTHER]) if column.any()))
    doses = np.log1p(columns / least)
    span = np.maximum(doses.max(axis=0), 1.0)
    centre, scale = float(value.mean()), float(value.std())
    standard, noise = (value - centre) / scale, variance / scale**2

    def evidence(shape: KernelShape, span: Array) -> float:
        return _evidence(shape, CellInputs(doses / span, names), standard, noise)

    if start is not None:
        spans = [span / np.array([1.0] + [size] * len(others)) for size in SHRUNK]
        span = max(spans, key=lambda span: evidence(start, span))
    best = max(GRID, key=lambda shape: evidence(shape, span))
    if start is not None and (weighed := _weighed(span, lambda span: evidence(best, span))) is not span:
        span = weighed
        best = max(GRID, key=lambda shape: evidence(shape, span))
    design = CellInputs(doses / span, names)
    noise = noise + best.scatter**2 / table["runs"].to_numpy(float)
    factor = np.asarray(np.linalg.cholesky(kernel(best, design, design) + np.diag(noise)), dtype=float)
    solved = cho_solve((factor, True), standard)
    unit, at = np.stack([np.full(len(span), least), span]), places(table, least, names)
    return Surrogate(arms.ability, arms.metric, others, best, unit, design, centre, scale, noise, factor, solved, at)


def _weighed(span: Array, evidence: Callable[[Array], float]) -> Array:
    """The ranges (inputs,) of the inputs with some a third or three times as large, by which they count more or less:
    one after another, each where that raises the evidence by more than `CLEARLY`.
    """
    for one in np.eye(len(span)):
        known = evidence(span)
        likely = max((span * 3.0**-one, span * 3.0**one), key=evidence)
        span = likely if evidence(likely) > known + CLEARLY else span
    return span


def strategies(arms: ArmMeans) -> Labels:
    """The strategy of each arm; training on one ability only counts as multitask training with one."""
    if "strategy" not in arms.table:
        return np.full(len(arms.table), "multitask")
    names = strategy_labels(arms.table).to_numpy(str)
    return np.where(names == ALONE, "multitask", names)


def values(arms: ArmMeans) -> tuple[Array, Array]:
    """The arms' means as values of the surrogate, and their variances."""
    mean, variance = (arms.table[c].to_numpy(float) for c in ("mean", "variance"))
    if not arms.metric.bounded:
        return mean, variance
    near = np.clip(mean, 0.004, 0.996)
    return np.log(near / (1 - near)), variance / (near * (1 - near)) ** 2


def _evidence(shape: KernelShape, design: CellInputs, value: Array, noise: Array) -> float:
    """The logarithm of the marginal likelihood, up to a constant."""
    matrix = kernel(shape, design, design) + np.diag(noise + shape.scatter**2)
    factor, lower = cho_factor(matrix, lower=True)
    return float(-0.5 * value @ cho_solve((factor, lower), value) - np.log(np.diag(factor)).sum())
