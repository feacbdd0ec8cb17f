"""The figure of checkpoints: how runs come to their ends."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.data.study import Measure
from analysis.figures.axes import LOG, round_numbers, value_axis
from analysis.figures.figure import Figure, Row, Source, Spec, shown
from analysis.figures.look import COLOURS, DASHES, SHAPES, WIDTH, legend, series_scale
from analysis.verdicts.within_run import Run

MOST_RUNS = 7
"""Runs that a figure shows: as many as there are shapes."""


def within_run_figure(measure: Measure, runs: Sequence[Run]) -> Figure:
    """Values over the samples seen, a line a run; at most `MOST_RUNS`, spread evenly over the order of their lengths.

    A finished run ends in a large mark.
    """
    ordered = sorted(runs, key=lambda run: run.end_seen)
    places = np.unique(np.linspace(0, len(ordered) - 1, min(len(ordered), MOST_RUNS)).round().astype(int))
    chosen = [ordered[place] for place in places]
    names = [run.cell for run in chosen]
    metric = measure.metric
    rows: list[Row] = []
    for run in chosen:
        points = [
            (float(seen), float(value)) for seen, value in zip(run.points["seen"], run.points["value"], strict=True)
        ]
        rows += [_row("checkpoint", run, seen, metric.factor * value) for seen, value in points]
        rows += [_row("end", run, run.end_seen, metric.factor * run.end)] if np.isfinite(run.end) else []
    ticks = round_numbers(min(float(run.points["seen"].min()) for run in chosen), chosen[-1].end_seen)
    values = [float(row["value"]) for row in rows if isinstance(row["value"], int | float)]

    def view(source: Source) -> Spec:
        axis: Spec = {"title": source.words("x_title", "samples seen, repeats counted (log scale)"), "grid": False}
        axis |= {"format": ",~g"} | ({"values": ticks} if source.known else {})
        x = {"field": source.column("seen"), "type": "quantitative", "scale": dict(LOG), "axis": axis}
        y = value_axis(source, "value", metric, values)
        looks = {
            channel: {"field": source.column("run"), "type": "nominal", "legend": legend(names),
                      "scale": series_scale(scale, names, source.known)}
            for channel, scale in (("color", COLOURS), ("shape", SHAPES), ("strokeDash", DASHES))
        }  # fmt: skip
        size = {"condition": {"test": f"datum['{source.column('row')}'] == 'end'", "value": 90}, "value": 30}
        tips = [
            {"field": source.column(name), "title": title}
            for name, title in (
                ("run", "run"),
                ("row", "measured at"),
                ("seen", "samples seen"),
                ("value", metric.label),
            )
        ]
        place = {"x": x, "y": y}
        return {"width": WIDTH, "height": 260, "layer": [
            {"mark": {"type": "line"}, "encoding": {**place, **{c: looks[c] for c in ("color", "strokeDash")}}},
            {"mark": {"type": "point"},
             "encoding": {**place, **{c: looks[c] for c in ("color", "shape")}, "size": size, "tooltip": tips}},
        ]}  # fmt: skip

    title = f"{measure.heading} on the way of a run"
    more = f" (of {len(runs)})" if len(chosen) < len(runs) else ""
    return Figure(f"within-{measure.name}", title, f"{title}: {len(chosen)} runs{more}", tuple(rows), view)


def _row(kind: str, run: Run, seen: float, value: float) -> Row:
    return {"row": kind, "run": run.cell, "seen": shown(seen), "value": shown(value)}
