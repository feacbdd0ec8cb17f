"""Small figures for decisions: how much data a goal takes, and how much the next cell would narrow each curve."""

from __future__ import annotations

import math
from collections.abc import Sequence

from analysis.data.series import COUNTED
from analysis.figures.axes import LOG, round_numbers
from analysis.figures.figure import Figure, Row, Source, Spec, only, shown
from analysis.figures.look import COLOURS, SOFT, margins, name_axis
from analysis.verdicts.goal import Goal

SIZE = 230
"""Width of the inner part, in pixels: the figures stand in cards."""


def goal_figure(goals: Sequence[Goal]) -> Figure | None:
    """The samples that each goal takes, with intervals, beside the largest amount measured; None without goals.

    An end that is not known is drawn as an arrow at the edge of what was asked about.
    """
    rows = tuple(_goal_row(goal) for goal in goals)
    if not rows:
        return None
    ends = [float(row[name] or 0) for row in rows for name in ("low", "high", "largest")]
    ticks = round_numbers(min(ends), max(ends))
    order = [str(row["about"]) for row in rows]
    unit = "own samples" if goals[0].axis == "samples" else COUNTED[goals[0].axis]

    def view(source: Source) -> Spec:
        axis = {
            "title": f"{unit}, log scale; | measured, \u25ba or more",
            "values": ticks,
            "format": ",~s",
            "grid": False,
        }
        x = {"type": "quantitative", "scale": dict(LOG), "axis": axis}
        y = _names(source, order)
        tips = [
            {"field": source.column(name), "title": title}
            for name, title in (("about", "goal"), ("samples", f"{unit} (95 %)"), ("measured", "largest measured"))
        ]
        line, point = {"type": "rule", "color": COLOURS[0]}, {"type": "point", "color": COLOURS[0], "size": 50}
        tick = {"type": "tick", "color": SOFT, "thickness": 2, "size": 14}
        arrow = {**point, "shape": "triangle-right", "filled": True}
        return {"width": SIZE, "height": {"step": 30}, "padding": margins(order), "layer": [
            {"mark": tick, "encoding": {"y": y, "x": {**x, "field": source.column("largest")}, "tooltip": tips}},
            {"mark": line,
             "encoding": {"y": y, "x": {**x, "field": source.column("low")}, "x2": {"field": source.column("high")}}},
            {"transform": [{"filter": {"field": source.column("beyond"), "valid": True}}], "mark": arrow,
             "encoding": {"y": y, "x": {**x, "field": source.column("beyond")}, "tooltip": tips}},
            {"transform": only(source, "known"), "mark": point,
             "encoding": {"y": y, "x": {**x, "field": source.column("amount")}, "tooltip": tips}},
        ]}  # fmt: skip

    description = (
        f"{_capital(unit)} that {len(rows)} goals take, with 95 % intervals; upright marks: the largest amount "
        "measured; arrows: or more"
    )
    return Figure("goals", f"{_capital(unit)} that the next goal takes", description, rows, view)


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def _goal_row(goal: Goal) -> Row:
    low, high = max(goal.low, goal.smallest), min(goal.high, goal.searched)
    known = math.isfinite(goal.amount) and goal.amount > 0
    return {
        "row": "known" if known else "open", "about": f"{goal.about}: {goal.shown_value}",
        "low": shown(min(low, goal.searched)), "high": shown(max(high, goal.smallest)),
        "beyond": shown(goal.searched) if goal.high > goal.searched else None,
        "amount": shown(goal.amount) if known else None, "largest": shown(goal.largest),
        "samples": goal.samples, "measured": f"{goal.largest:,.0f}",
    }  # fmt: skip


def next_figure(narrower: Sequence[tuple[str, float]]) -> Figure:
    """By ability, the share by which the most worthwhile cell narrows the interval of its curve."""
    rows: tuple[Row, ...] = tuple(
        {"row": "cell", "ability": name, "narrower": shown(100 * share, 3)} for name, share in narrower
    )

    def view(source: Source) -> Spec:
        axis = {"title": "interval of the curve narrower by, %", "tickCount": 5}
        x = {"field": source.column("narrower"), "type": "quantitative", "axis": axis}
        tips = [
            {"field": source.column(k), "title": t} for k, t in (("ability", "ability"), ("narrower", "narrower, %"))
        ]
        bar = {"type": "bar", "color": COLOURS[0], "height": 10}
        y = {**_names(source, [name for name, _ in narrower]), "field": source.column("ability")}
        return {"width": SIZE, "height": {"step": 24}, "mark": bar, "encoding": {"x": x, "y": y, "tooltip": tips}}

    listed = ", ".join(f"{name} {100 * share:.0f} %" for name, share in narrower)
    title = "What these cells would narrow"
    return Figure("next", title, f"{title}: {listed}", rows, view)


def _names(source: Source, order: Sequence[str]) -> Spec:
    """The axis of what a line is about."""
    return {
        "field": source.column("about"),
        "type": "nominal",
        "sort": list(order) if source.known else None,
        "axis": name_axis(order),
    }
