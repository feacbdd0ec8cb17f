"""How all figures look: colours, marks, dashes, the font, and legends with as many columns as fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

# Okabe and Ito's colours, in an order in which neighbours also differ in grey. Markers and dashes repeat the
# distinction for readers without colour.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#5c5c5c")
BRIGHT = "#4da6e0"
"""What stands for the first colour on a dark page, where it would be too dark."""
SHAPES = ("circle", "square", "triangle-up", "diamond", "triangle-down", "cross", "triangle-right")
DASHES = ([1, 0], [6, 2], [2, 1.5], [6, 2, 1.5, 2])
INK, SOFT, LINE, GRID = "#1c1e21", "#555b63", "#8a9099", "#e4e4e6"
"""Text; what is said quietly; axes; grid. A page that is dark replaces exactly these four."""
FONT = "Liberation Sans, Arial, Helvetica, Noto Sans CJK SC, sans-serif"
"""vl-convert brings Liberation Sans along, which is as wide as Arial: figures are the same on every machine."""
WIDTH, HEIGHT = 460, 260
"""Of the inner part of a figure, in pixels."""

CONFIG: dict[str, Any] = {
    "aria": False,  # one description a figure, and a table below it, instead of a label a point
    "background": None,
    "font": FONT,
    "view": {"stroke": None},
    "axis": {
        "labelColor": INK, "titleColor": INK, "titleFontWeight": "normal", "titlePadding": 8, "labelFontSize": 11,
        "titleFontSize": 12, "gridColor": GRID, "domainColor": LINE, "tickColor": LINE, "labelOverlap": "greedy",
        "labelFlush": False,  # labels moved inwards at the ends would touch their neighbours
    },
    "legend": {
        "orient": "bottom", "title": None, "labelColor": INK, "labelFontSize": 11, "labelLimit": 0, "symbolSize": 60,
        "symbolStrokeWidth": 1.6, "symbolOpacity": 1, "symbolDash": [], "direction": "horizontal", "columnPadding": 34,
    },
    "header": {"labelColor": INK, "labelFontSize": 11},
    "title": {"color": INK, "subtitleColor": SOFT, "fontSize": 13, "subtitleFontSize": 11, "subtitlePadding": 4},
    "line": {"strokeWidth": 1.7},
    "rule": {"strokeWidth": 1.1},
    "point": {"size": 46, "filled": True, "opacity": 1},
    "text": {"color": INK, "fontSize": 11},
}  # fmt: skip


def cycled(looks: Sequence[Any], names: Sequence[str]) -> list[Any]:
    """One of ``looks`` for each name, from the start again where they are too few."""
    return [looks[i % len(looks)] for i in range(max(len(names), 1))]


def series_scale(looks: Sequence[Any], names: Sequence[str], known: bool) -> dict[str, Any]:
    """The scale from the names of series to colours, shapes or dashes; without names, all looks in turn."""
    return {"domain": list(names), "range": cycled(looks, names)} if known else {"range": list(looks)}


COMMA = "indexof(datum.label, ', ')"
TWO_LINES = f"{COMMA} < 0 ? datum.label : [slice(datum.label, 0, {COMMA}), slice(datum.label, {COMMA} + 2)]"
"""An expression that writes what follows the first comma of a label into a second line."""


def name_axis(labels: Sequence[str]) -> dict[str, Any]:
    """The axis of what the lines of a figure are about: nothing cut off, in two lines where a label has a comma."""
    axis = {"title": None, "labelLimit": 0, "labelOverlap": False}
    two = {"labelExpr": TWO_LINES, "labelLineHeight": 12, "labelOffset": -6}
    return {**axis, **two} if any(", " in label for label in labels) else axis


def margins(left: Sequence[str], right: str = "") -> dict[str, float]:
    """Room around a figure with these labels at its sides: a reader's font may be a fifth wider than the one here."""
    longest = max((len(part) for label in left for part in label.split(", ", 1)), default=0)
    return {"left": 5 + 1.3 * longest, "right": 12 + 1.3 * len(right), "top": 5, "bottom": 5}


def legend(names: Sequence[str], width: float = WIDTH) -> dict[str, Any] | None:
    """The legend of these series, with as many columns as fit below a figure; None for fewer than two."""
    if len(names) < 2:
        return None
    widest = max(map(len, names))
    return {"columns": max(1, min(len(names), int(width / (6.2 * widest + 40))))}
