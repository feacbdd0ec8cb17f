"""The figure of verdicts: effects with their intervals, one a line, and the margin as a band."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from analysis.figures.axes import LOG, round_numbers
from analysis.figures.figure import Figure, Row, Source, Spec, only, shown
from analysis.figures.look import COLOURS, GRID, INK, SOFT, margins, name_axis
from analysis.verdicts.verdict import Verdict

FINDINGS = {"up": "better", "down": "worse", "equal": "equal within the margin", "undecided": "undecided"}
LOOKS = {
    "better": (COLOURS[2], "triangle-up"), "worse": (COLOURS[1], "triangle-down"),
    "equal within the margin": (COLOURS[0], "circle"), "undecided": (SOFT, "cross"),
}  # fmt: skip

LARGEST = 1e4
"""Factor of a loss that is drawn at most: intervals of two runs may have no end to speak of."""


def verdict_figure(name: str, title: str, verdicts: Sequence[Verdict]) -> Figure:
    """Verdicts on metrics of one kind, in their order. Their margins are drawn where all are equal.

    Losses of which one may at least double are drawn as factors, the lower ones at the right.
    """
    factors = any(verdict.metric.multiplies(verdict.low) for verdict in verdicts)
    shown_as = _factor if factors else _gain
    rows = tuple(_row(verdict, shown_as) for verdict in verdicts)
    order = [verdict.about for verdict in verdicts]
    unit = f"{verdicts[0].metric.name}, times" if factors else f"gain in {verdicts[0].metric.short_unit}"
    words = {"x_title": f"{unit}{' (log scale)' if factors else ''}, 95 % interval"}

    def view(source: Source) -> Spec:
        labels = order if source.known else []
        x = _x(source, words["x_title"], _ticks(rows) if factors else None)
        y = {
            "field": source.column("about"),
            "type": "nominal",
            "sort": order if source.known else None,
            "axis": name_axis(labels),
        }
        looks = _looks(source)
        ends = {"x": {**x, "field": source.column("low")}, "x2": {"field": source.column("high")}}
        tips = _tips(source, unit, x["axis"]["format"])
        return {"width": 330, "height": {"step": 30 if any(", " in name for name in labels) else 22},
                "padding": margins(labels), "layer": [
            *(_band(verdicts, x, shown_as) if source.known else []),
            {"mark": {"type": "rule", "color": INK}, "encoding": {"x": {**x, "datum": shown_as(verdicts[0], 0.0)}}},
            {"transform": only(source, "verdict"), "mark": {"type": "rule"},
             "encoding": {"y": y, **ends, "color": looks["color"]}},
            {"transform": only(source, "verdict"), "mark": {"type": "point", "size": 60},
             "encoding": {"y": y, "x": {**x, "field": source.column("effect")}, **looks, "tooltip": tips}},
        ]}  # fmt: skip

    found = ", ".join(f"{sum(row['finding'] == kind for row in rows)} {kind}" for kind in LOOKS)
    return Figure(name, title, f"{title}: {found}", rows, view, words)


def _x(source: Source, title: str, ticks: list[float] | None) -> Spec:
    """The axis of effects; with ``ticks``, that of factors."""
    scale = {"zero": True, "padding": 4} if ticks is None else {**LOG, "reverse": True}
    axis = {"title": source.words("x_title", title), "format": "+.4~g" if ticks is None else ",.4~g"}
    return {
        "type": "quantitative",
        "scale": scale,
        "axis": axis | ({"values": ticks} if ticks and source.known else {}),
    }


def _looks(source: Source) -> Spec:
    """The colour and shape of each finding."""
    kinds = list(LOOKS)
    return {
        channel: {
            "field": source.column("finding"),
            "type": "nominal",
            "legend": {"columns": 2},
            "scale": {"domain": kinds, "range": [LOOKS[kind][k] for kind in kinds]},
        }
        for k, channel in enumerate(("color", "shape"))
    }


def _tips(source: Source, unit: str, form: str) -> list[Spec]:
    """What pointing at a verdict shows."""
    shown_columns = (("about", "about"), ("effect", unit), ("low", "95 % from"), ("high", "to"), ("finding", "finding"))
    return [
        {"field": source.column(k), "title": t} | ({"format": form} if k in ("effect", "low", "high") else {})
        for k, t in shown_columns
    ]


def _band(verdicts: Sequence[Verdict], x: Spec, shown_as: Callable[[Verdict, float], float]) -> list[Spec]:
    """The layer of the margin, where all verdicts have one margin."""
    one, margin = verdicts[0], verdicts[0].margin
    if len({f"{verdict.margin:.3g}" for verdict in verdicts}) > 1:
        return []
    ends = {"x": {**x, "datum": shown_as(one, -margin)}, "x2": {"datum": shown_as(one, margin)}}
    return [{"mark": {"type": "rect", "color": GRID}, "encoding": ends}]


def _row(verdict: Verdict, shown_as: Callable[[Verdict, float], float]) -> Row:
    """A verdict with its numbers as they are shown."""
    effect, low, high = (shown_as(verdict, value) for value in (verdict.effect, verdict.low, verdict.high))
    return {
        "row": "verdict", "question": verdict.question, "about": verdict.about, "metric": verdict.metric.name,
        "effect": shown(effect, 4), "low": shown(low, 4), "high": shown(high, 4),
        "margin": shown(abs(_gain(verdict, verdict.margin)), 3), "finding": FINDINGS[verdict.finding],
    }  # fmt: skip


def _gain(verdict: Verdict, difference: float) -> float:
    """A difference of merits in the unit in which effects are shown."""
    return verdict.metric.gain(difference)


def _factor(verdict: Verdict, difference: float) -> float:
    """A difference of the merits of losses as their factor, at most `LARGEST` either way."""
    return float(np.exp(np.clip(-difference, -np.log(LARGEST), np.log(LARGEST))))


def _ticks(rows: Sequence[Row]) -> list[float]:
    """Round numbers within the factors of all verdicts."""
    ends = [float(value) for row in rows for name in ("effect", "low", "high") if (value := row[name]) is not None]
    return round_numbers(min(1.0, *ends), max(1.0, *ends))
