"""A size of model that was not trained, predicted from smaller ones; and how well that would have worked before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache

import numpy as np
import pandas as pd
from scipy.special import expit

from analysis.arrays import Array
from analysis.data.cost import COSTS
from analysis.data.metric import Metric
from analysis.data.study import Measure, trained_elsewhere
from analysis.data.table import factors_of
from analysis.fitting.curve import Curve, fit
from analysis.fitting.points import Points
from analysis.fitting.uncertainty import LOG, LOGIT, Prediction, Scale, quantile
from analysis.laws.catalogue import laws_for

MIN_SIZES = 3  # the largest tests what the others say
MIN_AMOUNTS = 2
USUAL = {"log": 0.07, "logit": 0.3}
"""Error of a size predicted from smaller ones, as public ladders of fine-tuned models show; that of logits assumed."""
USUAL_DOF = 2.0  # what it counts for beside the sizes held out
LINE = "line"  # a straight line over the logarithm of sizes at each amount; further forecasters are laws
THROUGH_LOSS = "through the loss"  # the loss of the size, and the score that goes with it
MIN_SLOPE_POINTS = 4  # pairs of loss and score that a line between them needs


@dataclass(frozen=True, eq=False)
class Ladder:
    """Means of one measure over sizes (rising) and the amounts that all sizes have: ``value`` and ``items`` have the
    shape (sizes, amounts). Values are losses or shares of a range; ``items`` is None where the number is unknown.
    ``loss`` is the ladder of the ability's loss at the same sizes and amounts, beside one of scores; else None.
    """

    label: str
    metric: Metric
    sizes: Array
    amounts: Array
    value: Array
    items: Array | None
    loss: Ladder | None = None

    @property
    def scale(self) -> Scale:
        """The scale of errors and intervals."""
        return LOGIT if self.metric.bounded else LOG

    @cached_property
    def earlier(self) -> tuple[Ladder, ...]:
        """The ladders of the smallest two sizes, three sizes and so on, without the whole one.

        Scores and losses share those of the losses, and with them their fits.
        """
        if len(self.sizes) <= 2:
            return ()
        items = None if self.items is None else self.items[:-1]
        loss = None if self.loss is None else self.loss.earlier[-1]
        shorter = Ladder(self.label, self.metric, self.sizes[:-1], self.amounts, self.value[:-1], items, loss)
        return (*shorter.earlier, shorter)


@dataclass(frozen=True, eq=False)
class Forecast:
    """The values (amounts,) of a size, predicted from smaller ones, and the weights of the forecasters.

    ``error`` is the standard error on the ladder's scale, with ``dof`` degrees of freedom.
    """

    size: float
    prediction: Prediction
    weights: Mapping[str, float]
    error: float
    dof: float


@dataclass(frozen=True, eq=False)
class HeldOut:
    """A measured size beside its prediction from the smaller ones.

    ``error`` is the root mean square over amounts on the ladder's scale, ``covered`` the share of amounts whose
    interval holds the measurement, ``distance`` how far the size lies beyond the largest used, in the range of the
    logarithms of those.
    """

    forecast: Forecast
    measured: Array
    error: float
    covered: float
    distance: float


def ladders(measure: Measure, losses: Sequence[Measure] = ()) -> list[Ladder]:
    """The ladders of a measure: one for each design that at least `MIN_SIZES` sizes share, at two amounts or more.

    Those of scores come with that of the ability's loss, where one of ``losses`` has the same sizes and amounts.
    """
    by_design = _by_design(measure)
    if not measure.metric.bounded:
        return list(by_design.values())
    beside = [_by_design(m) for m in losses if m.ability == measure.ability and m.metric.kind == "loss"]
    return [
        replace(one, loss=_beside(one, [found.get(design) for found in beside])) for design, one in by_design.items()
    ]


def _beside(scores: Ladder, losses: Sequence[Ladder | None]) -> Ladder | None:
    """The first ladder of losses at the sizes and amounts of one of scores."""
    for loss in losses:
        if loss is None or not np.array_equal(loss.sizes, scores.sizes):
            continue
        if np.array_equal(loss.amounts, scores.amounts):
            return loss
    return None


@lru_cache(maxsize=256)
def _by_design(measure: Measure) -> dict[str, Ladder]:
    """The ladders of a measure by their designs; those of a loss serve all scores of its ability."""
    rows, axis = measure.trained[~trained_elsewhere(measure.trained)], _axis(measure)
    if measure.metric.kind == "other" or not {"params", axis} <= set(rows) or rows["params"].nunique() < MIN_SIZES:
        return {}
    along = ("model", "params", axis, "total_samples", "fraction")
    by = [c for c in factors_of(rows) if c not in along and not c.startswith("samples_") and rows[c].nunique() > 1]
    groups = rows.groupby(by, dropna=False, sort=False) if by else [((), rows)]
    found = {design: _ladder(measure, part, design) for key, part in groups for design in [", ".join(map(str, key))]}
    return {design: ladder for design, ladder in found.items() if ladder is not None}


def _axis(measure: Measure) -> str:
    """The amount along which sizes are compared: no two sizes have an equal cost, so then their samples."""
    return "samples" if measure.axis in COSTS else measure.axis


def _ladder(measure: Measure, rows: pd.DataFrame, label: str) -> Ladder | None:
    """The ladder in the rows of one design; None for too few sizes or amounts in common."""
    axis = _axis(measure)
    rows = rows[rows[axis] > 0]
    metric = measure.metric
    merits = metric.merit(rows["value"].to_numpy(float)) if metric.bounded else rows["value"].to_numpy(float)
    grid = rows.assign(_value=merits).pivot_table("_value", "params", axis).dropna(axis=1)
    if len(grid) < MIN_SIZES or grid.shape[1] < MIN_AMOUNTS or not (metric.bounded or (grid > 0).all(axis=None)):
        return None
    items = None
    if metric.bounded and "n_items" in rows and rows["n_items"].notna().all():
        items = rows.pivot_table("n_items", "params", axis, aggfunc="sum")[grid.columns].to_numpy(float)
    name = ", ".join(filter(None, (measure.label, label)))
    sizes, amounts = (np.array(index, dtype=float) for index in (grid.index, grid.columns))
    return Ladder(name, metric, sizes, amounts, grid.to_numpy(float), items)


def forecast(ladder: Ladder, size: float, level: float = 0.95) -> Forecast:
    """The values of a larger size at the ladder's amounts.

    Each forecaster is a law of size and amount, a line at each amount, or for scores the way through the loss, and
    counts by the inverse square of its mean square error on sizes predicted from smaller ones; a law that no size has
    tested has no weight. The interval follows from the same errors of the average, drawn towards the usual one
    (`USUAL`), and grows with the distance.
    """
    weights = _weights(ladder)
    value = np.asarray(sum(weight * _predict(name, ladder, size) for name, weight in weights.items()))
    past = held_out(ladder, level)
    dof = len(past) + USUAL_DOF
    squares = sum(one.error**2 for one in past) + USUAL_DOF * USUAL[ladder.scale.name] ** 2
    typical = max([one.distance for one in past], default=1.0)
    error = float(np.sqrt(squares / dof * max(1.0, _distance(ladder.sizes, size) / typical)))
    half, back = quantile(level, dof) * error, ladder.scale.back
    return Forecast(size, Prediction(back(value), back(value - half), back(value + half)), weights, error, dof)


@lru_cache(maxsize=256)
def held_out(ladder: Ladder, level: float = 0.95) -> tuple[HeldOut, ...]:
    """Each size from the third on, predicted from the smaller ones as it would have been before it was trained."""
    return tuple(_tested(ladder, known, level) for known in ladder.earlier)


def _tested(ladder: Ladder, known: Ladder, level: float) -> HeldOut:
    """The size of the ladder that follows on those known."""
    count = len(known.sizes)
    said, measured = forecast(known, float(ladder.sizes[count]), level), ladder.value[count]
    value, low, high, there = (
        _scaled(ladder, count, part) for part in (*vars(said.prediction).values(), ladder.value[count])
    )
    error = float(np.sqrt(np.mean((value - there) ** 2)))
    covered = float(((low <= there) & (there <= high)).mean())
    return HeldOut(said, measured, error, covered, _distance(known.sizes, said.size))


def _distance(sizes: Array, size: float) -> float:
    return float(np.log(size / sizes[-1]) / np.log(sizes[-1] / sizes[0]))


def _weights(ladder: Ladder) -> dict[str, float]:
    """The weight of each forecaster, by its errors on the sizes of the ladder."""
    tested = ladder.earlier
    if not tested:
        return {LINE: 1.0}
    inverse = {}
    for name in (LINE, *_laws(ladder), *([THROUGH_LOSS] if ladder.loss is not None else [])):
        away = [_missed(name, ladder, known) for known in tested]
        squares = [*(float(np.mean(one**2)) for one in away), USUAL[ladder.scale.name] ** 2]
        inverse[name] = float(np.mean(squares)) ** -2
    return {name: weight / sum(inverse.values()) for name, weight in inverse.items()}


def _missed(name: str, ladder: Ladder, known: Ladder) -> Array:
    """How far a forecaster's values (amounts,) of the size after those known lie from the measured ones."""
    count = len(known.sizes)
    said = ladder.scale.back(_predict(name, known, float(ladder.sizes[count])))
    return _scaled(ladder, count, said) - _inside(ladder, count)


def _laws(ladder: Ladder) -> tuple[str, ...]:
    """The laws of size and amount that two sizes of the ladder allow."""
    if ladder.metric.bounded and ladder.items is None:
        return ()
    return laws_for("counts_sizes" if ladder.metric.bounded else "loss_sizes", 2 * len(ladder.amounts))


@lru_cache(maxsize=4096)
def _predict(name: str, ladder: Ladder, size: float) -> Array:
    """The values (amounts,) of a size by one forecaster, on the ladder's scale."""
    if name == LINE:
        logs = np.stack([_inside(ladder, i) for i in range(len(ladder.sizes))])
        slope, start = np.polyfit(np.log(ladder.sizes), logs, 1)
        return np.asarray(slope * np.log(size) + start)
    if name == THROUGH_LOSS:
        return _through_loss(ladder, size)
    there = {"params": np.full(len(ladder.amounts), size), "amount": ladder.amounts}
    return np.asarray(ladder.scale.forward(_fitted(name, ladder).predict(there).value))


@lru_cache(maxsize=1024)
def _fitted(law: str, ladder: Ladder) -> Curve:
    """A law fitted to all values of a ladder."""
    sizes, amounts = (grid.ravel() for grid in np.meshgrid(ladder.sizes, ladder.amounts, indexing="ij"))
    trials = None if ladder.items is None else ladder.items.ravel()
    points = Points({"params": sizes, "amount": amounts}, ladder.value.ravel(), trials=trials)
    return fit(points, law, "log" if trials is None else "quasibinomial")


def _through_loss(ladder: Ladder, size: float) -> Array:
    """The scores (amounts,) of a size in two steps: its losses, and the scores that go with them, on the logit scale.

    Logits are a straight line in the logarithm of the loss, fitted to all sizes and amounts (after Bhagia et al. 2024,
    arXiv:2412.04403, whose sigmoid is in the loss itself); each point counts as its items allow.
    """
    assert ladder.loss is not None
    ahead = sum(weight * _predict(name, ladder.loss, size) for name, weight in _weights(ladder.loss).items())
    logits = np.stack([_inside(ladder, i) for i in range(len(ladder.sizes))]).ravel()
    logs, share = np.log(ladder.loss.value).ravel(), expit(logits)
    if len(logits) < MIN_SLOPE_POINTS or np.ptp(logs) == 0:
        return np.full(len(ladder.amounts), np.nan)
    weight = np.sqrt(share * (1 - share) * (1.0 if ladder.items is None else ladder.items.ravel()))
    slope, start = np.polyfit(logs - logs.mean(), logits, 1, w=weight)
    return np.asarray(slope * (ahead - logs.mean()) + start)


def _inside(ladder: Ladder, which: int) -> Array:
    """One size's values on the ladder's scale."""
    return _scaled(ladder, which, ladder.value[which])


def _scaled(ladder: Ladder, which: int, value: Array) -> Array:
    """Values (amounts,) of one size on the ladder's scale; shares at least half an item away from 0 and 1.

    Those have no logit, and no measurement tells a smaller share from them.
    """
    if ladder.metric.bounded:
        edge = 0.5 / (np.full(value.shape, 1000.0) if ladder.items is None else ladder.items[which])
        value = np.clip(value, edge, 1 - edge)
    return ladder.scale.forward(value)
