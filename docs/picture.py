"""The picture of the README, light and dark: ``python docs/picture.py`` draws docs/results/data_amount.csv.

The table is the demo's own: ``make demo`` writes it as store/sweeps/data_amount/table.csv.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from analysis.data.study import Measure, read_study
from analysis.figures.curves import curves_figure
from analysis.figures.figure import Figure, Source, Spec
from analysis.figures.look import BRIGHT, COLOURS, GRID, INK, LINE, SOFT
from analysis.figures.render import compiled, svg
from analysis.fitting.series_fits import SeriesFit
from analysis.report.results import Results, analyse
from analysis.verdicts.verdict import MARGIN

HERE = Path(__file__).parent
TABLE = HERE / "results" / "data_amount.csv"
THEMES = {"light": ("#1f2328", "#d8dee4"), "dark": ("#e6edf3", "#3d444d")}
"""Colour of the text, and of lines and grid."""


def main() -> None:
    """Write docs/figures/demo_light.svg and demo_dark.svg."""
    for theme, drawn in pictures().items():
        (HERE / "figures" / f"demo_{theme}.svg").write_text(drawn, encoding="utf-8")


def pictures() -> dict[str, str]:
    """The picture as SVG by theme."""
    drawn = svg(compiled(figure(analyse(read_study([TABLE]), MARGIN, {})).spec()))
    themed = {}
    for theme, (text, line) in THEMES.items():
        themed[theme] = drawn.replace(INK, text).replace(SOFT, text).replace(LINE, line).replace(GRID, line)
    return themed | {"dark": themed["dark"].replace(COLOURS[0], BRIGHT)}


def figure(results: Results) -> Figure:
    """One panel an ability: measurements with intervals, the curve with its band, the verdict in words."""
    shown = [(measure, fits) for measure, fits in results.fits if measure.metric.name == "accuracy"]
    panels = [_panel(results, i, measure, fits) for i, (measure, fits) in enumerate(shown)]
    own = dict.fromkeys(("color", "shape", "strokeDash"), "independent")
    view = {"title": "", "hconcat": panels, "resolve": {"scale": own}}
    return Figure("demo", "", "accuracy of three abilities over their data", (), lambda _: view)


def _panel(results: Results, place: int, measure: Measure, fits: list[SeriesFit]) -> Spec:
    """The figure of a measure in the report, narrower, in a colour of its own, with the verdict as its title."""
    drawn = curves_figure(measure, fits)
    spec: dict[str, Any] = json.loads(json.dumps(drawn.view(Source())).replace(COLOURS[0], COLOURS[place]))
    for layer in spec["layer"]:
        encoding = layer["encoding"]
        if "x" in encoding:
            encoding["x"]["axis"]["title"] = f"samples of {measure.ability}"
        encoding["y"]["scale"] = {"domain": [0, 100], "padding": 0}
        encoding["y"]["axis"] |= {"title": "accuracy in %"} if not place else {"title": None, "labels": False}
    title = {
        "text": measure.ability,
        "subtitle": _verdict(results, measure.ability),
        "anchor": "start",
        "frame": "group",
    }
    return {**spec, "width": 275, "height": 220, "title": title, "data": {"values": list(drawn.rows)}}


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
