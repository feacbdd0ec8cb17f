"""The figure of verdicts: effects with their intervals, one a line, and the margin as a band."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.figures.figure import Figure, Row, Source, Spec, only, shown
from analysis.figures.look import COLOURS, GRID, INK, SOFT, margins, name_axis
from analysis.verdicts.verdict import Verdict

FINDINGS = {"up": "better", "down": "worse", "equal": "equal within the margin", "undecided": "undecided"}
LOOKS = {
    "better": (COLOURS[2], "triangle-up"), "worse": (COLOURS[1], "triangle-down"),
    "equal within the margin": (COLOURS[0], "circle"), "undecided": (SOFT, "cross"),
}  # fmt: skip


def verdict_figure(name: str, title: str, verdicts: Sequence[Verdict]) -> Figure:
    """Verdicts on metrics of one kind, in their order. Their margins are drawn where all are equal."""
    rows = tuple(_row(verdict) for verdict in verdicts)
    bands = {row["margin"] for row in rows}
    order = [verdict.about for verdict in verdicts]
    unit = verdicts[0].metric.short_unit

    def view(source: Source) -> Spec:
        labels = order if source.known else []
        x = {
            "type": "quantitative",
            "scale": {"zero": True, "padding": 4},
            "axis": {"title": source.words("x_title", f"gain in {unit}, 95 % interval"), "format": "+.4~g"},
        }
        y = {
            "field": source.column("about"),
            "type": "nominal",
            "sort": order if source.known else None,
            "axis": name_axis(labels),
        }
        kinds = list(LOOKS)
        looks = {
            channel: {
                "field": source.column("finding"),
                "type": "nominal",
                "legend": {"columns": 2},
                "scale": {"domain": kinds, "range": [LOOKS[kind][k] for kind in kinds]},
            }
            for k, channel in enumerate(("color", "shape"))
        }
        ends = {"x": {**x, "field": source.column("low")}, "x2": {"field": source.column("high")}}
        tips = [
            {"field": source.column(k), "title": t} | ({"format": "+.4~g"} if k in ("effect", "low", "high") else {})
            for k, t in (
                ("about", "about"),
                ("effect", f"gain, {unit}"),
                ("low", "95 % from"),
                ("high", "to"),
                ("finding", "finding"),
            )
        ]
        layers: list[Spec] = []
        if len(bands) == 1 and source.known:
            (margin,) = bands
            band = {"x": {**x, "datum": -float(margin or 0)}, "x2": {"datum": float(margin or 0)}}
            layers = [{"mark": {"type": "rect", "color": GRID}, "encoding": band}]
        return {"width": 330, "height": {"step": 30 if any(", " in name for name in labels) else 22},
                "padding": margins(labels), "layer": [
            *layers,
            {"mark": {"type": "rule", "color": INK}, "encoding": {"x": {**x, "datum": 0}}},
            {"transform": only(source, "verdict"), "mark": {"type": "rule"},
             "encoding": {"y": y, **ends, "color": looks["color"]}},
            {"transform": only(source, "verdict"), "mark": {"type": "point", "size": 60},
             "encoding": {"y": y, "x": {**x, "field": source.column("effect")}, **looks, "tooltip": tips}},
        ]}  # fmt: skip

    found = ", ".join(f"{sum(row['finding'] == kind for row in rows)} {kind}" for kind in LOOKS)
    return Figure(name, title, f"{title}: {found}", rows, view, {"x_title": f"gain in {unit}, 95 % interval"})


def _row(verdict: Verdict) -> Row:
    """A verdict in the unit in which effects are shown."""
    effect, low, high = (_effect(verdict, value) for value in (verdict.effect, verdict.low, verdict.high))
    return {
        "row": "verdict", "question": verdict.question, "about": verdict.about, "metric": verdict.metric.name,
        "effect": shown(effect), "low": shown(low), "high": shown(high),
        "margin": shown(abs(_effect(verdict, verdict.margin)), 3), "finding": FINDINGS[verdict.finding],
    }  # fmt: skip


def _effect(verdict: Verdict, difference: float) -> float:
    return float("nan") if np.isnan(difference) else float(verdict.metric.effect(difference))
