"""Figures that check the curves of a measure: rolling-origin errors, residuals, and the profile of an exponent."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.arrays import Array
from analysis.data.study import Measure
from analysis.figures.axes import LOG, amount_axis
from analysis.figures.figure import Figure, Row, Source, Spec, only, shown
from analysis.figures.look import COLOURS, DASHES, INK, SHAPES, SOFT, legend, series_scale
from analysis.fitting.curve import Curve
from analysis.fitting.series_fits import SeriesFit, predicted
from analysis.fitting.uncertainty import quantile

MANY = 300  # measurements of a figure beyond which dots would cover each other
RATES = ("exponent", "slope")
"""Roles of the parameters that say how fast a law falls or rises."""
NEAR = 3.5  # standard errors up to which a profile is drawn
AVERAGE = "average"
SIZE = {"width": 330, "height": 210}


def check_figures(measure: Measure, fits: Sequence[SeriesFit]) -> list[Figure]:
    """The checks that the curves support: ``NAME-rollout``, ``NAME-residual`` and ``NAME-profile``."""
    curves = [fit for fit in fits if fit.curve is not None]
    found = [_rollout(measure, curves), _residual(measure, curves), _profile(measure, curves)]
    return [figure for figure in found if figure]


def _row(kind: str, series: str, x: float, y: float) -> Row:
    return {"row": kind, "series": series, "x": shown(x, 9), "y": shown(y)}


def _rollout(measure: Measure, fits: Sequence[SeriesFit]) -> Figure | None:
    """The error beyond the amounts fitted over the largest amount fitted: of each law, and of their average.

    For the series with the most origins; None where none has two.
    """
    rolling = [fit.curve.rolling_origin for fit in fits if fit.curve and fit.curve.rolling_origin]
    longest = max(rolling, key=lambda r: len(r.origins), default=None)
    if longest is None or len(longest.origins) < 2:
        return None
    (curve, *_), factor = _curves(fits), 100.0 if fits[0].curve and fits[0].curve.scale.name == "log" else 1.0
    by_law = [*zip(longest.laws, longest.square_errors, strict=True), (AVERAGE, longest.average_square_errors)]
    rows = [
        _row("point", law, float(x), factor * float(np.sqrt(square)))
        for law, squares in by_law
        for x, square in zip(longest.origins, squares, strict=True)
        if np.isfinite(square) and square > 0
    ]
    origins = sorted(map(float, longest.origins))
    unit = _error_unit(curve, factor)
    title = f"largest of the {measure.axis} fitted"

    def view(source: Source) -> Spec:
        y = {"field": source.column("y"), "type": "quantitative", "scale": {**LOG},
             "axis": {"title": f"error beyond it, {unit} (log scale)", "format": ".3~g", "tickCount": 6}}  # fmt: skip
        x = amount_axis(source, "x", measure, origins, title)
        return _lines(source, [law for law, _ in by_law], x, y)

    description = f"{measure.title}: errors of the laws beyond the amounts they were fitted to"
    return Figure(f"{measure.name}-rollout", f"{measure.title}: rollout", description, tuple(rows), view)


def _residual(measure: Measure, fits: Sequence[SeriesFit]) -> Figure | None:
    """Measured minus the average curve at each measurement; of each amount's mean where there are very many."""
    if not fits:
        return None
    rows = []
    means = sum(len(fit.series.amount) for fit in fits) > MANY
    for fit in fits:
        assert fit.curve is not None
        at, value = _measurements(fit, means)
        gaps = measure.metric.gap(value, predicted(fit.curve, measure, at).value)
        rows += [_row("point", fit.series.label, float(x), float(y)) for x, y in zip(at, gaps, strict=True)]
    reach = 1.1 * max((abs(float(row["y"] or 0)) for row in rows), default=1.0) or 1.0
    amounts = sorted({float(a) for fit in fits for a in fit.series.amount if a > 0})
    names = list(dict.fromkeys(fit.series.label for fit in fits))

    def view(source: Source) -> Spec:
        y = {"field": source.column("y"), "type": "quantitative", "scale": {"domain": [-reach, reach]},
             "axis": {"title": f"measured minus curve, {measure.metric.short_unit}", "format": ".4~g"}}  # fmt: skip
        x = amount_axis(source, "x", measure, amounts, measure.axis)
        zero = {"mark": {"type": "rule", "color": SOFT}, "encoding": {"y": {"datum": 0}}}
        return {**SIZE, "layer": [zero, _points(source, names, x, y)]}

    description = f"{measure.title}: measured values minus the curve, over {measure.axis}"
    return Figure(f"{measure.name}-residual", f"{measure.title}: residual", description, tuple(rows), view)


def _profile(measure: Measure, fits: Sequence[SeriesFit]) -> Figure | None:
    """How much worse the best fit gets as the exponent or slope of the heaviest law moves away from its estimate.

    As a root, in standard errors; the 95 % interval lies below the dotted lines. None where no law has one.
    """
    rows, names = list[Row](), list[str]()
    for fit in fits:
        profile = _profile_of(fit)
        if profile is None:
            continue
        curve, parameter, values, root = profile
        name = f"{fit.series.label + ': ' if fit.series.label else ''}{curve.law.name} {parameter}"
        near = root <= NEAR
        rows += [_row("curve", name, float(x), float(y)) for x, y in zip(values[near], root[near], strict=True)]
        rows.append(_row("point", name, curve.params[parameter], 0.0))
        rows.append(_row("level", name, curve.params[parameter], quantile(0.95, curve.error.dof)))
        names.append(name)
    if not rows:
        return None

    def view(source: Source) -> Spec:
        x = {"field": source.column("x"), "type": "quantitative", "scale": {"zero": False},
             "axis": {"title": "exponent or slope of the law", "format": ".3~g", "tickCount": 6}}  # fmt: skip
        y = {"field": source.column("y"), "type": "quantitative",
             "axis": {"title": "root of the rise, standard errors"}}  # fmt: skip
        dotted = {"type": "rule", "strokeDash": [1, 3], "color": SOFT}
        level = {"transform": only(source, "level"), "mark": dotted, "encoding": {"y": y}}
        line = _line(source, "curve", names, x, y)
        return {**SIZE, "layer": [level, line, _points(source, names, x, y)]}

    description = f"{measure.title}: how much worse the fit gets as its rate moves away from the estimate"
    return Figure(f"{measure.name}-profile", f"{measure.title}: profile", description, tuple(rows), view)


def _lines(source: Source, names: Sequence[str], x: Spec, y: Spec) -> Spec:
    """Points joined by a line each series."""
    return {**SIZE, "layer": [_line(source, "point", names, x, y), _points(source, names, x, y)]}


def _line(source: Source, kind: str, names: Sequence[str], x: Spec, y: Spec) -> Spec:
    encoding = {"x": x, "y": y, "color": _series(source, names, _colours(names))}
    dash = _series(source, names, DASHES) | {"legend": None}
    return {"transform": only(source, kind), "mark": {"type": "line"}, "encoding": {**encoding, "strokeDash": dash}}


def _points(source: Source, names: Sequence[str], x: Spec, y: Spec) -> Spec:
    titles = {"series": "series", "x": x["axis"]["title"], "y": y["axis"]["title"]}
    tips = [
        {"field": source.column(k), "title": t} | ({"format": ",.5~g"} if k != "series" else {})
        for k, t in titles.items()
    ]
    looks = {"color": _series(source, names, _colours(names)), "shape": _series(source, names, SHAPES)}
    mark = {"type": "point", "size": 32}
    return {"transform": only(source, "point"), "mark": mark, "encoding": {"x": x, "y": y, **looks, "tooltip": tips}}


def _colours(names: Sequence[str]) -> Sequence[str]:
    """The colours of series; the average of laws is in ink."""
    return [INK if name == AVERAGE else COLOURS[i % len(COLOURS)] for i, name in enumerate(names)]


def _series(source: Source, names: Sequence[str], looks: Sequence[object]) -> Spec:
    scale = series_scale(looks, names, source.known)
    return {"field": source.column("series"), "type": "nominal", "scale": scale, "legend": legend(names, 360)}


def _measurements(fit: SeriesFit, means: bool) -> tuple[Array, Array]:
    """Amounts above 0 and values of a series; ``means`` are those of its levels instead of single measurements."""
    trained = fit.series.amount > 0
    if not means:
        return fit.series.amount[trained], fit.series.value[trained]
    levels = [level for level in fit.levels if level.amount > 0]
    return np.array([level.amount for level in levels]), np.array([level.mean for level in levels])


def _profile_of(fit: SeriesFit) -> tuple[Curve, str, Array, Array] | None:
    """The profile of the heaviest law's exponent or slope: the law, the parameter's name, its values, and the root of
    how much worse the best fit is at each. None where it has none, or its error is unknown.
    """
    if fit.curve is None:
        return None
    curve = fit.curve.curves[int(np.argmax(fit.curve.weights))]
    names = [p.name for p in curve.problem.space.free if p.role in RATES and not p.pivots]
    try:
        return (curve, names[0], *curve.profile(names[0])) if names else None
    except ValueError:
        return None


def _curves(fits: Sequence[SeriesFit]) -> list[Curve]:
    return [curve for fit in fits if fit.curve for curve in fit.curve.curves]


def _error_unit(curve: Curve, factor: float) -> str:
    if factor == 100:
        return "%"
    return "logits" if curve.error.counts else "units of the value"
