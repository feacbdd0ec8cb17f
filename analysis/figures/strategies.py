"""Figures of strategies: the matrix of forgetting and transfer, and Pareto views of two abilities at a time."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from analysis.arrays import Array
from analysis.figures.figure import Figure, Row, Source, Spec, shown
from analysis.figures.look import COLOURS, HEIGHT, SHAPES, legend, margins, series_scale
from analysis.fitting.uncertainty import quantile
from analysis.verdicts.strategy import StrategyMeans

UNDOMINATED = 0.5  # the chance from which a strategy is drawn filled


SHADES: Spec = {"domainMid": 0, "range": ["#b2abd2", "#f7f7f7", "#fdb863"]}
"""The middle of the scheme, for values that are not known beforehand."""


def matrix_figure(compared: StrategyMeans) -> Figure:
    """Strategies by ability against training on the ability alone, as numbers on shades that also differ in grey."""
    away = compared.mean - compared.alone[:, None]
    rows = tuple(
        {"row": "cell", "strategy": strategy, "ability": ability, "value": shown(float(away[i, j])),
         "label": "-" if np.isnan(away[i, j]) else compared.metrics[i].effect(float(away[i, j]))}
        for i, ability in enumerate(compared.abilities)
        for j, strategy in enumerate(compared.strategies)
    )  # fmt: skip
    largest = float(np.nanmax(np.abs(away), initial=0.0)) or 1.0
    order = list(compared.strategies)

    def view(source: Source) -> Spec:
        x = {
            "field": source.column("ability"),
            "type": "nominal",
            "sort": list(compared.abilities) if source.known else None,
            "axis": {"title": None, "orient": "top", "labelAngle": 0, "domain": False, "ticks": False},
        }
        y = {
            "field": source.column("strategy"),
            "type": "nominal",
            "sort": order if source.known else None,
            "axis": {"title": None, "labelLimit": 0, "domain": False, "ticks": False},
        }
        scale = {"scheme": "purpleorange", "domain": [-1.6 * largest, 1.6 * largest]} if source.known else SHADES
        shade = {"field": source.column("value"), "type": "quantitative", "scale": scale, "legend": None}
        label = {"text": {"field": source.column("label")}}
        room = margins(order if source.known else [])
        return {"width": {"step": 96}, "height": {"step": 34}, "padding": room, "layer": [
            {"mark": {"type": "rect"}, "encoding": {"x": x, "y": y, "color": shade}},
            # Black on shades that are light in either theme.
            {"mark": {"type": "text", "color": "#000000"}, "encoding": {"x": x, "y": y, **label}},
        ]}  # fmt: skip

    units = " or ".join(dict.fromkeys(metric.short_unit for metric in compared.metrics))
    title = f"{compared.name} against training alone, {units}"
    description = f"{title}: {len(order)} strategies by {', '.join(compared.abilities)}"
    return Figure(f"forgetting-{compared.file_name}", title, description, rows, view)


def pareto_figures(compared: StrategyMeans, chances: Sequence[float]) -> list[Figure]:
    """One per pair of abilities: strategies with 95 % intervals, filled where they are probably undominated."""
    pairs = combinations(range(len(compared.abilities)), 2)
    ends = _shown(compared)
    return [_pareto(compared, chances, ends, i, j) for i, j in pairs]


def _pareto(compared: StrategyMeans, chances: Sequence[float], ends: Array, i: int, j: int) -> Figure:
    """Ability ``i`` across and ability ``j`` up; better values are further up and right."""
    value, low, high = ends
    rows: tuple[Row, ...] = tuple(
        {
            "row": "point", "series": name, "x": shown(value[i, k]), "x_low": shown(low[i, k]),
            "x_high": shown(high[i, k]), "y": shown(value[j, k]), "y_low": shown(low[j, k]),
            "y_high": shown(high[j, k]), "filled": 1.0 if chances[k] >= UNDOMINATED else 0.0,
            "chance": shown(100 * chances[k], 3),
        }
        for k, name in enumerate(compared.strategies)
    )  # fmt: skip
    names = list(compared.strategies)

    def view(source: Source) -> Spec:
        x, y = (_axis(source, compared, m, name) for m, name in ((i, "x"), (j, "y")))
        looks = {
            channel: {
                "field": source.column("series"),
                "type": "nominal",
                "legend": legend(names, 330),
                "scale": series_scale(scale, names, source.known),
            }
            for channel, scale in (("stroke", COLOURS), ("shape", SHAPES))
        }
        line = {"stroke": looks["stroke"]}
        across = {"x": {**x, "field": source.column("x_low")}, "x2": {"field": source.column("x_high")}, "y": y}
        up = {"y": {**y, "field": source.column("y_low")}, "y2": {"field": source.column("y_high")}, "x": x}
        filled = {
            "field": source.column("filled"),
            "type": "quantitative",
            "legend": None,
            "scale": {"domain": [0, 1], "range": [0, 0.85]},
        }
        tip = [
            {"field": source.column(k), "title": t, **({"format": ".4~g"} if k != "series" else {})}
            for k, t in (
                ("series", "strategy"),
                ("x", compared.abilities[i]),
                ("y", compared.abilities[j]),
                ("chance", "undominated, %"),
            )
        ]
        point = {"x": x, "y": y, **looks, "fill": looks["stroke"], "fillOpacity": filled, "tooltip": tip}
        return {"width": 320, "height": HEIGHT, "layer": [
            {"mark": {"type": "rule"}, "encoding": {**across, **line}},
            {"mark": {"type": "rule"}, "encoding": {**up, **line}},
            {"mark": {"type": "point", "size": 60, "strokeWidth": 1.6}, "encoding": point},
        ]}  # fmt: skip

    first, second = compared.abilities[i], compared.abilities[j]
    title = f"{first} and {second} by strategy"
    description = f"{compared.name} in {first} and in {second}, {len(names)} strategies with 95 % intervals"
    return Figure(f"pareto-{compared.file_name}-{i}-{j}", title, description, rows, view)


def _axis(source: Source, compared: StrategyMeans, m: int, column: str) -> Spec:
    metric = compared.metrics[m]
    scale = {"zero": False, "padding": 6, "reverse": metric.better == "lower"}
    axis = {"title": f"{compared.abilities[m]}, {metric.label}", "tickCount": 6, "format": ".4~g"}
    return {"field": source.column(column), "type": "quantitative", "scale": scale, "axis": axis}


def _shown(compared: StrategyMeans) -> Array:
    """Means and interval ends (3, abilities, strategies) as they are shown."""
    t = np.array([quantile(0.95, dof) if dof > 0 else np.nan for dof in compared.dof])[:, None]
    half = np.where(np.isfinite(t), t, np.nan) * np.sqrt(compared.variance)
    shown_ones = np.empty((3, *compared.mean.shape))
    for i, metric in enumerate(compared.metrics):
        low, high = compared.mean[i] - half[i], compared.mean[i] + half[i]
        if metric.bounded:
            low, high = np.clip([low, high], 0, 1)
        shown_ones[:, i] = metric.factor * np.stack(metric.values((compared.mean[i], low, high)))
    return shown_ones
