"""Arms: the measurements of one measure by design, with the noise of their means."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.arrays import Array
from analysis.data.apart import with_task
from analysis.data.metric import Metric
from analysis.data.study import Measure
from analysis.data.table import binomial_rows, chance, factors_of, several_bases
from analysis.fitting.uncertainty import RUN_NOISE, USUAL_DOF, quantile

Codes = NDArray[np.int64]
HOLDS_FOR = {
    "bases": "new base models",
    "runs": "new runs from the same base",
    "assumed": "new runs, if they scatter as usual",
    "items": "these runs",
    "unknown": "these runs",
}
"""What verdicts hold for, by where their noise comes from: several bases; repeated runs; the usual scatter of runs,
which is assumed; the items alone; nothing.
"""


@dataclass(frozen=True, eq=False)
class ArmMeans:
    """The mean of every design: a row of ``table`` with its factors, ``mean``, ``variance`` of the mean and ``runs``.

    Means are of merits (`Metric.merit`), so larger is better. ``variance`` is NaN where the noise is unknown. ``dof``
    are the degrees of freedom of its estimate, infinite where it follows from the number of items. Where items are
    known, ``items`` (arms, items) holds the contribution of each item to the mean of each arm, NaN for unknown ones,
    and ``scatter`` how runs differ beyond their items. ``noise`` is a key of `HOLDS_FOR`: what the noise was measured
    on. ``floor`` is how far two runs of one design, which differ in seed alone, come to differ (95 %), NaN where no
    design has several; ``where`` is which stratum these arms are (see `analysis.verdicts.strata`).
    """

    ability: str
    task: str
    metric: Metric
    table: pd.DataFrame
    dof: float
    items: Array | None = None
    scatter: RunScatter | None = None
    noise: str = "runs"
    floor: float = float("nan")
    where: str = ""

    @property
    def name(self) -> str:
        """Ability and metric, and the task and stratum where there are several, as sentences name them."""
        return with_task(f"{self.ability} {self.metric.name}", self.task, self.where)

    def with_rows(self, keep: pd.Series[bool]) -> ArmMeans:
        """The arms in the rows marked by ``keep``; they keep their labels."""
        return replace(self, table=self.table[keep])

    def items_of(self, labels: Sequence[int]) -> Array | None:
        """Contributions (arms, items) to the arms with these labels; None where an arm lacks an item of another."""
        if self.items is None:
            return None
        chosen = self.items[list(labels)]
        chosen = chosen[:, ~np.isnan(chosen).all(axis=0)]
        return None if chosen.shape[1] < 2 or np.isnan(chosen).any() else chosen

    def covariance(self, labels: Sequence[int]) -> Array:
        """The covariance (arms, arms) of the means of the arms with these labels, for differences between them.

        Arms that answered the same items have their difficulty in common: the covariance over items, plus the scatter
        of runs beyond it. Shares and ratings get half an item's variance per run on top, so that the interval is that
        of Agresti and Min (2005, Stat. Med. 24) for two single runs, which holds where they hardly differ. Without
        items: the variances alone.
        """
        chosen = self.items_of(labels)
        rows = self.table.loc[list(labels)]
        if chosen is None or self.scatter is None:
            return np.diag(rows["variance"].to_numpy(float))
        runs, count = rows["runs"].to_numpy(float), chosen.shape[1]
        if self.metric.bounded:
            total, wide = chosen.sum(axis=1), count + 2
            over_items = (chosen @ chosen.T - np.outer(total, total) / wide + np.diag(0.5 / runs)) / wide**2
        else:
            over_items = np.cov(chosen).reshape(len(runs), len(runs)) / count
        return np.asarray(over_items + np.diag(self.scatter.beyond_items[list(labels)] / runs))


@dataclass(frozen=True, eq=False)
class RunScatter:
    """How single runs of one design differ, by arm: the variance ``beyond_items``, and the whole variance ``between``
    runs, which it was estimated from with ``dof`` degrees of freedom.
    """

    beyond_items: Array
    between: Array
    dof: float


def arm_means(measure: Measure, rows: pd.DataFrame | None = None) -> ArmMeans:
    """The arms in rows of a measure, by default those of its trained models.

    Shares of items have binomial noise, times the dispersion over runs of one design where that is larger than 1: runs
    answer the same items, so the noise of a difference is that of the runs. The dispersion is drawn towards the usual
    one (`RUN_NOISE`), which takes its place where no design has several runs. For ratings measured standard errors take
    the place of binomial ones. Other values have the variance over runs of one design, pooled over designs; without
    such runs, that of their standard errors over items. With several base models the runs of an arm from one base count
    as one run, with their mean.
    """
    metric = measure.metric
    rows = measure.trained if rows is None else rows
    rows = rows[rows["value"] > 0] if metric.kind == "loss" else rows  # a loss of 0 has no logarithm
    rows, items = _one_run_a_base(rows, measure.item_values(rows))
    merit = metric.merit(rows["value"].to_numpy(float))
    factors = factors_of(rows)
    group = rows.groupby(factors, dropna=False, sort=True).ngroup().to_numpy() if factors else np.zeros(len(rows), int)
    runs = np.bincount(group)
    mean = np.bincount(group, merit) / runs
    first = np.unique(group, return_index=True)[1]
    variance, dof = _noise(rows, merit, group, mean, metric)
    table = rows.iloc[first][factors].reset_index(drop=True).assign(mean=mean, variance=variance, runs=runs)
    noise = _noise_of(rows, metric, runs, variance)
    floor = _floor(merit - mean[group], len(merit) - len(runs))
    arms = ArmMeans(measure.ability, measure.task, metric, table, dof, noise=noise, floor=floor)
    return arms if items is None else _with_items(arms, *items, merit, group, pd.factorize(chance(rows))[0])


def _noise_of(rows: pd.DataFrame, metric: Metric, runs: Codes, variance: Array) -> str:
    """Where the noise of arms comes from, a key of `HOLDS_FOR`."""
    if (runs > 1).any():
        return "bases" if several_bases(rows) else "runs"
    if not np.isfinite(variance).any():
        return "unknown"
    return "assumed" if metric.bounded else "items"


def _floor(away: Array, spare: int) -> float:
    """How far two runs of one design come to differ (95 %): from the distances of all runs from their design's mean."""
    if spare < 1:
        return float("nan")
    return quantile(0.95, spare) * float(np.sqrt(2 * (away**2).sum() / spare))


def _one_run_a_base(
    rows: pd.DataFrame, items: tuple[Array, Array] | None
) -> tuple[pd.DataFrame, tuple[Array, Array] | None]:
    """The rows, and the values and weights (rows, items) behind them, with the mean over runs of one arm and base."""
    if not several_bases(rows):
        return rows, items
    keys = [rows[name] for name in factors_of(rows)] + [chance(rows)]
    base = rows.groupby(keys, dropna=False, sort=False).ngroup().to_numpy()
    first = np.unique(base, return_index=True)[1]
    numbers = [name for name in ("value", "n_items", "stderr") if name in rows]
    means = rows[numbers].groupby(base).mean().set_index(rows.index[first])
    merged = rows.iloc[first].copy()
    merged[numbers] = means
    if items is not None:
        value, weight = (np.stack([part[base == one].mean(axis=0) for one in range(len(first))]) for part in items)
        items = value, weight
    return merged, items


def _with_items(arms: ArmMeans, value: Array, weight: Array, merit: Array, group: Codes, seed: Codes) -> ArmMeans:
    """The arms with their items: ``value`` and ``weight`` (runs, items), merit, arm and seed of each run."""
    loss = arms.metric.kind == "loss"
    value = value if loss else arms.metric.merit(value)
    with np.errstate(invalid="ignore"):
        rate = np.nansum(weight * value, axis=1, keepdims=True) / np.nansum(weight, axis=1, keepdims=True)
        away = weight * len(weight.T) / np.nansum(weight, axis=1, keepdims=True) * (value - rate)
    # The logarithm of a loss is linearised, so that its items have contributions that add up.
    adds = merit[:, None] - away / rate if loss else merit[:, None] + away
    runs = np.bincount(group)
    total = np.zeros((len(runs), adds.shape[1]))
    np.add.at(total, group, adds)
    mean = total / runs[:, None]
    return replace(arms, items=mean, scatter=_scatter(arms, adds - mean[group], merit, group, seed))


def _scatter(arms: ArmMeans, residual: Array, merit: Array, group: Codes, seed: Codes) -> RunScatter:
    """How much the runs of an arm differ beyond what their items explain, pooled over arms.

    ``residual`` (runs, items) is the contribution of each item minus its mean over the runs of the arm. The variance
    of shares and ratings is taken to be proportional to p (1 - p), and drawn towards the usual one.
    """
    full = ~np.isnan(residual).any(axis=1) & (np.bincount(group)[group] > 1)
    mean = arms.table["mean"].to_numpy(float)
    unit = mean * (1 - mean) if arms.metric.bounded else np.ones(len(mean))
    group, residual, away = group[full], residual[full], (merit - mean[group])[full]
    spare = np.bincount(group, minlength=len(mean)) - (np.bincount(group, minlength=len(mean)) > 0)
    seed = np.unique(seed[full], return_inverse=True)[1]
    count = len(np.unique(group))
    crossed = count > 2 and len(seed) == count * len(np.unique(seed))
    if crossed:  # a seed's effect on all arms alike makes no difference between them; two arms are too few to tell
        away = away - (np.bincount(seed, away) / np.bincount(seed))[seed]
    dof = float(spare.sum() - (seed.max() if crossed else 0))
    usual = (4 * RUN_NOISE**2 if arms.metric.bounded else 0.0) * unit
    if dof < 1 or spare @ unit <= 0:
        return RunScatter(usual, usual, USUAL_DOF if arms.metric.bounded else float("inf"))
    centred = residual - residual.mean(axis=1, keepdims=True)
    within = float((centred**2).sum()) / residual.shape[1] ** 2 / spare.sum()
    between = float((away**2).sum()) / dof
    scale = unit * spare.sum() / (spare @ unit)
    if arms.metric.bounded:
        expected = within + float(usual @ spare) / spare.sum()
        between, dof = (dof * between + USUAL_DOF * expected) / (dof + USUAL_DOF), dof + USUAL_DOF
    return RunScatter(scale * max(0.0, between - within), scale * between, dof)


def _noise(rows: pd.DataFrame, merit: Array, group: Codes, mean: Array, metric: Metric) -> tuple[Array, float]:
    """The variance of each arm's mean, and the degrees of freedom of the estimate."""
    runs = np.bincount(group)
    spare = float(len(merit) - len(runs))
    away = (merit - mean[group]) ** 2
    unit = _item_noise(rows, group, mean, metric)
    if unit is not None:
        usual = 1 + 4 * RUN_NOISE**2 * float(rows["n_items"].median())
        dispersion = (float((away / unit[group]).sum()) + USUAL_DOF * usual) / (spare + USUAL_DOF)
        if dispersion <= 1:
            return unit / runs, float("inf")
        # Only the scatter of runs is estimated, the noise of items is known (Satterthwaite 1946, Biometrics Bull. 2).
        return dispersion * unit / runs, (spare + USUAL_DOF) * (dispersion / (dispersion - 1)) ** 2
    if spare > 0:
        return np.full(len(runs), away.sum() / spare) / runs, spare
    if "stderr" in rows and rows["stderr"].notna().all():
        error = metric.merit_error(rows["stderr"].to_numpy(float), rows["value"].to_numpy(float))
        return np.bincount(group, error**2).astype(float), float("inf")  # here every arm is one run
    return np.full(len(runs), np.nan), 0.0


def _item_noise(rows: pd.DataFrame, group: Codes, mean: Array, metric: Metric) -> Array | None:
    """The variance over items of one run of each arm, for shares and ratings; None where the rows do not tell it."""
    if not metric.bounded or "n_items" not in rows or rows["n_items"].isna().any():
        return None
    binomial = binomial_rows(rows) if metric.kind == "share" else np.zeros(len(rows), dtype=bool)
    if not binomial.all() and ("stderr" not in rows or rows.loc[~binomial, "stderr"].isna().any()):
        return None
    runs = np.bincount(group)
    items = np.bincount(group, rows["n_items"].to_numpy(float)) / runs
    near = (mean * items * runs + 1) / (items * runs + 2)  # away from 0 and 1, where the variance would vanish
    unit = near * (1 - near) / items
    if binomial.all():
        return np.asarray(unit)
    # Ratings, or several answers per item: their error is measured.
    error = metric.merit_error(rows["stderr"].to_numpy(float), rows["value"].to_numpy(float))
    measured = np.bincount(group, error**2) / runs
    return np.where(np.bincount(group, ~binomial) > 0, np.maximum(measured, 1e-12), unit)
