"""The figure of a measure: measurements with intervals, curves with 95 % bands, the untrained base as a line."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from analysis.data.series import UNITS
from analysis.data.study import Measure
from analysis.figures.axes import amount_axis, value_axis
from analysis.figures.figure import Figure, Row, Source, Spec, only, shown, titled
from analysis.figures.look import (
    COLOURS,
    DASHES,
    HEIGHT,
    INK,
    SHAPES,
    SOFT,
    WIDTH,
    cycled,
    legend,
    margins,
    series_scale,
)
from analysis.fitting.levels import AmountLevel
from analysis.fitting.series_fits import SeriesFit

MEASURED = "measured"
"""The name of a series that has none, being the only one."""
FILLED = {"filled": 1.0, "hollow": 0.0, "half filled": 0.45}
"""How marks are filled that come from the first sweep, the second, the third ..., where there are several."""
MOST_CELLS = 12
"""Cells that a point names."""
SHADE = 0.13
"""Opacity of the bands, of which several may overlap."""
GRID_STEP = 2
"""Every second of a curve's 60 places is drawn, which is smooth at this size."""


def curves_figure(measure: Measure, fits: Sequence[SeriesFit]) -> Figure:
    """A measure over its amounts; its series one below the other where no amount varies."""
    rows = (*_base_rows(measure, fits), *(row for fit in fits for row in _series_rows(measure, fit)))
    several = len(_sweeps(fits)) > 1
    rows = tuple({k: v for k, v in row.items() if several or k != "sweep"} for row in rows)
    view = partial(_curves if measure.axis else _dots, measure, tuple(fits), rows)
    title = f"{UNITS.get(measure.axis, measure.axis)}" if measure.axis else ""
    words = {"x_title": f"{title} (log scale)", "y_title": measure.metric.label}
    return Figure(measure.name, measure.heading, describe(measure, fits), rows, view, words)


def describe(measure: Measure, fits: Sequence[SeriesFit]) -> str:
    """The figure in words: what is drawn over what, and where each series starts and ends; six at most."""
    number = measure.metric.number
    over = f" over {UNITS.get(measure.axis, measure.axis)}" if measure.axis else ""
    parts = []
    for fit in fits[:6]:
        levels = [level for level in fit.levels if level.amount > 0] or list(fit.levels)
        start = f"{fit.series.label}: " if fit.series.label else ""
        ends = f" to {number(levels[-1].mean)}" if len(levels) > 1 else ""
        parts.append(f"{start}{number(levels[0].mean)}{ends}")
    more = f"; and {len(fits) - 6} more" if len(fits) > 6 else ""
    return f"{measure.heading}{over}, {len(fits)} series: {'; '.join(parts)}{more}."


def _row(kind: str, fit: SeriesFit | None, series: str, measure: Measure, **columns: str | float | None) -> Row:
    """A record with all columns of this figure."""
    empty = dict.fromkeys(("amount", "value", "low", "high", "n_items", "runs", "cells", "sweep"))
    names = {"row": kind, "series": series, "model": fit.series.model if fit else ""}
    return {**names, "ability": measure.ability, "metric": measure.metric.name, **empty, **columns}


def _series_rows(measure: Measure, fit: SeriesFit) -> list[Row]:
    """Points, curve with band, and, where there is no curve, the line that joins the points."""
    factor, name = measure.metric.factor, fit.series.label or MEASURED
    left = _left_edge(fit.levels)
    rows = [
        _row(
            "point", fit, name, measure, amount=shown(level.amount if level.amount > 0 else left, 9),
            value=shown(factor * level.mean), low=shown(factor * level.low), high=shown(factor * level.high),
            n_items=_items(fit, level), runs=level.runs, cells="; ".join(_cells(fit, level)),
            sweep=" and ".join(_sweeps([fit], level)),
        )
        for level in fit.levels
    ]  # fmt: skip
    if fit.line is None:
        return rows + ([{**row, "row": "joined"} for row in rows] if measure.axis and len(rows) > 1 else [])
    grid = [*range(0, len(fit.grid) - 1, GRID_STEP), len(fit.grid) - 1]
    line = np.stack([fit.grid, factor * fit.line.value, factor * fit.line.low, factor * fit.line.high])
    for x, value, low, high in line[:, grid].T:
        columns = {"amount": shown(x, 6), "value": shown(value), "low": shown(low), "high": shown(high)}
        rows.append(_row("curve", fit, name, measure, **columns))
    return rows


def _base_rows(measure: Measure, fits: Sequence[SeriesFit]) -> list[Row]:
    """The untrained models: one row each, with the series of the model where there are several."""
    by_model = {fit.series.model: fit.series.label or MEASURED for fit in reversed(fits)}
    return [
        _row(
            "base", None, by_model.get(model, model or "untrained"), measure, value=shown(measure.metric.factor * value)
        )
        for model, value in measure.base.items()
    ]


def _here(fit: SeriesFit, level: AmountLevel) -> NDArray[np.bool_]:
    """Which measurements of the series lie at the level."""
    amount = fit.series.amount
    return np.asarray(np.isnan(amount) if np.isnan(level.amount) else amount == level.amount)


def _cells(fit: SeriesFit, level: AmountLevel) -> list[str]:
    """The cells behind a level, each once; `MOST_CELLS` at most, as ``runs`` says how many there are."""
    pairs = zip(fit.series.cell, _here(fit, level), strict=True)
    return list(dict.fromkeys(cell for cell, here in pairs if here and cell))[:MOST_CELLS]


def _sweeps(fits: Sequence[SeriesFit], level: AmountLevel | None = None) -> list[str]:
    """The sweeps that the measurements come from, those of a level or all; each once."""
    here = [np.full(len(fit.series.sweep), True) if level is None else _here(fit, level) for fit in fits]
    pairs = [pair for fit, at in zip(fits, here, strict=True) for pair in zip(fit.series.sweep, at, strict=True)]
    return list(dict.fromkeys(sweep for sweep, counts in pairs if counts and sweep))


def _drawn_sweeps(rows: Sequence[Row]) -> list[str]:
    """The sweeps, or pairs and more of them, that points come from; empty where there is one."""
    names = list(dict.fromkeys(str(row["sweep"]) for row in rows if row["row"] == "point" and row.get("sweep")))
    return names if len(names) > 1 else []


def _filling(source: Source, sweeps: Sequence[str], colour: Spec) -> Spec:
    """Channels that tell points of several sweeps apart, by how far they are filled."""
    scale = {"domain": list(sweeps), "range": cycled(list(FILLED.values()), sweeps)}
    filled = {"field": source.column("sweep"), "type": "nominal", "scale": scale, "legend": None}
    return {"fill": colour, "stroke": colour, "fillOpacity": filled}


def _key_of_sweeps(sweeps: Sequence[str]) -> str:
    """Which marks are of which sweep; Vega-Lite has no legend of fillings."""
    ways = cycled(list(FILLED), sweeps)
    return "; ".join(
        f"{way}: {', '.join(s for s, w in zip(sweeps, ways, strict=True) if w == way)}" for way in dict.fromkeys(ways)
    )


def _items(fit: SeriesFit, level: AmountLevel) -> float | None:
    items = fit.series.items[_here(fit, level)]
    return None if np.isnan(items).any() else float(np.median(items))


def _left_edge(levels: Sequence[AmountLevel]) -> float:
    """Where amount 0 is drawn on the logarithmic axis: a quarter of the smallest amount."""
    return min((level.amount for level in levels if level.amount > 0), default=1.0) / 4


def tooltips(source: Source, measure: Measure, names: Sequence[str], *, sweeps: bool = False) -> list[Spec]:
    """What is shown on hovering over a point: series, amount, value, interval, items, runs and cells."""
    amount = source.words("x_title", measure.axis) if measure.axis else ""
    value = source.words("y_title", measure.metric.label)
    titles = {"series": "series", "amount": amount, "value": value, "low": "95 % from", "high": "to",
              "n_items": "items", "runs": "runs", "cells": "cells", "sweep": "sweep" if sweeps else ""}  # fmt: skip
    shown_ones = {k: t for k, t in titles.items() if t and (k != "series" or len(names) > 1 or not source.known)}
    formats = {"amount": ",.6~g", "value": ".4~g", "low": ".4~g", "high": ".4~g", "n_items": ",", "runs": ","}
    kinds = {name: "quantitative" if name in formats else "nominal" for name in titles}
    return [
        {"field": source.column(name), "title": title, "type": kinds[name]}
        | ({"format": formats[name]} if name in formats else {})
        for name, title in shown_ones.items()
    ]


def _names(fits: Sequence[SeriesFit]) -> list[str]:
    return list(dict.fromkeys(fit.series.label or MEASURED for fit in fits))


def _curves(measure: Measure, fits: tuple[SeriesFit, ...], rows: Sequence[Row], source: Source) -> Spec:
    """Series over their amount, on a logarithmic axis."""
    names = _names(fits)
    amounts = sorted({level.amount for fit in fits for level in fit.levels})
    values = [float(v) for row in rows for k in ("value", "low", "high") if isinstance(v := row[k], int | float)]
    x = amount_axis(source, "amount", measure, amounts, UNITS.get(measure.axis, measure.axis))
    y = value_axis(source, "value", measure.metric, values)
    low, high = ({**y, "field": source.column("low")}, {"field": source.column("high")})
    key = legend(names) if source.known else {}
    colour = _channel(source, names, COLOURS, key)
    sweeps = _drawn_sweeps(rows) if source.known else []
    marks = _filling(source, sweeps, colour) if sweeps else {"color": colour}
    told = {"title": {**titled(source, measure.heading), "subtitle": _key_of_sweeps(sweeps)}} if sweeps else {}
    dash, shape = _channel(source, names, DASHES, None), _channel(source, names, SHAPES, key if source.known else None)
    return {
        **told,
        "width": WIDTH,
        "height": HEIGHT,
        "layer": [
            _base_layer(source, measure, y, colour),
            {"transform": only(source, "curve"), "mark": {"type": "area", "opacity": SHADE, "tooltip": None},
             "encoding": {"x": x, "y": low, "y2": high, "color": colour}},
            {"transform": only(source, "curve"), "mark": {"type": "line"},
             "encoding": {"x": x, "y": y, "color": colour, "strokeDash": dash}},
            {"transform": only(source, "joined"), "mark": {"type": "line", "strokeWidth": 0.9, "opacity": 0.7},
             "encoding": {"x": x, "y": y, "color": colour}},
            {"transform": only(source, "point"), "mark": {"type": "rule"},
             "encoding": {"x": x, "y": low, "y2": high, "color": colour}},
            {"transform": only(source, "point"), "mark": {"type": "point"},
             "encoding": {"x": x, "y": y, **marks, "shape": shape,
                          "tooltip": tooltips(source, measure, names, sweeps=bool(sweeps))}},
        ],
    }  # fmt: skip


def _channel(source: Source, names: Sequence[str], looks: Sequence[object], key: Spec | None) -> Spec:
    """The encoding of series by colour, shape or dash."""
    scale = series_scale(looks, names, source.known)
    return {"field": source.column("series"), "type": "nominal", "scale": scale, "legend": key}


def _base_layer(source: Source, measure: Measure, y: Spec, colour: Spec) -> Spec:
    """The untrained models as dotted lines, in the colours of their series where there are several."""
    several = source.known and len(measure.base) > 1
    mark: Spec = {"type": "rule", "strokeDash": [1, 3], **({} if several else {"color": SOFT})}
    tip = [{"field": source.column("value"), "type": "quantitative", "title": "untrained", "format": ".4~g"}]
    encoding = {"y": y, "tooltip": tip, **({"color": colour} if several else {})}
    return {"transform": only(source, "base"), "mark": mark, "encoding": encoding}


def _dots(measure: Measure, fits: tuple[SeriesFit, ...], rows: Sequence[Row], source: Source) -> Spec:
    """One series a line, where no amount varies: points with intervals, the untrained base as a dotted line."""
    names = _names(fits)
    values = [float(v) for row in rows for k in ("value", "low", "high") if isinstance(v := row[k], int | float)]
    x = value_axis(source, "value", measure.metric, values)
    axis = {"title": None, "labelLimit": 0, "labelOverlap": False}
    y = {"field": source.column("series"), "type": "nominal", "sort": names if source.known else None, "axis": axis}
    low = {**x, "field": source.column("low")}
    return {
        "width": WIDTH,
        "height": {"step": 24},
        "padding": margins(names if source.known else []),
        "layer": [
            {"transform": only(source, "base"), "mark": {"type": "rule", "strokeDash": [1, 3], "color": SOFT},
             "encoding": {"x": x}},
            {"transform": only(source, "point"), "mark": {"type": "rule", "color": COLOURS[0]},
             "encoding": {"y": y, "x": low, "x2": {"field": source.column("high")}}},
            {"transform": only(source, "point"), "mark": {"type": "point", "color": COLOURS[0], "stroke": INK},
             "encoding": {"y": y, "x": x, "tooltip": tooltips(source, measure, names)}},
        ],
    }  # fmt: skip
