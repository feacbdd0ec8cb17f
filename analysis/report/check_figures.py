"""Figures that check the curves of a measure: rolling-origin errors, residuals, and the profile of an exponent."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from analysis.arrays import Array
from analysis.data.study import Measure
from analysis.fitting.curve import Curve
from analysis.fitting.series_fits import SeriesFit, predicted
from analysis.fitting.uncertainty import quantile
from analysis.report.figures import COLOURS, DASHES, MARKERS, STYLE, amount_axis, legend, save
from analysis.report.text import joined

MANY = 300  # measurements of a series beyond which dots would cover each other
RATES = ("exponent", "slope")
"""Roles of the parameters that say how fast a law falls or rises."""
Profile = tuple[Curve, str, Array, Array]
"""A law, the name of such a parameter, its values, and the root of how much worse the best fit is at each."""


def draw_checks(measure: Measure, fits: list[SeriesFit], folder: Path) -> dict[str, str]:
    """The figures that the curves support, as SVG texts: ``NAME-rollout``, ``NAME-residual`` and ``NAME-profile``."""
    curves = [fit for fit in fits if fit.curve is not None]
    drawn = {}
    if any(fit.curve and fit.curve.rolling_origin and len(fit.curve.rolling_origin.origins) > 1 for fit in curves):
        drawn[f"{measure.name}-rollout"] = _draw(measure, curves, _rollout, folder, "rollout")
    if curves:
        drawn[f"{measure.name}-residual"] = _draw(measure, curves, _residual, folder, "residual")
    profiles = [_profile_of(fit) for fit in curves]  # computed once: each point of a profile is a fit
    if any(profiles):
        drawn[f"{measure.name}-profile"] = _draw(measure, curves, partial(_profile, profiles), folder, "profile")
    return drawn


def _draw(
    measure: Measure,
    fits: list[SeriesFit],
    panel: Callable[[Axes, Measure, list[SeriesFit]], None],
    folder: Path,
    kind: str,
) -> str:
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.4, 3.3))
        axes = figure.add_subplot()
        panel(axes, measure, fits)
        axes.set_title(f"{measure.title}: {kind}")
        legend(figure, axes)
        return save(figure, folder, f"{measure.name}-{kind}")


def _rollout(axes: Axes, measure: Measure, fits: list[SeriesFit]) -> None:
    """The error beyond the amounts fitted over the largest amount fitted: of each law, and of the average in black.

    For the series with the most origins.
    """
    rolling = [fit.curve.rolling_origin for fit in fits if fit.curve and fit.curve.rolling_origin]
    longest = max(rolling, key=lambda r: len(r.origins))
    factor = 100.0 if fits[0].curve and fits[0].curve.scale.name == "log" else 1.0
    for i, (law, square) in enumerate(zip(longest.laws, longest.square_errors, strict=True)):
        error = np.where(np.isfinite(square), factor * np.sqrt(square), np.nan)
        look: Any = {"color": COLOURS[i % 6], "linestyle": DASHES[i % len(DASHES)], "marker": MARKERS[i % 6]}
        axes.plot(longest.origins, error, label=law, linewidth=1.2, markersize=4.5, **look)
    average = factor * np.sqrt(longest.average_square_errors)
    axes.plot(longest.origins, average, color="black", linewidth=2.2, label="average", zorder=5)
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    axes.yaxis.set_major_locator(LogLocator(10, subs=(1.0, 2.0, 3.0, 5.0) if high / low < 20 else (1.0,)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
    amount_axis(axes, measure, sorted(map(float, longest.origins)), f"largest of the {measure.axis} fitted")
    axes.set_ylabel(f"error beyond it, {_error_unit(_curves(fits)[0], factor)}")


def _residual(axes: Axes, measure: Measure, fits: list[SeriesFit]) -> None:
    """Measured minus the average curve at each measurement; of each amount's mean where there are very many."""
    axes.axhline(0.0, color="#777777", linewidth=1)
    for i, fit in enumerate(fits):
        assert fit.curve is not None
        at, value = _measurements(fit)
        gap = measure.metric.gap(value, predicted(fit.curve, measure, at).value)
        look: Any = {"color": COLOURS[i % len(COLOURS)], "marker": MARKERS[i % len(MARKERS)]}
        axes.plot(at, gap, linestyle="none", markersize=5, label=fit.series.label or "_", **look)
    reach = 1.15 * max(map(abs, axes.get_ylim()))
    axes.set_ylim(-reach, reach)
    amounts = sorted({float(a) for fit in fits for a in fit.series.amount if a > 0})
    amount_axis(axes, measure, amounts, measure.axis)
    axes.set_ylabel(f"measured minus curve, {measure.metric.short_unit}")


def _measurements(fit: SeriesFit) -> tuple[Array, Array]:
    """Amounts above 0 and values of a series; of its levels where there are very many measurements."""
    trained = fit.series.amount > 0
    amounts, value = fit.series.amount[trained], fit.series.value[trained]
    if len(amounts) <= MANY:
        return amounts, value
    levels = [level for level in fit.levels if level.amount > 0]
    return np.array([level.amount for level in levels]), np.array([level.mean for level in levels])


def _profile(profiles: list[Profile | None], axes: Axes, measure: Measure, fits: list[SeriesFit]) -> None:
    """How much worse the best fit gets as the exponent or slope of the heaviest law moves away from its estimate.

    As a root, in standard errors; the 95 % interval lies below the dotted line.
    """
    for i, (fit, profile) in enumerate(zip(fits, profiles, strict=True)):
        if profile is None:
            continue
        curve, name, values, root = profile
        near = root <= 3.5
        label = joined(": ", fit.series.label, f"{curve.law.name} {name}")
        look: Any = {"color": COLOURS[i % len(COLOURS)], "linestyle": DASHES[i % len(DASHES)]}
        axes.plot(values[near], root[near], label=label, linewidth=1.6, **look)
        axes.plot([curve.params[name]], [0.0], color=look["color"], marker=MARKERS[i % len(MARKERS)], linestyle="none")
        level = quantile(0.95, curve.error.dof)
        axes.axhline(level, color="#777777", linewidth=1, linestyle=(0, (1, 2)), label="_" if i else "95 % level")
    axes.set_ylim(bottom=-0.1)
    axes.set_xlabel("exponent or slope of the law")
    axes.set_ylabel("root of the rise, standard errors")


def _profile_of(fit: SeriesFit) -> Profile | None:
    """The profile of the heaviest law's exponent or slope; None where it has none, or its error is unknown."""
    if fit.curve is None:
        return None
    curve = fit.curve.curves[int(np.argmax(fit.curve.weights))]
    names = [p.name for p in curve.problem.space.free if p.role in RATES and not p.pivots]
    try:
        return (curve, names[0], *curve.profile(names[0])) if names else None
    except ValueError:
        return None


def _curves(fits: list[SeriesFit]) -> list[Curve]:
    return [curve for fit in fits if fit.curve for curve in fit.curve.curves]


def _error_unit(curve: Curve, factor: float) -> str:
    if factor == 100:
        return "%"
    return "logits" if curve.error.counts else "units of the value"
