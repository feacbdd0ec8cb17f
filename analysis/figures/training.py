"""The figure of trainings: the loss of every run over the tokens that it has seen."""

from __future__ import annotations

import math
from collections.abc import Sequence

from analysis.figures.axes import LOG, round_numbers
from analysis.figures.figure import Figure, Row, Source, Spec, shown
from analysis.figures.look import COLOURS, DASHES, HEIGHT, WIDTH, legend, series_scale

POINTS = 24
"""Of a line at most: steps in windows of equal length on the logarithmic axis, each with its mean loss."""

Line = tuple[str, str, Sequence[tuple[float, float]]]
"""The series and the name of a run, and tokens and loss of each of its steps."""


def training_figure(lines: Sequence[Line]) -> Figure:
    """One line a run, in the colour of its series."""
    rows: tuple[Row, ...] = tuple(
        {"row": "point", "series": series, "run": run, "tokens": shown(tokens, 4), "loss": shown(loss, 4)}
        for series, run, steps in lines
        for tokens, loss in windows(steps)
    )
    names = list(dict.fromkeys(series for series, *_ in lines))

    def view(source: Source) -> Spec:
        def axis(column: str, title: str, form: str) -> Spec:
            values = [float(row[column] or 0) for row in rows]
            places = round_numbers(min(values), max(values))
            ticks = {"title": title, "format": form, "values": places, "grid": column == "loss"}
            return {"field": source.column(column), "type": "quantitative", "scale": dict(LOG), "axis": ticks}

        def looks(values: Sequence[object]) -> Spec:
            scale = series_scale(values, names, source.known)
            return {"field": source.column("series"), "type": "nominal", "scale": scale, "legend": legend(names)}

        tips = [{"field": source.column(name), "title": name} for name in ("run", "tokens", "loss")]
        encoding = {
            "x": axis("tokens", "training tokens (log scale)", "~s"),
            "y": axis("loss", "training loss (log scale)", "~g"),
            "color": looks(COLOURS), "strokeDash": looks(DASHES) | {"legend": None},
            "detail": {"field": source.column("run"), "type": "nominal"}, "tooltip": tips,
        }  # fmt: skip
        mark = {"type": "line", "strokeWidth": 1.3, "opacity": 0.8}
        return {"width": WIDTH, "height": HEIGHT, "mark": mark, "encoding": encoding}

    description = f"Training loss of {len(lines)} runs over their tokens: {', '.join(names)}"
    return Figure("training-loss", "Training loss", description, rows, view)


def windows(steps: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """Steps, or means of them where there are more than `POINTS`; steps without a loss above 0 are left out."""
    known = [(tokens, loss) for tokens, loss in steps if tokens > 0 and 0 < loss < math.inf]
    if len(known) <= POINTS:
        return known
    first, last = known[0][0], known[-1][0]
    parts: dict[int, list[tuple[float, float]]] = {}
    for tokens, loss in known:
        place = int((POINTS - 1e-9) * math.log(tokens / first) / (math.log(last / first) or 1.0))
        parts.setdefault(place, []).append((tokens, loss))
    return [(part[-1][0], sum(loss for _, loss in part) / len(part)) for part in parts.values()]
