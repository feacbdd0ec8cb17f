"""Figures that check a block's curves: rollout, residuals, and the profile of the parameter that says how fast."""

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

MANY = 300  # measurements of a series beyond which dots would cover each other
FALLS = ("exponent", "slope")  # roles of the parameters that say how fast a law falls or rises
Fall = tuple[Curve, str, Array, Array]  # a law, such a parameter of it, and its profile: values, root of the rise


def draw_checks(measure: Measure, found: list[SeriesFit], folder: Path) -> dict[str, str]:
    """The figures that the curves support, by name: ``NAME-rollout``, ``NAME-residual``, ``NAME-profile``; SVG text."""
    curves = [f for f in found if f.curve is not None]
    drawn = {}
    if any(f.curve and f.curve.rolling_origin and len(f.curve.rolling_origin.origins) > 1 for f in curves):
        drawn[f"{measure.name}-rollout"] = _draw(measure, curves, _rollout, folder, "rollout")
    if curves:
        drawn[f"{measure.name}-residual"] = _draw(measure, curves, _residual, folder, "residual")
    falls = [_fall(f) for f in curves]  # a profile refits its law: once a series
    if any(falls):
        drawn[f"{measure.name}-profile"] = _draw(measure, curves, partial(_profile, falls), folder, "profile")
    return drawn


def _draw(
    measure: Measure,
    found: list[SeriesFit],
    panel: Callable[[Axes, Measure, list[SeriesFit]], None],
    folder: Path,
    kind: str,
) -> str:
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(4.4, 3.3))
        axes = figure.add_subplot()
        panel(axes, measure, found)
        axes.set_title(f"{measure.title}: {kind}")
        legend(figure, axes)
        return save(figure, folder, f"{measure.name}-{kind}")


def _rollout(axes: Axes, measure: Measure, found: list[SeriesFit]) -> None:
    """Error beyond the amounts fitted against the largest amount fitted: each law, and the average in black.

    Of the series with the most origins.
    """
    rolled = [f.curve.rolling_origin for f in found if f.curve and f.curve.rolling_origin]
    shown = max(rolled, key=lambda r: len(r.origins))
    factor = 100.0 if found[0].curve and found[0].curve.scale.name == "log" else 1.0
    for i, (law, square) in enumerate(zip(shown.laws, shown.square_errors, strict=True)):
        off = np.where(np.isfinite(square), factor * np.sqrt(square), np.nan)
        look: Any = {"color": COLOURS[i % 6], "linestyle": DASHES[i % len(DASHES)], "marker": MARKERS[i % 6]}
        axes.plot(shown.origins, off, label=law, linewidth=1.2, markersize=4.5, **look)
    axes.plot(
        shown.origins,
        factor * np.sqrt(shown.average_square_errors),
        color="black",
        linewidth=2.2,
        label="average",
        zorder=5,
    )
    axes.set_yscale("log")
    low, high = axes.get_ylim()
    axes.yaxis.set_major_locator(LogLocator(10, subs=(1.0, 2.0, 3.0, 5.0) if high / low < 20 else (1.0,)))
    axes.yaxis.set_minor_locator(NullLocator())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
    amount_axis(axes, sorted(map(float, shown.origins)), f"largest of the {measure.axis} fitted")
    axes.set_ylabel(f"off beyond it, {_unit(_curves(found)[0], factor)}")


def _residual(axes: Axes, measure: Measure, found: list[SeriesFit]) -> None:
    """Measured minus the average curve at each measurement; at each amount's mean where there are very many."""
    axes.axhline(0.0, color="#777777", linewidth=1)
    for i, f in enumerate(found):
        assert f.curve is not None
        at, value = _measured(f)
        gap = measure.metric.gap(value, predicted(f.curve, measure, at).value)
        look: Any = {"color": COLOURS[i % len(COLOURS)], "marker": MARKERS[i % len(MARKERS)]}
        axes.plot(at, gap, linestyle="none", markersize=5, label=f.series.label or "_", **look)
    reach = 1.15 * max(map(abs, axes.get_ylim()))
    axes.set_ylim(-reach, reach)
    amounts = sorted({float(a) for f in found for a in f.series.amount if a > 0})
    amount_axis(axes, amounts, f"{measure.axis}")
    axes.set_ylabel(f"measured minus curve, {measure.metric.short_unit}")


def _measured(found: SeriesFit) -> tuple[Array, Array]:
    trained = found.series.amount > 0
    at, value = found.series.amount[trained], found.series.value[trained]
    if len(at) <= MANY:
        return at, value
    levels = [level for level in found.levels if level.amount > 0]
    return np.array([level.amount for level in levels]), np.array([level.mean for level in levels])


def _profile(falls: list[Fall | None], axes: Axes, measure: Measure, found: list[SeriesFit]) -> None:
    """How much worse the best fit gets as the exponent or slope of the heaviest law is held away from its estimate, as
    a root in standard errors; below the dotted line lies the 95 % interval.
    """
    for i, (f, fall) in enumerate(zip(found, falls, strict=True)):
        if fall is None:
            continue
        curve, name, at, root = fall
        shown = root <= 3.5
        label = ": ".join(filter(None, (f.series.label, f"{curve.law.name} {name}")))
        look: Any = {"color": COLOURS[i % len(COLOURS)], "linestyle": DASHES[i % len(DASHES)]}
        axes.plot(at[shown], root[shown], label=label, linewidth=1.6, **look)
        axes.plot([curve.params[name]], [0.0], color=look["color"], marker=MARKERS[i % len(MARKERS)], linestyle="none")
        level = quantile(0.95, curve.error.dof)
        axes.axhline(level, color="#777777", linewidth=1, linestyle=(0, (1, 2)), label="_" if i else "95 % level")
    axes.set_ylim(bottom=-0.1)
    axes.set_xlabel("exponent or slope of the law")
    axes.set_ylabel("root of the rise, standard errors")


def _fall(found: SeriesFit) -> Fall | None:
    """The heaviest law of a series, its exponent or slope and the profile of that; None where its error is unknown."""
    if found.curve is None:
        return None
    curve = found.curve.curves[int(np.argmax(found.curve.weights))]
    names = [p.name for p in curve.problem.space.free if p.role in FALLS and not p.pivots]
    try:
        return (curve, names[0], *curve.profile(names[0])) if names else None
    except ValueError:
        return None


def _curves(found: list[SeriesFit]) -> list[Curve]:
    return [curve for f in found if f.curve for curve in f.curve.curves]


def _unit(curve: Curve, factor: float) -> str:
    if factor == 100:
        return "%"
    return "logits" if curve.error.counts else "units of the value"
