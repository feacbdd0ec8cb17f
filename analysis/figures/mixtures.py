"""Figures of mixtures: values over own amount and share of the data, and over the triangle of three abilities."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pandas as pd

from analysis.arrays import Array
from analysis.data.study import Measure, Study
from analysis.figures.axes import LOG, round_numbers
from analysis.figures.figure import Figure, Row, Source, Spec, only, shown
from analysis.figures.look import HEIGHT, INK, LINE, margins
from analysis.format import amount

MIN_PLACES = 6  # of a surface or a triangle
HIGH = 3**0.5 / 2  # of a triangle with sides of 1
SHADES = "cividis"  # a colour map that is also monotone in grey
LABELLED = 40  # places up to which each says its value

Places = Callable[[pd.DataFrame], pd.DataFrame]


def mixture_figures(study: Study) -> tuple[list[Figure], list[str]]:
    """A surface and a triangle for every measure that supports them, and sentences on metrics without any."""
    if not {"samples", "total_samples"} <= set(study.table):
        return [], ["No surface over amount and ratio: the table has no columns samples and total_samples."]
    parts = sorted(c for c in study.factors if c.startswith("samples_"))
    figures, missing = list[Figure](), list[str]()
    for metric in sorted({m.metric.name: m.metric for m in study.measures}.values(), key=lambda m: m.name):
        measured = [m for m in study.measures if m.metric == metric]
        surfaces = [_surface(m, at) for m in measured if (at := _enough(m, _surface_places)) is not None]
        in_triangle = partial(_triangle_places, names=parts)
        names = [p.removeprefix("samples_") for p in parts]
        triangles = [
            _triangle(m, at, names)
            for m in (measured if len(parts) == 3 else [])
            if (at := _enough(m, in_triangle)) is not None
        ]
        figures += [*surfaces, *triangles]
        if not surfaces:
            missing.append(
                f"No surface of {metric.name} over amount and ratio: it needs {MIN_PLACES} places in which both vary."
            )
        if not triangles:
            missing.append(
                f"No triangle of {metric.name}: it needs {MIN_PLACES} different mixtures of three abilities."
            )
    return figures, missing


def _enough(measure: Measure, places: Places) -> pd.DataFrame | None:
    """The mean at each place, for a measure with enough of them."""
    at = places(measure.trained)
    spread = len(at) >= MIN_PLACES and _spread(at["x"].to_numpy(float), at["y"].to_numpy(float))
    return at if spread else None


def _surface_places(part: pd.DataFrame) -> pd.DataFrame:
    """x = ln own samples, y = share of all samples, mean value, and size 1."""
    own = part[(part["samples"] > 0) & (part["total_samples"] > 0)]
    at = pd.DataFrame(
        {"x": np.log(own["samples"]), "y": own["samples"] / own["total_samples"], "size": 1.0, "value": own["value"]}
    )
    return at.round({"x": 9, "y": 9}).groupby(["x", "y"], as_index=False).mean()


def _triangle_places(part: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Shares of three abilities as places in a triangle of height `HIGH`, mean value, and the total as size."""
    total = part[names].sum(axis=1)
    mixed = part[total > 0]
    share = mixed[names].to_numpy(float) / total[total > 0].to_numpy(float)[:, None]
    at = pd.DataFrame(
        {
            "x": share[:, 1] + 0.5 * share[:, 2],
            "y": HIGH * share[:, 2],
            "size": mixed[names].sum(axis=1).to_numpy(float),
            "value": mixed["value"].to_numpy(float),
        }
    )
    return at.round({"x": 9, "y": 9}).groupby(["x", "y", "size"], as_index=False).mean()


def _spread(x: Array, y: Array) -> bool:
    """Whether there are enough different places, and they do not lie on a line."""
    places = np.unique(np.stack([x, y]), axis=1)
    return places.shape[1] >= MIN_PLACES and bool(
        np.linalg.svd(places - places.mean(axis=1, keepdims=True))[1][1] > 1e-3
    )


def _row(kind: str, measure: Measure, x: float, y: float, **columns: str | float | None) -> Row:
    empty: Row = dict.fromkeys(("x2", "y2", "size", "value", "label"))
    return {"row": kind, "ability": measure.ability, "x": shown(x, 9), "y": shown(y), **empty, **columns}


def _shade(source: Source, measure: Measure) -> Spec:
    legend = {"title": measure.metric.label, "orient": "right", "direction": "vertical", "gradientLength": 180,
              "titleColor": INK, "titleFontWeight": "normal", "format": ".3~g"}  # fmt: skip
    scale = {"scheme": SHADES}
    return {"field": source.column("value"), "type": "quantitative", "scale": scale, "legend": legend}


def _surface(measure: Measure, at: pd.DataFrame) -> Figure:
    """One dot per place, shaded by the mean value, which it also says where there are not too many."""
    rows = tuple(
        _row(
            "point", measure, float(np.exp(x)), y, value=shown(measure.metric.factor * value),
            label=measure.metric.number(value) if len(at) <= LABELLED else "",
        )
        for x, y, value in zip(at["x"], at["y"], at["value"], strict=True)
    )  # fmt: skip
    ticks = round_numbers(float(np.exp(at["x"].min())), float(np.exp(at["x"].max())))

    def view(source: Source) -> Spec:
        x = {
            "field": source.column("x"),
            "type": "quantitative",
            "scale": {**LOG, "padding": 22},
            "axis": {"title": "own samples (log scale)", "values": ticks, "format": ",.6~g", "grid": False},
        }
        y = {
            "field": source.column("y"),
            "type": "quantitative",
            "scale": {"zero": False, "padding": 12},
            "axis": {"title": "share of all samples", "tickCount": 5, "format": ".2~g"},
        }
        tip = [
            {"field": source.column(k), "title": t, "format": ",.5~g"}
            for k, t in (("x", "own samples"), ("y", "share of all"), ("value", measure.metric.label))
        ]
        place = {"x": x, "y": y}
        mark = {"type": "point", "size": 170, "stroke": INK, "strokeWidth": 0.6}
        text = {"type": "text", "dy": -14, "fontSize": 9}
        room = margins([], measure.metric.label)
        return {"width": 330, "height": HEIGHT, "padding": room, "layer": [
            {"mark": mark, "encoding": {**place, "color": _shade(source, measure), "tooltip": tip}},
            {"mark": text, "encoding": {**place, "text": {"field": source.column("label")}}},
        ]}  # fmt: skip

    title = f"{measure.title}: own amount and share"
    description = f"{measure.heading} by own samples and their share of all samples, at {len(at)} places"
    return Figure(f"surface-{measure.name}", title, description, rows, view)


def _triangle(measure: Measure, at: pd.DataFrame, corners: Sequence[str]) -> Figure:
    """One dot per mixture, shaded by the value; the more data, the larger; small ones on top."""
    drawn = at.sort_values("size", ascending=False, kind="stable")
    points = [
        _row("point", measure, x, y, size=shown(size, 9), value=shown(measure.metric.factor * value))
        for x, y, size, value in drawn[["x", "y", "size", "value"]].itertuples(index=False, name=None)
    ]
    guides = [_row("guide", measure, x, y, x2=shown(x2), y2=shown(y2)) for x, y, x2, y2 in _guides()]
    ends = zip(corners, (0.0, 1.0, 0.5), (-0.07, -0.07, HIGH + 0.07), strict=True)
    names = [_row("corner", measure, x, y, label=f"only {name}") for name, x, y in ends]
    smallest, largest = amount(float(at["size"].min())), amount(float(at["size"].max()))

    def view(source: Source) -> Spec:
        x = {"field": source.column("x"), "type": "quantitative", "scale": {"domain": [-0.15, 1.15]}, "axis": None}
        y = {"field": source.column("y"), "type": "quantitative", "scale": {"domain": [-0.12, 1.0]}, "axis": None}
        size = {
            "field": source.column("size"),
            "type": "quantitative",
            "legend": None,
            "scale": {"type": "log", "range": [40, 320]},
        }
        line = {"type": "rule", "color": LINE, "strokeWidth": 0.7}
        far = {"x2": {"field": source.column("x2")}, "y2": {"field": source.column("y2")}}
        tip = [
            {"field": source.column(k), "title": t, "format": ",.5~g"}
            for k, t in (("size", "samples"), ("value", measure.metric.label))
        ]
        mark = {"type": "point", "stroke": INK, "strokeWidth": 0.7}
        room = margins([], measure.metric.label)
        return {"width": 330, "height": 285, "padding": room, "layer": [
            {"transform": only(source, "guide"), "mark": line, "encoding": {"x": x, "y": y, **far}},
            {"transform": only(source, "corner"), "mark": {"type": "text"},
             "encoding": {"x": x, "y": y, "text": {"field": source.column("label")}}},
            {"transform": only(source, "point"), "mark": mark,
             "encoding": {"x": x, "y": y, "size": size, "color": _shade(source, measure), "tooltip": tip}},
        ]}  # fmt: skip

    title = f"{measure.title}: mixtures (size: {smallest} to {largest} samples)"
    description = f"{measure.heading} of {len(points)} mixtures of {', '.join(corners)}, in a triangle of their shares"
    return Figure(f"triangle-{measure.name}", title, description, (*guides, *names, *points), view)


def _guides() -> list[tuple[float, float, float, float]]:
    """The sides of the triangle, and the lines of a quarter, a half and three quarters of each ability."""
    lines = [(0.0, 0.0, 1.0, 0.0), (1.0, 0.0, 0.5, HIGH), (0.5, HIGH, 0.0, 0.0)]
    for share in (0.25, 0.5, 0.75):
        lines.append((share, 0.0, 0.5 + share / 2, HIGH * (1 - share)))
        lines.append((1 - share, 0.0, 0.5 - share / 2, HIGH * (1 - share)))
        lines.append((share / 2, HIGH * share, 1 - share / 2, HIGH * share))
    return lines
