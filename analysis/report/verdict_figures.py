"""Figures of strategies: the matrix of forgetting and transfer, and Pareto views of two abilities at a time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.arrays import Array
from analysis.fitting.uncertainty import quantile
from analysis.report.figures import COLOURS, MARKERS, STYLE, legend, save
from analysis.verdicts.strategy import StrategyMeans

UNDOMINATED = 0.5  # the chance from which a strategy is drawn filled


def draw_matrix(compared: StrategyMeans, folder: Path) -> str:
    """Strategies by ability against training on the ability alone, as numbers on shades that also differ in grey."""
    difference = (compared.mean - compared.alone[:, None]).T
    largest = float(np.nanmax(np.abs(difference), initial=0.0)) or 1.0
    with mpl.rc_context({**STYLE, "axes.grid": False}):
        shape = max(4.4, 1.6 + 1.1 * len(compared.abilities)), 1.1 + 0.42 * len(compared.strategies)
        figure = Figure(figsize=shape, layout="constrained")
        axes = figure.add_subplot()
        axes.imshow(difference, cmap="PuOr", vmin=-1.6 * largest, vmax=1.6 * largest, aspect="auto")
        for (row, column), value in np.ndenumerate(difference):
            text = "-" if np.isnan(value) else compared.metric.effect(float(value))
            axes.text(column, row, text, ha="center", va="center")
        axes.set_xticks(range(len(compared.abilities)), compared.abilities)
        axes.set_yticks(range(len(compared.strategies)), compared.strategies)
        axes.set_title(f"{compared.name} against training alone, {compared.metric.short_unit}")
        axes.tick_params(length=0)
        return save(figure, folder, f"forgetting-{compared.file_name}")


def draw_pareto(compared: StrategyMeans, chances: Sequence[float], folder: Path) -> str:
    """One panel per pair of abilities: strategies with 95 % intervals, filled where they are probably undominated."""
    pairs = list(combinations(range(len(compared.abilities)), 2))
    value, low, high = _shown(compared)
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(max(4.4, 3.4 * len(pairs) + 0.4), 3.7), layout="constrained")
        for panel, (i, j) in enumerate(pairs):
            axes = figure.add_subplot(1, len(pairs), panel + 1)
            for k, name in enumerate(compared.strategies):
                bars = [[[value[m, k] - low[m, k]], [high[m, k] - value[m, k]]] for m in (i, j)]
                _point(axes, value[i, k], value[j, k], bars, k, name, bool(chances[k] >= UNDOMINATED))
            axes.set_xlabel(f"{compared.abilities[i]}, {compared.metric.label}")
            axes.set_ylabel(f"{compared.abilities[j]}, {compared.metric.label}")
            if compared.metric.better == "lower":
                axes.invert_xaxis()
                axes.invert_yaxis()
            if panel == 0:
                legend(figure, axes)
        return save(figure, folder, f"pareto-{compared.file_name}")


def _point(axes: Axes, x: float, y: float, bars: list[list[list[float]]], k: int, name: str, filled: bool) -> None:
    look: Any = {"color": COLOURS[k % len(COLOURS)], "marker": MARKERS[k % len(MARKERS)]}
    face = look["color"] if filled else "white"
    across, up = (None if np.isnan(bar).any() else np.array(bar) for bar in bars)
    axes.errorbar(
        x, y, xerr=across, yerr=up, markersize=6, markerfacecolor=face, elinewidth=0.9, linestyle="none", label=name,
        **look,
    )  # fmt: skip


def _shown(compared: StrategyMeans) -> tuple[Array, Array, Array]:
    """Means and interval ends (abilities, strategies) as they are shown."""
    metric = compared.metric
    t = np.array([quantile(0.95, dof) if dof > 0 else np.nan for dof in compared.dof])[:, None]
    half = np.where(np.isfinite(t), t, np.nan) * np.sqrt(compared.variance)
    low, high = compared.mean - half, compared.mean + half
    if metric.bounded:
        low, high = np.clip([low, high], 0, 1)
    value, low, high = metric.values((compared.mean, low, high))
    return metric.factor * value, metric.factor * low, metric.factor * high
