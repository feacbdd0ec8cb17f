"""Arms: the measurements of one metric by design, with the noise of their means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.arrays import Array
from analysis.data.metric import Metric
from analysis.data.study import Measure
from analysis.data.table import binomial_rows, factors_of

Codes = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class ArmMeans:
    """One row a design in ``table``: the factors, then ``mean``, ``variance`` (of the mean) and ``runs``.

    ``mean`` is that of the values' merits (`Metric.merit`), so that a larger one is better. ``variance`` is NaN where
    nothing tells the noise; ``dof`` are the degrees of freedom of its estimate, infinite where the number of items
    gives it. ``items`` holds what each item adds to the mean of each arm, by the labels of ``table``, and ``paired``
    what runs add to it, where items are known.
    """

    ability: str
    task: str
    metric: Metric
    table: pd.DataFrame
    dof: float
    items: Array | None = None  # (arms, items); a row's mean is that of its arm; NaN where unknown
    paired: Scatter | None = None

    @property
    def name(self) -> str:
        return f"{self.ability} {self.metric.name}"

    def with_rows(self, keep: pd.Series[bool]) -> ArmMeans:
        """The arms in the rows marked by ``keep``."""
        return replace(self, table=self.table[keep])

    def items_of(self, labels: Sequence[int]) -> Array | None:
        """What each item adds to the arms with these labels; None where one of them lacks items of another."""
        if self.items is None:
            return None
        chosen = self.items[list(labels)]
        chosen = chosen[:, ~np.isnan(chosen).all(axis=0)]
        return None if chosen.shape[1] < 2 or np.isnan(chosen).any() else chosen

    def covariance(self, labels: Sequence[int]) -> Array:
        """Of the means of the arms with these labels, as far as it matters to differences between them.

        Arms that answered the same items share their difficulty: the covariance over items, and the scatter of runs
        beyond it. Shares get half an item's variance a run on top, so that an interval is that of Agresti and Min
        (2005, Stat. Med. 24) for two single runs, sound also where they hardly differ. Without items: `variance` alone.
        """
        chosen = self.items_of(labels)
        rows = self.table.loc[list(labels)]
        if chosen is None or self.paired is None:
            return np.diag(rows["variance"].to_numpy(float))
        runs, count = rows["runs"].to_numpy(float), chosen.shape[1]
        if self.metric.bounded:
            total, wide = chosen.sum(axis=1), count + 2
            over_items = (chosen @ chosen.T - np.outer(total, total) / wide + np.diag(0.5 / runs)) / wide**2
        else:
            over_items = np.cov(chosen).reshape(len(runs), len(runs)) / count
        return np.asarray(over_items + np.diag(self.paired.scale[list(labels)] / runs))


@dataclass(frozen=True, eq=False)
class Scatter:
    """The variance of a single run of each arm beyond that of its items, the variance between runs that this was
    estimated from, and the degrees of freedom of that.
    """

    scale: Array
    between: Array
    dof: float


def arms(measure: Measure, rows: pd.DataFrame | None = None) -> ArmMeans:
    """The arms in rows of a measure, by default in those of its trained models.

    Shares of items have binomial noise, times the dispersion over runs of one design where that is larger: runs answer
    the same items, so the noise of a difference is that of the runs. Ratings have their measured errors in place of
    the binomial ones. Other values have the spread over runs of one design, pooled over designs; without such runs,
    their standard errors over items.
    """
    metric = measure.metric
    rows = measure.trained if rows is None else rows
    rows = rows[rows["value"] > 0] if metric.kind == "loss" else rows  # a loss of 0 has no logarithm
    value = metric.merit(rows["value"].to_numpy(float))
    factors = factors_of(rows)
    group = rows.groupby(factors, dropna=False, sort=True).ngroup().to_numpy() if factors else np.zeros(len(rows), int)
    runs = np.bincount(group)
    mean = np.bincount(group, value) / runs
    order = np.unique(group, return_index=True)[1]
    variance, dof = _noise(rows, value, group, mean, metric)
    table = rows.iloc[order][factors].reset_index(drop=True).assign(mean=mean, variance=variance, runs=runs)
    made = ArmMeans(measure.ability, measure.task, metric, table, dof)
    found = measure.item_values(rows)
    if found is None:
        return made
    seed = pd.factorize(rows["seed"])[0] if "seed" in rows else np.zeros(len(rows), int)
    return _with_items(made, *found, value, group, seed)


def _with_items(made: ArmMeans, value: Array, weight: Array, means: Array, group: Codes, seed: Codes) -> ArmMeans:
    """The arms with their items: ``value`` and ``weight`` (runs, items), the ``means`` of the runs, their arms."""
    loss = made.metric.kind == "loss"
    value = value if loss else made.metric.merit(value)
    with np.errstate(invalid="ignore"):
        rate = np.nansum(weight * value, axis=1, keepdims=True) / np.nansum(weight, axis=1, keepdims=True)
        adds = weight * len(weight.T) / np.nansum(weight, axis=1, keepdims=True) * (value - rate)
    adds = means[:, None] - adds / rate if loss else means[:, None] + adds  # linearised, as the logarithm of a loss is
    runs = np.bincount(group)
    total = np.zeros((len(runs), adds.shape[1]))
    np.add.at(total, group, adds)
    each = total / runs[:, None]
    return replace(made, items=each, paired=_scatter(made, adds - each[group], means, group, seed))


def _scatter(made: ArmMeans, apart: Array, means: Array, group: Codes, seed: Codes) -> Scatter:
    """How far the runs of an arm lie apart beyond what their items explain (``apart``: of the runs' items from the
    arm's), pooled over arms; for shares in proportion to p (1 - p).
    """
    full = ~np.isnan(apart).any(axis=1) & (np.bincount(group)[group] > 1)
    mean = made.table["mean"].to_numpy(float)
    unit = mean * (1 - mean) if made.metric.bounded else np.ones(len(mean))
    group, apart, away = group[full], apart[full], (means - mean[group])[full]
    spare = np.bincount(group, minlength=len(mean)) - (np.bincount(group, minlength=len(mean)) > 0)
    seed = np.unique(seed[full], return_inverse=True)[1]
    count = len(np.unique(group))
    crossed = count > 2 and len(seed) == count * len(np.unique(seed))
    if crossed:  # what a seed does to all arms alike is no difference between them; two arms are too few to tell
        away = away - (np.bincount(seed, away) / np.bincount(seed))[seed]
    dof = float(spare.sum() - (seed.max() if crossed else 0))
    if dof < 1 or spare @ unit <= 0:
        return Scatter(np.zeros(len(mean)), np.zeros(len(mean)), float("inf"))
    within = float(((apart - apart.mean(axis=1, keepdims=True)) ** 2).sum()) / apart.shape[1] ** 2 / spare.sum()
    between = float((away**2).sum()) / dof
    each = unit * spare.sum() / (spare @ unit)
    return Scatter(each * max(0.0, between - within), each * between, dof)


def _noise(rows: pd.DataFrame, value: Array, group: Array, mean: Array, metric: Metric) -> tuple[Array, float]:
    """The variance of each arm's mean, and the degrees of freedom of the estimate."""
    runs = np.bincount(group)
    spare = float(len(value) - len(runs))
    away = (value - mean[group]) ** 2
    unit = _item_noise(rows, group, mean, metric)
    if unit is not None:
        dispersion = float((away / unit[group]).sum() / spare) if spare > 0 else 1.0
        return max(1.0, dispersion) * unit / runs, spare if dispersion > 1 else float("inf")
    if spare > 0:
        return np.full(len(runs), away.sum() / spare) / runs, spare
    if "stderr" in rows and rows["stderr"].notna().all():
        error = metric.merit_error(rows["stderr"].to_numpy(float), rows["value"].to_numpy(float))
        return np.bincount(group, error**2) / runs**2, float("inf")
    return np.full(len(runs), np.nan), 0.0


def _item_noise(rows: pd.DataFrame, group: Array, mean: Array, metric: Metric) -> Array | None:
    """The variance of one run of each arm over items, for shares and ratings; None where the rows do not tell it."""
    if not metric.bounded or "n_items" not in rows or rows["n_items"].isna().any():
        return None
    binomial = binomial_rows(rows) if metric.kind == "share" else np.zeros(len(rows), dtype=bool)
    if not binomial.all() and ("stderr" not in rows or rows.loc[~binomial, "stderr"].isna().any()):
        return None
    runs = np.bincount(group)
    items = np.bincount(group, rows["n_items"].to_numpy(float)) / runs
    near = (mean * items * runs + 1) / (items * runs + 2)
    unit = near * (1 - near) / items
    if binomial.all():
        return np.asarray(unit)
    # Ratings, or several answers an item: their error is measured.
    error = metric.merit_error(rows["stderr"].to_numpy(float), rows["value"].to_numpy(float))
    measured = np.bincount(group, error**2) / runs
    return np.where(np.bincount(group, ~binomial) > 0, np.maximum(measured, 1e-12), unit)
