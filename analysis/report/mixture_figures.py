"""Figures of mixtures: values over own amount and share of the data, and over the triangle of three abilities."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, NullLocator
from matplotlib.tri import Triangulation

from analysis.arrays import Array
from analysis.data.metric import Metric
from analysis.data.study import Measure, Study
from analysis.format import amount
from analysis.report.figures import STYLE, save

MIN_PLACES = 6  # of a surface or a triangle
HEIGHT = 3**0.5 / 2
SHADES = "cividis"  # a colour map that is also monotone in grey


def draw_mixtures(study: Study, folder: Path) -> tuple[dict[str, str], list[str]]:
    """Figures ``surface-METRIC`` and ``triangle-METRIC`` as SVG texts by name, and why one is missing.

    Each has one panel per ability and task.
    """
    drawn, missing = {}, []
    if not {"samples", "total_samples"} <= set(study.table):
        return {}, ["No surface over amount and ratio: the table has no columns samples and total_samples."]
    parts = sorted(c for c in study.factors if c.startswith("samples_"))
    for metric in sorted({m.metric.name: m.metric for m in study.measures}.values(), key=lambda m: m.name):
        measured = [m for m in study.measures if m.metric == metric]
        surfaces = _panels(measured, lambda part: _surface_places(part))
        if surfaces:
            drawn[f"surface-{metric.file_name}"] = _draw(
                f"surface-{metric.file_name}", metric, surfaces, _surface, folder, ()
            )
        else:
            missing.append(
                f"No surface of {metric.name} over amount and ratio: it needs {MIN_PLACES} places in which both vary."
            )
        triangles = _panels(measured, lambda part: _triangle_places(part, parts)) if len(parts) == 3 else []
        if triangles:
            names = tuple(p.removeprefix("samples_") for p in parts)
            drawn[f"triangle-{metric.file_name}"] = _draw(
                f"triangle-{metric.file_name}", metric, triangles, _triangle, folder, names
            )
        else:
            missing.append(
                f"No triangle of {metric.name}: it needs {MIN_PLACES} different mixtures of three abilities."
            )
    return drawn, missing


def _panels(measures: Sequence[Measure], places: Any) -> list[tuple[str, pd.DataFrame]]:
    """A title and the mean at each place, for every measure with enough places."""
    panels = []
    for measure in measures:
        at = places(measure.trained)
        if len(at) >= MIN_PLACES and _spread(at["x"].to_numpy(float), at["y"].to_numpy(float)):
            title = f"{measure.ability}: {measure.task}" if measure.task != measure.ability else measure.ability
            panels.append((title, at))
    return panels


def _surface_places(part: pd.DataFrame) -> pd.DataFrame:
    """x = ln own samples, y = share of all samples, mean value, and size 1."""
    own = part[(part["samples"] > 0) & (part["total_samples"] > 0)]
    at = pd.DataFrame(
        {"x": np.log(own["samples"]), "y": own["samples"] / own["total_samples"], "size": 1.0, "value": own["value"]}
    )
    return at.round({"x": 9, "y": 9}).groupby(["x", "y"], as_index=False).mean()


def _triangle_places(part: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Shares of three abilities as places in a triangle of height `HEIGHT`, mean value, and the total as size."""
    total = part[names].sum(axis=1)
    mixed = part[total > 0]
    share = mixed[names].to_numpy(float) / total[total > 0].to_numpy(float)[:, None]
    at = pd.DataFrame(
        {
            "x": share[:, 1] + 0.5 * share[:, 2],
            "y": HEIGHT * share[:, 2],
            "size": mixed[names].sum(axis=1).to_numpy(float),
            "value": mixed["value"].to_numpy(float),
        }
    )
    return at.round({"x": 9, "y": 9}).groupby(["x", "y", "size"], as_index=False).mean()


def _spread(x: Array, y: Array) -> bool:
    """Whether there are enough different places, and they do not lie on a line."""
    places = np.unique(np.stack([x, y]), axis=1)
    return places.shape[1] >= MIN_PLACES and bool(
        np.linalg.svd(places - places.mean(axis=1, keepdims=True))[1][1] > 1e-3
    )


def _draw(
    name: str,
    metric: Metric,
    panels: list[tuple[str, pd.DataFrame]],
    panel: Any,
    folder: Path,
    corners: tuple[str, ...],
) -> str:
    with mpl.rc_context({**STYLE, "axes.grid": False}):
        figure = Figure(figsize=(3.6 * len(panels) + 0.3, 3.4), layout="constrained")
        for i, (title, at) in enumerate(panels):
            axes = figure.add_subplot(1, len(panels), i + 1)
            shades = panel(axes, at.assign(value=metric.factor * at["value"]), corners)
            axes.set_title(title)
            bar = figure.colorbar(shades, ax=axes, shrink=0.8, pad=0.03, aspect=25)
            bar.ax.tick_params(labelsize=7)
            bar.ax.yaxis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:.3g}"))
            bar.set_label(metric.label if i == len(panels) - 1 else "", fontsize=8)
            bar.outline.set_visible(False)  # type: ignore[operator]
        return save(figure, folder, name)


def _surface(axes: Axes, at: pd.DataFrame, _: tuple[str, ...]) -> Any:
    """Shades and labelled contours between the measured places, which are dots."""
    x, y, value = (at[c].to_numpy(float) for c in ("x", "y", "value"))
    triangles = Triangulation(x, y)
    room = max(0.01 * abs(float(value.mean())), 1e-9) if np.ptp(value) == 0 else 0.0
    levels = np.linspace(value.min() - room, value.max() + room, 10)
    shades = axes.tricontourf(triangles, value, levels=levels, cmap=SHADES)
    if not room:
        lines = axes.tricontour(triangles, value, levels=5, colors="white", linewidths=0.7)
        axes.clabel(lines, fontsize=7, fmt="%.3g")
    axes.plot(x, y, "o", color="white", markeredgecolor="black", markersize=4, clip_on=False)
    axes.set_xlabel("own samples (log scale)")
    axes.set_ylabel("share of all samples")
    ticks = np.log(np.outer(10.0 ** np.arange(0, 12), [1, 3] if np.ptp(x) < 7 else [1]).ravel())
    axes.set_xticks(ticks[(ticks >= x.min() - 0.05) & (ticks <= x.max() + 0.05)])
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda v, _: amount(round(float(np.exp(v))))))
    axes.set_ylim(y.min() - 0.04, y.max() + 0.04)
    return shades


def _triangle(axes: Axes, at: pd.DataFrame, corners: tuple[str, ...]) -> Any:
    """One dot per mixture, shaded by the value; the more data, the larger; small ones on top."""
    axes.plot([0, 1, 0.5, 0], [0, 0, HEIGHT, 0], color="#555555", linewidth=1)
    for share in (0.25, 0.5, 0.75):
        ends = [
            [(share, 0), (0.5 + share / 2, HEIGHT * (1 - share))],
            [(1 - share, 0), (0.5 - share / 2, HEIGHT * (1 - share))],
        ]
        ends.append([(share / 2, HEIGHT * share), (1 - share / 2, HEIGHT * share)])
        for start, end in ends:
            axes.plot(*zip(start, end, strict=True), color="#dddddd", linewidth=0.6, zorder=0)
    drawn = at.sort_values("size", ascending=False, kind="stable")
    relative = np.log(drawn["size"] / drawn["size"].min()) / max(np.log(at["size"].max() / at["size"].min()), 1e-9)
    shades = axes.scatter(
        drawn["x"], drawn["y"], s=30 + 220 * relative, c=drawn["value"], cmap=SHADES, edgecolors="black",
        linewidths=0.7, clip_on=False, zorder=3,
    )  # fmt: skip
    below, above = {"va": "top"}, {"va": "bottom"}
    for name, x, y, side in zip(
        corners, (0, 1, 0.5), (-0.07, -0.07, HEIGHT + 0.06), (below, below, above), strict=True
    ):
        axes.text(x, y, f"only {name}", ha="center", fontsize=8, **side)  # type: ignore[arg-type]
    smallest, largest = amount(float(at["size"].min())), amount(float(at["size"].max()))
    axes.text(0.5, -0.24, f"size: {smallest} to {largest} samples", ha="center", va="top", fontsize=8, color="#444444")
    axes.set_xlim(-0.12, 1.12)
    axes.set_ylim(-0.3, HEIGHT + 0.16)
    axes.set_aspect("equal")
    axes.axis("off")
    return shades
