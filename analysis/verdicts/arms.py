"""Arms: the measurements of one metric by design, with the noise of their means."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.points import Array
from analysis.series import CONSEQUENCES

NO_DESIGN = ("ability", "task", "metric", "value", "n_items", "stderr", "seed", "sweep", "cell", *CONSEQUENCES)
LOSSES = ("loss", "perplexity", "error")


@dataclass(frozen=True, eq=False)
class Arms:
    """One row a design in ``table``: the factors, then ``mean``, ``variance`` (of the mean) and ``runs``.

    ``mean`` counts upwards: a share as it is, a loss as minus its logarithm, so that a larger one is better and a
    difference of losses is a relative one. ``variance`` is NaN where nothing tells the noise; ``dof`` are the
    degrees of freedom of its estimate, infinite where the number of items gives it.
    """

    ability: str
    task: str
    metric: str
    share: bool
    table: pd.DataFrame
    dof: float

    @property
    def name(self) -> str:
        return f"{self.ability} {self.metric}"

    def with_rows(self, keep: pd.Series[bool]) -> Arms:
        """The arms in the rows marked by ``keep``."""
        return Arms(self.ability, self.task, self.metric, self.share, self.table[keep], self.dof)


def arms(rows: pd.DataFrame) -> Arms:
    """The arms in the rows of one ability, task and metric.

    Shares of items have binomial noise, times the dispersion over runs of one design where that is larger: runs answer
    the same items, so the noise of a difference is that of the runs. Other values have the spread over runs of one
    design, pooled over designs; without such runs, their standard errors over items.
    """
    first = rows.iloc[0]
    metric = str(first["metric"])
    loss = any(word in metric for word in LOSSES)
    share = not loss and bool(rows["value"].between(0, 1).all())
    rows = rows[rows["value"] > 0] if loss else rows  # a loss of 0 has no logarithm
    value = rows["value"].to_numpy(float)
    value = -np.log(value) if loss else value
    factors = [str(c) for c in rows if c not in NO_DESIGN]
    group = rows.groupby(factors, dropna=False, sort=True).ngroup().to_numpy() if factors else np.zeros(len(rows), int)
    runs = np.bincount(group)
    mean = np.bincount(group, value) / runs
    order = np.unique(group, return_index=True)[1]
    variance, dof = _noise(rows, value, group, mean, share, loss)
    table = rows.iloc[order][factors].reset_index(drop=True).assign(mean=mean, variance=variance, runs=runs)
    return Arms(str(first["ability"]), str(first["task"]), metric, share, table, dof)


def _noise(rows: pd.DataFrame, value: Array, group: Array, mean: Array, share: bool, loss: bool) -> tuple[Array, float]:
    """The variance of each arm's mean, and the degrees of freedom of the estimate."""
    runs = np.bincount(group)
    spare = float(len(value) - len(runs))
    away = (value - mean[group]) ** 2
    if share and "n_items" in rows and rows["n_items"].notna().all():
        items = np.bincount(group, rows["n_items"].to_numpy(float)) / runs
        near = (mean * items * runs + 1) / (items * runs + 2)
        unit = near * (1 - near) / items
        dispersion = float((away / unit[group]).sum() / spare) if spare > 0 else 1.0
        return max(1.0, dispersion) * unit / runs, spare if dispersion > 1 else float("inf")
    if spare > 0:
        return np.full(len(runs), away.sum() / spare) / runs, spare
    if "stderr" in rows and rows["stderr"].notna().all():
        error = rows["stderr"].to_numpy(float) / (rows["value"].to_numpy(float) if loss else 1.0)
        return np.bincount(group, error**2) / runs**2, float("inf")
    return np.full(len(runs), np.nan), 0.0
