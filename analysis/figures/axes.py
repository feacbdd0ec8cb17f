"""Axes of amounts and of values."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from analysis.data.metric import Metric
from analysis.data.study import Measure
from analysis.figures.figure import Source, Spec
from analysis.format import amount

FEW = 10
"""Amounts up to which each has its tick, where they are fractions."""
LOG = {"type": "log", "nice": False, "padding": 8}
"""A logarithmic scale with room for whole marks at its ends."""
STEEP = 3.0
"""The largest over the smallest loss, from which on their axis is logarithmic."""


def amount_axis(source: Source, column: str, measure: Measure, amounts: Sequence[float], title: str) -> Spec:
    """A logarithmic axis, with ticks at the amounts where they are few fractions, else at round numbers.

    Amount 0 is drawn a quarter below the smallest one.
    """
    axis: Spec = {"title": source.words("x_title", f"{title} (log scale)"), "grid": False}
    if source.known:
        ticks = ticks_of(measure, amounts)
        axis |= {"values": list(ticks), "labelExpr": f"{json.dumps(_by_label(ticks))}[datum.value]"}
    else:
        axis |= {"format": ",~g"}
    return {"field": source.column(column), "type": "quantitative", "scale": dict(LOG), "axis": axis}


def ticks_of(measure: Measure, amounts: Sequence[float]) -> dict[float, str]:
    """The places of ticks on an axis of amounts, with their labels."""
    places = sorted(a for a in amounts if a > 0)
    if not places:
        return {1.0: "0"}
    zero = {places[0] / 4: measure.amount_text(0.0)} if len(places) < len(amounts) else {}
    if places[-1] <= 1 and len(amounts) <= FEW:
        return zero | {a: measure.amount_text(a) for a in places}
    return zero | {value: amount(value) for value in round_numbers(places[0], places[-1])}


def round_numbers(low: float, high: float) -> list[float]:
    """About seven round numbers for a logarithmic axis; its ends where no round number lies between them."""
    decades = np.log10(high / low)
    steps = (1, 2, 5) if decades < 2.2 else (1, 3) if decades < 3.3 else (1,)
    powers = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    numbers = [float(f"{step * 10.0**power:.6g}") for power in powers for step in steps]
    return [value for value in numbers if low * 0.999 <= value <= high * 1.001] or [low, high]


def _by_label(ticks: dict[float, str]) -> dict[str, str]:
    """Labels by the number as JavaScript writes it."""
    return {json.dumps(int(value) if value == int(value) else value): text for value, text in ticks.items()}


def value_axis(source: Source, column: str, metric: Metric, values: Sequence[float]) -> Spec:
    """An axis of a metric's values; logarithmic for losses that fall by a factor of `STEEP` or more."""
    low, high = min(values, default=1.0), max(values, default=1.0)
    steep = source.known and metric.kind == "loss" and low > 0 and high / low >= STEEP
    axis: Spec = {"title": source.words("y_title", metric.label + (" (log scale)" if steep else ""))}
    axis |= {"values": round_numbers(low, high), "format": ".4~g"} if steep else {"tickCount": 6, "format": ".6~g"}
    scale: Spec = {**LOG, "padding": 4} if steep else {"zero": False, "padding": 4}
    return {"field": source.column(column), "type": "quantitative", "scale": scale, "axis": axis}
