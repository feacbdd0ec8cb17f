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
            text = "-" if np.isnan(value) else compared.metrics[column].effect(float(value))
            axes.text(column, row, text, ha="center", va="center")
        axes.set_xticks(range(len(compared.abilities)), compared.abilities)
        axes.set_yticks(range(len(compared.strategies)), compared.strategies)
        units = " or ".join(dict.fromkeys(metric.short_unit for metric in compared.metrics))
        axes.set_title(f"{compared.name} against training alone, {units}")
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
            axes.set_xlabel(f"{compared.abilities[i]}, {compared.metrics[i].label}")
            axes.set_ylabel(f"{compared.abilities[j]}, {compared.metrics[j].label}")
            # Better values are further up and right.
            axes.xaxis.set_inverted(compared.metrics[i].better == "lower")
            axes.yaxis.set_inverted(compared.metrics[j].better == "lower")
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
    t = np.array([quantile(0.95, dof) if dof > 0 else np.nan for dof in compared.dof])[:, None]
    half = np.where(np.isfinite(t), t, np.nan) * np.sqrt(compared.variance)
    shown = np.empty((3, *compared.mean.shape))
    for i, metric in enumerate(compared.metrics):
        low, high = compared.mean[i] - half[i], compared.mean[i] + half[i]
        if metric.bounded:
            low, high = np.clip([low, high], 0, 1)
        shown[:, i] = metric.factor * np.stack(metric.values((compared.mean[i], low, high)))
    return shown[0], shown[1], shown[2]
