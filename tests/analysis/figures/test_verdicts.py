"""The figure of verdicts: effects in the metric's unit, and losses of which one at least doubles as factors."""

import numpy as np
import pytest

from analysis.data.metric import metric_named
from analysis.figures.render import compiled, svg
from analysis.figures.verdicts import verdict_figure
from analysis.verdicts.verdict import judge


def figure_of(metric, *effects):
    return verdict_figure(
        "v", "a title", [judge("strategy", f"n{e}", e, 0.01, 20, 0.02, metric_named(metric)) for e in effects]
    )


def x_axis(figure):
    """The x scale of the compiled figure, and the title of its axis."""
    vega = compiled(figure.spec())
    (scale,) = (scale for scale in vega["scales"] if scale["name"] == "x")
    return scale, next(axis["title"] for axis in vega["axes"] if axis["scale"] == "x" and "title" in axis)


def test_losses_are_drawn_in_per_cent_unless_one_at_least_doubles():
    calm, wild = figure_of("loss", 0.05, -0.1), figure_of("loss", 0.05, -5.0)
    scale, title = x_axis(calm)
    assert (scale["type"], title) == ("linear", "gain in %, 95 % interval")
    assert [row["effect"] for row in calm.rows] == pytest.approx([4.9, -10.5], abs=0.05)
    scale, title = x_axis(wild)
    assert (scale["type"], scale["reverse"], title) == ("log", True, "loss, times (log scale), 95 % interval")
    assert [row["effect"] for row in wild.rows] == pytest.approx([np.exp(-0.05), np.exp(5.0)], rel=1e-3)
    for row in wild.rows:
        assert row["high"] < row["effect"] < row["low"]  # the better end is the lower loss
    assert ">100</text>" in svg(compiled(wild.spec()))
    scale, _ = x_axis(figure_of("accuracy", 0.05, -0.9))
    assert scale["type"] == "linear"


def test_an_interval_without_an_end_to_speak_of_is_drawn_to_the_edge():
    wide = judge("strategy", "n", -1.0, 1e6, 1, 0.02, metric_named("loss"))
    figure = verdict_figure("v", "a title", [wide, judge("strategy", "m", float("nan"), 1.0, 0, 0.02, wide.metric)])
    first, unknown = figure.rows
    assert (first["low"], first["high"]) == pytest.approx((1e4, 1e-4))
    assert (unknown["low"], unknown["high"]) == (None, None)
    assert "</svg>" in svg(compiled(figure.spec()))
    assert wide.metric.effect_with_ends(wide.effect, wide.low, wide.high) == "×2.72 (×0 to ×inf)"
