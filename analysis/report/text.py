"""Numbers, findings and warnings as plain text."""

from __future__ import annotations

import numpy as np

from analysis.data.metric import Metric
from analysis.data.study import Measure
from analysis.fitting.diagnosis import explain, remedy
from analysis.fitting.series_fits import AmountLevel, SeriesFit
from analysis.format import amount


def measured(level: AmountLevel, metric: Metric) -> str:
    """``mean ± the farther end of the interval``."""
    if np.isnan(level.low):
        return metric.number(level.mean)
    reach = max(level.high - level.mean, level.mean - level.low)
    return f"{metric.number(level.mean)} ± {metric.number(reach)}"


def fitted_value(found: SeriesFit, at: int, metric: Metric) -> str:
    """``value (low to high)`` of the curve at a level; empty where the curve says nothing."""
    if found.at_levels is None or found.levels[at].amount <= 0:
        return ""
    p = found.at_levels
    return f"{metric.number(p.value[at])} ({metric.number(p.low[at])} to {metric.number(p.high[at])})"


def heading(measure: Measure) -> str:
    """The block's title with the unit of its metric."""
    unit = measure.metric.shown_unit
    return measure.title + (f" ({unit})" if unit else "")


def sentence(measure: Measure, found: SeriesFit) -> str:
    """What the series shows, in one plain sentence."""
    metric = measure.metric
    who = f"{found.series.label}: " if found.series.label else ""
    levels = [level for level in found.levels if level.amount > 0]
    if not levels or not measure.axis:
        return f"{who}{found.reason}." if found.reason else ""
    first, last = levels[0], levels[-1]
    said = (
        f"{who}{metric.name} goes from {metric.number(first.mean)}{metric.suffix} at {amount(first.amount)} to "
        f"{metric.number(last.mean)}{metric.suffix} at {amount(last.amount)} {measure.axis}"
    )
    if found.curve is None:
        return f"{said}. No curve: {found.reason}."
    fitted_to = f", fitted to {metric.fitted_as}" if metric.fitted_as else ""
    at_end = fitted_value(found, len(found.levels) - 1, metric)
    return f"{said}; the curve there is at {at_end}{metric.suffix}. It is {_laws(found)}{fitted_to}."


def _laws(found: SeriesFit) -> str:
    """The laws that carry the curve."""
    assert found.curve is not None
    parts = [(c.law.name, w) for c, w in zip(found.curve.curves, found.curve.weights, strict=True) if w >= 0.01]
    if len(parts) == 1:
        return f"the law {parts[0][0]}"
    return "the average of " + ", ".join(f"{name} ({100 * w:.0f} %)" for name, w in parts)


def warning_rows(found: SeriesFit) -> list[tuple[str, str, str, str]]:
    """The warnings of laws that carry weight: series and law, code, meaning, remedy."""
    if found.curve is None:
        return []
    heavy = {c.law.name for c, w in zip(found.curve.curves, found.curve.weights, strict=True) if w >= 0.1}
    rows = []
    for warning in found.curve.warnings:
        law, _, code = warning.partition(":")
        if law in heavy:
            who = ", ".join(filter(None, (found.series.label, law)))
            rows.append((who, code, explain(code), remedy(code)))
    return rows
