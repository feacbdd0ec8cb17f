"""The same figure for a screen or a column that is too narrow for it: its text stays as large, its lines break."""

from __future__ import annotations

import copy
import json
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any

from analysis.figures.figure import Figure, Row, Spec
from analysis.figures.look import legend

WIDTH = 270
"""Of the whole picture in pixels, for which lines are broken; the page then makes it as wide as there is room."""
LETTER = 6.4
"""The width of a letter of 11 pixels, in pixels; of a wide font, as readers' own fonts stand in for ours."""
LINE = 13
SMALLEST = 11
"""Sizes of lines and of the smallest letters, in pixels."""
BESIDE = 15
"""Letters of a name beside a matrix, which has columns of its own."""


def narrow(figure: Figure) -> Spec:
    """The specification of a figure that is `WIDTH` wide."""
    spec = {key: value for key, value in figure.spec().items() if key != "padding"}
    spec["title"] = {**spec["title"], "text": _lines(figure.title, WIDTH / LETTER * 0.8)}
    if "subtitle" in spec["title"]:
        spec["title"]["subtitle"] = _lines(spec["title"]["subtitle"], WIDTH / LETTER)
    if "facet" in spec:  # Vega-Lite fits single views alone into a width
        header = {"labelExpr": _lookup(_named(spec["facet"], figure.rows, beside=False)), "labelLineHeight": LINE}
        inner = {**_view(spec["spec"], figure.rows), "width": WIDTH - 60}
        return {**spec, "columns": 1, "facet": {**spec["facet"], "header": header}, "spec": inner}
    return {**_view(spec, figure.rows), "width": WIDTH, "autosize": {"type": "fit-x", "contains": "padding"}}


def _view(view: Spec, rows: Sequence[Row]) -> Spec:
    """A single or layered view with narrow axes and legends, and with lines as high as their names ask for."""
    layers = view.get("layer", [view])
    matrix = any("y" in one["encoding"] and one["encoding"].get("x", {}).get("type") == "nominal" for one in layers)
    lines = [_named(one["encoding"]["y"], rows, matrix) for one in layers if "axis" in one["encoding"].get("y", {})]
    high = view.get("height")
    if isinstance(high, dict) and not matrix:
        most = max((len(name) for names in lines for name in names.values()), default=1)
        high = {"step": max(high["step"], 16 + LINE * most)}
    room = high if isinstance(high, int) else None
    changed = [
        {**_mark(one), "encoding": {c: _channel(c, e, rows, matrix, room) for c, e in one["encoding"].items()}}
        for one in layers
    ]
    return {**view, "height": high, "layer": changed} if "layer" in view else {**view, **changed[0], "height": high}


def _mark(unit: Spec) -> Spec:
    """A layer whose text is not too small."""
    mark = unit["mark"]
    small = isinstance(mark, dict) and mark.get("fontSize", SMALLEST) < SMALLEST
    return {**unit, "mark": {**mark, "fontSize": SMALLEST}} if small else unit


def _channel(channel: str, encoding: Any, rows: Sequence[Row], matrix: bool, height: int | None) -> Any:
    """A channel with its axis or legend for little room; ``height`` is that of the plot, where it is known."""
    if not isinstance(encoding, dict):
        return encoding
    if encoding.get("legend"):
        return {**encoding, "legend": _legend(encoding, rows)}
    axis = encoding.get("axis")
    if channel not in ("x", "y") or not axis:
        return encoding
    if encoding.get("type") == "nominal":
        return {**encoding, "axis": _names_axis(axis, _named(encoding, rows, matrix), beside=matrix)}
    letters = (WIDTH - 60 if channel == "x" or height is None else height) / LETTER
    return {**encoding, "axis": {**axis, "title": axis["title"] and _lines(axis["title"], letters)}}


def _named(encoding: Mapping[str, Any], rows: Sequence[Row], beside: bool) -> dict[str, list[str]]:
    """The names on an axis, in lines; empty where it has numbers."""
    if encoding.get("type") != "nominal":
        return {}
    names = dict.fromkeys(str(row[encoding["field"]]) for row in rows if row.get(encoding["field"]) is not None)
    return {name: _lines(name, BESIDE if beside else WIDTH / LETTER) for name in names}


def _names_axis(axis: Spec, names: Mapping[str, Sequence[str]], beside: bool) -> Spec:
    """Names in lines; above what they name instead of beside it, which leaves the whole width to the plot."""
    axis = {**axis, "labelLineHeight": LINE, "labelLimit": 0, "labelOffset": 0}
    if beside:
        return {**axis, "labelExpr": _lookup(names)}
    most = max(map(len, names.values()), default=1)  # Vega places the first line, so all names have as many
    level = {name: [""] * (most - len(lines)) + list(lines) for name, lines in names.items()}
    above = {"labelAlign": "left", "labelBaseline": "bottom", "labelOffset": -7 - LINE * (most - 1), "labelPadding": 0}
    return {**axis, **above, "labelExpr": _lookup(level), "ticks": False, "tickSize": 0, "domain": False, "zindex": 1}


def _legend(encoding: Mapping[str, Any], rows: Sequence[Row]) -> Spec:
    """A legend below the plot, with the columns for which there is room."""
    key: Spec = dict(encoding["legend"])
    if encoding["type"] != "nominal":
        return {**key, "orient": "bottom", "direction": "horizontal", "gradientLength": WIDTH - 90}
    names = encoding.get("scale", {}).get("domain") or sorted({str(row[encoding["field"]]) for row in rows})
    broken = {name: _lines(name, (WIDTH - 30) / LETTER) for name in names}
    key |= {"columns": (legend(names, WIDTH) or {"columns": 1})["columns"]}
    return key | ({"labelExpr": _lookup(broken)} if any(len(lines) > 1 for lines in broken.values()) else {})


def _lookup(lines: Mapping[str, Sequence[str]]) -> str:
    """An expression of Vega that gives each name in its lines."""
    return f"{json.dumps(lines)}[datum.label]"


def _lines(text: str | Sequence[str], letters: float) -> list[str]:
    """A text in lines of so many letters."""
    whole = text if isinstance(text, str) else " ".join(text)
    return textwrap.wrap(whole, int(letters)) or [""]


def patched(value: Any, changes: Sequence[Sequence[Any]]) -> Any:
    """A copy of a JSON value with the changes of `difference` made; the page's script does the same."""
    changed = copy.deepcopy(value)
    for path, *new in changes:
        place = changed
        for key in path[:-1]:
            place = place[key]
        if new:
            place[path[-1]] = new[0]
        else:
            del place[path[-1]]
    return changed


def difference(one: Any, other: Any) -> list[list[Any]]:
    """What turns one JSON value into the other: pairs of a path and the value there; an entry without a value goes."""
    if isinstance(one, dict) and isinstance(other, dict):
        changes = [[[key]] for key in one if key not in other]
        for key, value in other.items():
            found = difference(one[key], value) if key in one else [[[], value]]
            changes += [[[key, *path], *rest] for path, *rest in found]
        return changes
    if isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        pairs = enumerate(zip(one, other, strict=True))
        return [[[i, *path], *rest] for i, (a, b) in pairs for path, *rest in difference(a, b)]
    return [] if one == other else [[[], other]]
