"""The picture of the README, light and dark: ``python docs/picture.py`` draws docs/results/data_amount.csv.

The table is the demo's own: ``make demo`` writes it as store/sweeps/data_amount/table.csv.
"""

from __future__ import annotations

from pathlib import Path

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from analysis.data.study import read_study
from analysis.fitting.series_fits import SeriesFit
from analysis.format import amount
from analysis.report.results import Results, analyse
from analysis.verdicts.verdict import MARGIN

HERE = Path(__file__).parent
TABLE = HERE / "results" / "data_amount.csv"
THEMES = {"light": ("#1f2328", "#d8dee4"), "dark": ("#e6edf3", "#3d444d")}
"""Colour of the text, and of lines and grid."""

COLOURS = {"math": "#0072B2", "code": "#D55E00", "general": "#009E73"}


def main() -> None:
    """Write docs/figures/demo_light.svg and demo_dark.svg."""
    results = analyse(read_study([TABLE]), MARGIN, {})
    for theme, colours in THEMES.items():
        draw(results, HERE / "figures" / f"demo_{theme}.svg", *colours)


def draw(results: Results, path: Path, text: str, line: str) -> None:
    """One panel an ability: measurements with intervals, the curve with its band, the verdict in words."""
    style = {
        "svg.hashsalt": "dosage", "svg.fonttype": "path", "font.size": 10, "text.color": text, "axes.labelcolor": text,
        "xtick.color": text, "ytick.color": text, "axes.edgecolor": line, "grid.color": line,
        "axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True,
    }  # fmt: skip
    shown = [(measure, fits[0]) for measure, fits in results.fits if measure.metric.name == "accuracy"]
    with mpl.rc_context(style):
        figure = Figure(figsize=(9.6, 3.3))
        panels = figure.subplots(1, len(shown), sharey=True)
        for axes, (measure, fit) in zip(panels, shown, strict=True):
            panel(axes, fit, COLOURS[measure.ability])
            axes.set_title(f"{measure.ability}\n{_verdict(results, measure.ability)}", loc="left", fontsize=10)
        panels[0].set_ylabel("accuracy in %")
        panels[1].set_xlabel("samples of the ability's own training data")
        figure.subplots_adjust(left=0.065, right=0.99, top=0.86, bottom=0.17, wspace=0.08)
        figure.savefig(path, transparent=True, metadata={"Date": None, "Creator": "Dosage"})


def panel(axes: Axes, fit: SeriesFit, colour: str) -> None:
    """One ability's points and curve on a logarithmic axis of samples."""
    levels = [level for level in fit.levels if level.amount > 0]
    x = np.array([level.amount for level in levels])
    mean, low, high = (100 * np.array([getattr(level, name) for level in levels]) for name in ("mean", "low", "high"))
    if fit.line is not None:
        axes.fill_between(fit.grid, 100 * fit.line.low, 100 * fit.line.high, color=colour, alpha=0.2, linewidth=0)
        axes.plot(fit.grid, 100 * fit.line.value, color=colour, linewidth=2)
    else:
        axes.plot(x, mean, color=colour, linewidth=1, alpha=0.7)
    axes.errorbar(x, mean, yerr=[mean - low, high - mean], color=colour, fmt="o", markersize=5, capsize=2, linewidth=1)
    axes.set_xscale("log")
    axes.set_xticks(x, [amount(float(n)) for n in x])
    axes.minorticks_off()
    axes.set_ylim(0, 103)
    axes.grid(axis="y", linewidth=0.6)


def _verdict(results: Results, ability: str) -> str:
    """What the verdict on the last three amounts says, in words."""
    for verdict in results.findings.verdicts:
        if verdict.question == "scaling" and verdict.about == f"{ability} accuracy":
            if verdict.edge == "ceiling":
                return "at the ceiling"
            effect, low, high = (100 * value for value in (verdict.effect, verdict.low, verdict.high))
            return f"{effect:+.0f} points per doubling ({low:.0f} to {high:.0f})"
    raise ValueError(f"{TABLE} has no verdict on the scaling of {ability}")


if __name__ == "__main__":
    main()
