"""The figure of a measure: its rows say what was measured and fitted; its specification needs no rows of its own."""

import json

import numpy as np
import pandas as pd
import pytest

from analysis.data.study import Study
from analysis.figures.curves import curves_figure
from analysis.figures.figure import TableSource
from analysis.figures.render import picture, write
from analysis.fitting.series_fits import fit_series
from tests.analysis.tables import data_amount, mixed_table, only


def figure_of(frame, ability="math", metric="accuracy"):
    measure = only(frame, ability, metric)
    fits = fit_series(measure)
    return curves_figure(measure, fits), fits


def rows_of(figure, kind):
    return [row for row in figure.rows if row["row"] == kind]


def test_points_are_the_levels_in_shown_units_with_their_cells_and_items():
    figure, (fit,) = figure_of(data_amount())
    points = rows_of(figure, "point")
    assert [row["amount"] for row in points] == [level.amount for level in fit.levels]
    for row, level in zip(points, fit.levels, strict=True):
        shown = [row["value"], row["low"], row["high"]]
        assert shown == pytest.approx([100 * level.mean, 100 * level.low, 100 * level.high], rel=1e-4)
        assert row["n_items"] == 300 and row["cells"] == f"math-{level.fraction:g}"


def test_a_curve_has_rows_from_the_first_amount_to_the_last_with_its_band():
    figure, (fit,) = figure_of(data_amount())
    curve = rows_of(figure, "curve")
    assert (curve[0]["amount"], curve[-1]["amount"]) == pytest.approx((fit.grid[0], fit.grid[-1]), rel=1e-5)
    assert all(row["low"] <= row["value"] <= row["high"] for row in curve)
    assert rows_of(figure, "joined") == []
    assert [row["value"] for row in rows_of(figure, "base")]


def test_a_series_without_a_curve_is_joined_by_a_line():
    frame = data_amount()
    few = frame[~((frame["ability"] == "math") & (frame["samples"] > 40) & (frame["samples"] < 8000))]
    figure, (fit,) = figure_of(few)
    assert fit.curve is None
    assert rows_of(figure, "curve") == [] and len(rows_of(figure, "joined")) == len(fit.levels)


def test_all_rows_have_the_same_columns_and_no_missing_number_is_nan():
    figure, _ = figure_of(mixed_table())
    assert len({tuple(row) for row in figure.rows}) == 1
    json.dumps(figure.rows, allow_nan=False)


def test_the_specification_names_every_series_and_compiles():
    figure, fits = figure_of(mixed_table())
    drawn = picture(figure)
    for fit in fits:
        assert drawn.svg.count(f">{fit.series.label}<") == 1, "one legend entry a series"
    assert drawn.vega["description"] == figure.description


def test_points_of_several_sweeps_are_told_apart_by_their_filling_and_named_below_the_title():
    frame = data_amount()
    half = frame["samples"] % 64 == 0
    figure, _ = figure_of(frame.assign(sweep=np.where(half, "old", "new")))
    assert {row["sweep"] for row in rows_of(figure, "point")} == {"old", "new"}
    text = picture(figure).svg
    assert ">filled: new; hollow: old<" in text
    assert 0 < text.count('fill-opacity="0"') < len(rows_of(figure, "point"))
    assert len({tuple(row) for row in figure.rows}) == 1
    one, _ = figure_of(frame.assign(sweep="old"))
    assert "sweep" not in one.rows[0] and "hollow" not in picture(one).svg


def test_for_a_table_the_specification_has_neither_rows_nor_names_nor_titles():
    figure, fits = figure_of(mixed_table())
    spec = figure.spec(TableSource())
    text = json.dumps(spec)
    assert spec["data"] == {"name": "wandb"}
    assert all(fit.series.label not in text for fit in fits) and figure.title not in text
    fields = {part.split("}")[0] for part in text.split("${field:")[1:]}
    assert fields <= set(figure.rows[0]), "columns of the rows"
    other, _ = figure_of(data_amount(), "code", "accuracy")
    assert other.spec(TableSource()) == spec, "one specification for all measures of scores"


def test_for_a_table_it_draws_the_same_picture_once_the_columns_are_filled_in():
    """As a panel of Weights & Biases does: names of columns and titles put in, rows added."""
    import vl_convert

    figure, _ = figure_of(mixed_table())
    text = json.dumps(figure.spec(TableSource()))
    for name in figure.rows[0]:
        text = text.replace(f"${{field:{name}}}", name)
    spec = json.loads(text)
    spec["datasets"] = {"wandb": list(figure.rows)}
    drawn = vl_convert.vegalite_to_svg(spec, vl_version="6.4")
    marks = "<path transform="
    assert drawn.count(marks) == picture(figure).svg.count(marks) == len(rows_of(figure, "point")) + 3


def test_the_same_input_gives_the_same_bytes(tmp_path):
    first, second = (picture(figure_of(data_amount())[0]) for _ in range(2))
    assert first.svg == second.svg and first.vega == second.vega
    files = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        write(folder, first, ["png"])
        files.append([(folder / f"math-gsm8k-accuracy.{form}").read_bytes() for form in ("svg", "png")])
    assert files[0] == files[1] and all(len(file) > 5_000 for file in files[0])


def test_without_amounts_series_stand_below_each_other():
    rows = pd.DataFrame({
        "ability": "math", "task": "t", "metric": "accuracy", "value": [0.3, 0.5, 0.6], "n_items": 200,
        "strategy": ["dmt", "multitask", "a strategy with a rather long name"],
    })  # fmt: skip
    (measure,) = Study(rows).measures
    figure = curves_figure(measure, fit_series(measure))
    text = picture(figure).svg
    assert not measure.axis and "a strategy with a rather long name" in text
    assert {row["row"] for row in figure.rows} == {"point"}


def test_losses_that_fall_far_have_a_logarithmic_axis():
    for steps, word in ((np.geomspace(2, 0.02, 5), "(log scale)"), (np.linspace(2, 1.5, 5), "")):
        rows = pd.DataFrame({"ability": "math", "task": "t", "metric": "loss", "value": steps})
        (measure,) = Study(rows.assign(samples=[8, 32, 128, 512, 2048], stderr=0.001)).measures
        axis = curves_figure(measure, fit_series(measure)).spec()["layer"][0]["encoding"]["y"]
        assert (axis["scale"].get("type") == "log") == bool(word)
        assert axis["axis"]["title"].endswith(word)
