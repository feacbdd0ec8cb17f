"""The figure of a measure: measurements with intervals, curves with 95 % bands, the untrained base as a line."""

from __future__ import annotations

import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

from analysis.arrays import Array
from analysis.data.series import UNITS
from analysis.data.study import Measure
from analysis.fitting.series_fits import AmountLevel, SeriesFit
from analysis.format import amount

# Okabe and Ito's colours, in an order in which neighbours also differ in grey. Markers and dashes repeat the
# distinction for readers without colour.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
MARKERS = ("o", "s", "^", "D", "v", "P", "X")
DASHES = ("-", (0, (6, 2)), (0, (2, 1.5)), (0, (6, 2, 1.5, 2)))
STYLE: Any = {
    "svg.hashsalt": "dosage",
    "svg.fonttype": "path",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#e4e4e4",
    "grid.linewidth": 0.6,
    "axes.axisbelow": True,
    "axes.edgecolor": "#555555",
    "xtick.color": "#333333",
    "ytick.color": "#333333",
    "axes.titlesize": 10,
    "axes.titlelocation": "left",
}


ROW = 0.19
"""Height of a row of the legend in inches."""
FREE_ROWS = 4
"""Rows of the legend for which a figure has room; it grows with further ones, so that its axes keep their height."""


def draw(measure: Measure, fits: list[SeriesFit], folder: Path) -> str:
    """Write ``NAME.svg`` and ``NAME.png`` into ``folder``; return the SVG text. The same input gives the same bytes."""
    with mpl.rc_context(STYLE):
        figure = Figure(figsize=(5.6, 3.9))
        axes = figure.add_subplot()
        (_curves if measure.axis else _bars)(axes, measure, fits)
        axes.set_title(measure.heading)
        legend(figure, axes)
        return save(figure, folder, measure.name)


def legend(figure: Figure, axes: Axes) -> None:
    """Put the legend below the axes, where it covers no point; set the margins of a figure without a layout engine."""
    handles, labels = axes.get_legend_handles_labels()
    columns = 1
    if handles:
        columns = max(1, min(len(labels), int(13 * figure.get_figwidth() / (max(map(len, labels)) + 5))))
        lower: Any = "outside lower center" if figure.get_layout_engine() else "lower center"
        figure.legend(handles, labels, loc=lower, ncols=columns, frameon=False, fontsize=8)
    rows = -(-len(labels) // columns)
    figure.set_figheight(figure.get_figheight() + ROW * max(0, rows - FREE_ROWS))
    if figure.get_layout_engine() is None:  # set by hand, as a layout engine takes as long as the drawing
        width, height = figure.get_size_inches()
        bottom = (0.5 + ROW * rows + 0.1 * (rows > 0)) / height
        figure.subplots_adjust(left=0.62 / width, right=1 - 0.2 / width, top=1 - 0.3 / height, bottom=bottom)


def save(figure: Figure, folder: Path, name: str) -> str:
    """Write the figure as SVG and PNG; return the SVG text. Call it within the style the figure was drawn in."""
    canvas = FigureCanvasAgg(figure)
    engine = figure.get_layout_engine()
    if engine is not None:  # run once instead of for each format
        engine.execute(figure)
        figure.set_layout_engine("none")
    svg = io.BytesIO()
    FigureCanvasSVG(figure).print_svg(svg, metadata={"Date": None, "Creator": "Dosage"})
    (folder / f"{name}.svg").write_bytes(svg.getvalue())
    figure.set_dpi(130)
    canvas.print_png(folder / f"{name}.png", metadata={"Software": "Dosage"})
    return svg.getvalue().decode()


def _curves(axes: Axes, measure: Measure, fits: list[SeriesFit]) -> None:
    """Series over their amount, on a logarithmic axis."""
    factor = measure.metric.factor
    left = _left_edge(fits)
    for i, fit in enumerate(fits):
        colour = COLOURS[i % len(COLOURS)]
        if fit.line is not None:
            shade = 0.15 if len(fits) < 3 else 0.08
            axes.fill_between(
                fit.grid, factor * fit.line.low, factor * fit.line.high, color=colour, alpha=shade, linewidth=0
            )
            dash = DASHES[i % len(DASHES)]
            axes.plot(fit.grid, factor * fit.line.value, color=colour, linewidth=1.6, linestyle=dash)
        x = np.array([level.amount if level.amount > 0 else left for level in fit.levels])
        if fit.line is None:  # no curve: the eye still has to find the points of a series
            axes.plot(x, [factor * level.mean for level in fit.levels], color=colour, linewidth=0.8, alpha=0.6)
        _points(axes, x, factor * _stack(fit.levels), i, fit.series.label or "measured, 95 % interval")
    _untrained(axes, measure, fits, factor)
    amounts = sorted({level.amount for fit in fits for level in fit.levels})
    amount_axis(axes, measure, amounts, UNITS.get(measure.axis, measure.axis), left)
    _value_axis(axes, measure)


def _stack(levels: Sequence[AmountLevel]) -> Array:
    """Means, lower and upper ends: (3, levels)."""
    return np.array([[level.mean, level.low, level.high] for level in levels]).T


def _points(axes: Axes, x: Array, values: Array, i: int, label: str) -> None:
    """Means with their intervals, in the colour and marker of series ``i``."""
    mean, low, high = values
    bars = np.nan_to_num(np.stack([mean - low, high - mean]))
    look: Any = {"color": COLOURS[i % len(COLOURS)], "marker": MARKERS[i % len(MARKERS)]}
    axes.errorbar(x, mean, yerr=bars, markersize=5, linestyle="none", elinewidth=1, capsize=2, label=label, **look)


def _untrained(axes: Axes, measure: Measure, fits: list[SeriesFit], factor: float) -> None:
    """The base models as dotted lines, in the colours of their series where there are several."""
    colours = (
        {fit.series.model: COLOURS[i % len(COLOURS)] for i, fit in enumerate(fits)} if len(measure.base) > 1 else {}
    )
    for i, (model, value) in enumerate(measure.base.items()):
        label = "_" if i else "untrained (dotted)"
        axes.axhline(
            factor * value, color=colours.get(model, "#777777"), linewidth=1, linestyle=(0, (1, 2)), label=label
        )


def _left_edge(fits: list[SeriesFit]) -> float:
    """Where amount 0 is drawn on the logarithmic axis: a quarter of the smallest amount."""
    positive = [level.amount for fit in fits for level in fit.levels if level.amount > 0]
    return min(positive, default=1.0) / 4


def amount_axis(axes: Axes, measure: Measure, amounts: Sequence[float], label: str, left: float = 1.0) -> None:
    """A logarithmic axis, with ticks at the amounts where they are few fractions, else at round numbers.

    Amount 0 is drawn at ``left``.
    """
    axes.set_xscale("log")
    axes.set_xlabel(label + " (log scale)")
    axes.xaxis.set_minor_locator(NullLocator())
    if amounts[-1] <= 1 and len(amounts) <= 10:
        axes.set_xticks([a if a > 0 else left for a in amounts], [measure.amount_text(a) for a in amounts])
        return
    axes.xaxis.set_major_locator(LogLocator(10, subs=_steps(*axes.get_xlim())))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: amount(value)))


def _steps(low: float, high: float) -> tuple[float, ...]:
    """The ticks within a power of ten, so that there are at most seven labels."""
    decades = np.log10(high / low)
    return (1.0, 2.0, 5.0) if decades < 2.2 else (1.0, 3.0) if decades < 3.3 else (1.0,)


def _value_axis(axes: Axes, measure: Measure) -> None:
    metric = measure.metric
    if metric.bounded:
        low, high = axes.get_ylim()
        room = 0.03 * (high - low)  # so that marks at the ends of the range are whole
        axes.set_ylim(max(low, metric.factor * metric.low - room), min(high, metric.factor * metric.high + room))
    axes.set_ylabel(metric.label)


def _bars(axes: Axes, measure: Measure, fits: list[SeriesFit]) -> None:
    """Series side by side, where no amount varies."""
    factor = measure.metric.factor
    for i, fit in enumerate(fits):
        _points(axes, np.array([float(i)]), factor * _stack(fit.levels[:1]), i, "_")
    _untrained(axes, measure, fits, factor)
    names = [(fit.series.label or "all").replace(", ", "\n") for fit in fits]
    axes.set_xticks(range(len(fits)), [n.replace("_", "_\n") if len(fits) > 4 else n for n in names])
    axes.set_xlim(-0.6, len(fits) - 0.4)
    _value_axis(axes, measure)
