"""The figure of training stages: what each ability gains and loses from stage to stage of a strategy."""

from __future__ import annotations

from collections.abc import Sequence

from analysis.data.metric import Metric
from analysis.figures.axes import value_axis
from analysis.figures.figure import Figure, Row, Source, Spec, shown
from analysis.figures.look import COLOURS, SHAPES, legend, series_scale

SIZE = {"width": 190, "height": 200}

Step = tuple[str, int, str, str, float]
"""Strategy, stage from 1, abilities trained on so far, ability measured, value."""


def stage_figure(metric: Metric, steps: Sequence[Step]) -> Figure:
    """One panel a strategy, one line an ability, over the stages."""
    rows: tuple[Row, ...] = tuple(
        {"row": "point", "strategy": strategy, "stage": float(stage), "trained": trained, "series": ability,
         "value": shown(metric.factor * value)}
        for strategy, stage, trained, ability, value in steps
    )  # fmt: skip
    abilities = list(dict.fromkeys(step[3] for step in steps))
    strategies = list(dict.fromkeys(step[0] for step in steps))
    values = [float(row["value"]) for row in rows if isinstance(row["value"], int | float)]

    def view(source: Source) -> Spec:
        x = {"field": source.column("stage"), "type": "ordinal", "axis": {"title": "training stage", "labelAngle": 0}}
        y = value_axis(source, "value", metric, values)
        looks = {
            channel: {"field": source.column("series"), "type": "nominal", "legend": legend(abilities),
                      "scale": series_scale(scale, abilities, source.known)}
            for channel, scale in (("color", COLOURS), ("shape", SHAPES))
        }  # fmt: skip
        tips = [
            {"field": source.column(name), "title": title}
            for name, title in (("strategy", "strategy"), ("stage", "stage"), ("trained", "trained on so far"),
                                ("series", "ability"), ("value", metric.label))
        ]  # fmt: skip
        place = {"x": x, "y": y}
        panels = {"field": source.column("strategy"), "type": "nominal", "title": None,
                  "sort": strategies if source.known else None}  # fmt: skip
        return {"facet": panels, "columns": 3, "spec": {**SIZE, "layer": [
            {"mark": {"type": "line"}, "encoding": {**place, "color": looks["color"]}},
            {"mark": {"type": "point"}, "encoding": {**place, **looks, "tooltip": tips}},
        ]}}  # fmt: skip

    title = f"{metric.label} after each training stage"
    description = f"{title}: {len(strategies)} strategies by {', '.join(abilities)}"
    return Figure(f"stages-{metric.name}", title, description, rows, view)
