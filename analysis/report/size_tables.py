"""Tables of sizes that were not trained, predicted from smaller ones, and of how well that would have worked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.data.metric import Metric
from analysis.data.study import Measure
from analysis.fitting.across_sizes import LINE, Forecast, HeldOut, Ladder, forecast, held_out, ladders
from analysis.fitting.uncertainty import Prediction
from analysis.format import amount, size
from analysis.text_table import TextTable

NEXT = 2.0  # how much larger the predicted size is than the largest measured


@dataclass(frozen=True)
class SizeRows:
    """Rows of the two tables of `size_tables`, of one measure."""

    ahead: tuple[tuple[str, ...], ...] = ()
    tested: tuple[tuple[str, ...], ...] = ()


def size_rows(measure: Measure, losses: Sequence[Measure] = ()) -> SizeRows:
    """The next size of every ladder of a measure, and every measured size from the third on as the smaller ones
    predict it; ``losses`` are measures that scores may be predicted through. Empty without a ladder of three sizes.
    """
    found = ladders(measure, losses)
    return SizeRows(
        tuple(_ahead(ladder, forecast(ladder, NEXT * float(ladder.sizes[-1]))) for ladder in found),
        tuple(_tested(ladder, one) for ladder in found for one in held_out(ladder)),
    )


def size_tables(rows: Sequence[SizeRows]) -> list[TextTable]:
    """Predicted and tested sizes of measures; none without a ladder."""
    ahead = tuple(row for one in rows for row in one.ahead)
    if not ahead:
        return []
    head = ("measured of sizes", "predicted size", "at amount")
    return [
        TextTable(
            "a size that was not trained, predicted from the smaller ones (95 % intervals)",
            (*head, "predicted", "forecasters"),
            ahead,
        ),
        TextTable(
            "measured sizes, each predicted from the smaller ones alone",
            (*head, "predicted", "measured", "error over amounts", "amounts inside", "distance, log ranges"),
            tuple(row for one in rows for row in one.tested),
        ),
    ]


def _ahead(ladder: Ladder, said: Forecast) -> tuple[str, ...]:
    names = sorted((name for name in said.weights if said.weights[name] >= 0.05), key=lambda n: -said.weights[n])
    by = ", ".join(f"{_name(name)} ({100 * said.weights[name]:.0f} %)" for name in names)
    return ladder.label, size(said.size), amount(ladder.amounts[-1]), _last(ladder.metric, said.prediction), by


def _name(forecaster: str) -> str:
    return "line in log size" if forecaster == LINE else forecaster


def _tested(ladder: Ladder, one: HeldOut) -> tuple[str, ...]:
    said, metric = one.forecast.prediction, ladder.metric
    measured = metric.number(float(_values(metric, one.measured)[-1]))
    if metric.bounded:
        away = float(np.sqrt(np.mean((said.value - one.measured) ** 2)))
        error = f"{metric.effect(away).lstrip('+')} {metric.short_unit}"
    else:
        error = f"{100 * np.expm1(one.error):.1f} %"
    inside = f"{round(one.covered * len(one.measured))} of {len(one.measured)}"
    where = ladder.label, size(one.forecast.size), amount(ladder.amounts[-1])
    return *where, _last(metric, said), measured, error, inside, f"{one.distance:.2f}"


def _last(metric: Metric, said: Prediction) -> str:
    """The prediction at the largest amount, as values of the metric."""
    value, *ends = (float(_values(metric, part)[-1]) for part in (said.value, said.low, said.high))
    return f"{metric.number(value)} ({metric.number(min(ends))} to {metric.number(max(ends))})"


def _values(metric: Metric, fitted: np.ndarray) -> np.ndarray:
    return metric.value(fitted) if metric.bounded else fitted
