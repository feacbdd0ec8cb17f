"""Measurements, curves and warnings as plain text."""

from __future__ import annotations

import math

import numpy as np

from analysis.data.metric import Metric
from analysis.data.study import Measure
from analysis.fitting.diagnosis import explain, remedy
from analysis.fitting.levels import AmountLevel
from analysis.fitting.series_fits import SeriesFit

SHOWN_WEIGHT = 0.01  # weight from which on a sentence names a law
HEAVY = 0.1  # weight from which on a law's warnings are shown


def joined(separator: str, *texts: str) -> str:
    """The texts that are not empty, joined."""
    return separator.join(filter(None, texts))


def measured(level: AmountLevel, metric: Metric) -> str:
    """``mean ± the larger half of its interval``."""
    if np.isnan(level.low):
        return metric.number(level.mean)
    reach = max(level.high - level.mean, level.mean - level.low)
    if metric.kind in ("share", "rating") or not reach > 0:
        return f"{metric.number(level.mean)} ± {metric.number(reach)}"
    decimals = max(0, 1 - math.floor(math.log10(reach)))  # two digits of the error, and the value to the same place
    return f"{level.mean:.{decimals}f} ± {reach:.{decimals}f}"


def fitted_value(fit: SeriesFit, place: int, metric: Metric) -> str:
    """``value (low to high)`` of the curve at one of the levels; empty where the curve has no value."""
    if fit.at_levels is None or fit.levels[place].amount <= 0:
        return ""
    value, low, high = (
        metric.number(ends[place]) for ends in (fit.at_levels.value, fit.at_levels.low, fit.at_levels.high)
    )
    return f"{value} ({low} to {high})"


def sentence(measure: Measure, fit: SeriesFit) -> str:
    """What a series shows, in one sentence; why it has no curve where it has no amounts."""
    metric = measure.metric
    start = f"{fit.series.label}: " if fit.series.label else ""
    levels = [level for level in fit.levels if level.amount > 0]
    if not levels or not measure.axis:
        return f"{start}{fit.reason}." if fit.reason else ""
    first, last = levels[0], levels[-1]
    ends = [
        f"{metric.number(level.mean)}{metric.suffix} at {measure.amount_text(level.amount)}" for level in (first, last)
    ]
    course = f"{start}{metric.name} goes from {ends[0]} to {ends[1]} {measure.axis}"
    if fit.curve is None:
        return f"{course}. No curve: {fit.reason}."
    fitted_to = f", fitted to {metric.fitted_as}" if metric.fitted_as else ""
    at_end = fitted_value(fit, len(fit.levels) - 1, metric)
    return f"{course}; the curve there is at {at_end}{metric.suffix}. It is {_laws(fit)}{fitted_to}."


def _laws(fit: SeriesFit) -> str:
    """The laws with weight in the curve."""
    assert fit.curve is not None
    pairs = zip(fit.curve.curves, fit.curve.weights, strict=True)
    laws = [(curve.law.name, weight) for curve, weight in pairs if weight >= SHOWN_WEIGHT]
    if len(laws) == 1:
        return f"the law {laws[0][0]}"
    return "the average of " + ", ".join(f"{name} ({100 * weight:.0f} %)" for name, weight in laws)


def warning_rows(fit: SeriesFit) -> list[tuple[str, str, str, str]]:
    """The warnings of laws with some weight: series and law, code, meaning, remedy."""
    if fit.curve is None:
        return []
    pairs = zip(fit.curve.curves, fit.curve.weights, strict=True)
    heavy = {curve.law.name for curve, weight in pairs if weight >= HEAVY}
    rows = []
    for warning in fit.curve.warnings:
        law, _, code = warning.partition(":")
        if law in heavy:
            rows.append((joined(", ", fit.series.label, law), code, explain(code), remedy(code)))
    return rows
