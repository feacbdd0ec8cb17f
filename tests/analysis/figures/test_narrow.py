"""Figures for narrow screens: as wide as they are told, long names whole and in lines, the marks as before."""

import re

import numpy as np
import pandas as pd

from analysis.data.study import Study
from analysis.figures.curves import curves_figure
from analysis.figures.narrow import WIDTH, difference, patched
from analysis.figures.render import picture, svg
from analysis.fitting.series_fits import fit_series

NAME = "a model whose name is much too long for the side of a plot, trained on everything there is"


def drawn(**columns):
    rows = pd.DataFrame(
        {"ability": "math", "task": "t", "metric": "accuracy", "value": 0.1 + 0.1 * np.arange(4), "n_items": 400}
        | columns
    )
    (measure,) = Study(rows).measures
    return picture(curves_figure(measure, fit_series(measure)))


def test_long_names_are_whole_and_in_lines_where_there_is_little_room():
    for columns in ({"model": [f"{NAME} {i}" for i in range(4)]},
                    {"samples": [8, 16, 32, 64], "model": [NAME, NAME, "b", "b"]}):  # fmt: skip
        wide = drawn(**columns)
        text = svg(patched(wide.vega, wide.narrow))
        assert float(re.search(r'<svg[^>]* width="([0-9.]+)"', text)[1]) == WIDTH < wide.width
        said = " ".join(re.findall(r"<t(?:ext|span)[^>]*>([^<]+)<", text))
        assert NAME in said and NAME not in re.findall(r"<text[^>]*>([^<]+)<", text)
        assert text.count("<path") >= 4


def test_the_difference_of_two_specifications_makes_one_of_the_other():
    one = {"a": [1, {"b": 2, "gone": 3}], "c": {"d": [1]}, "same": None}
    other = {"a": [1, {"b": 5}], "c": {"d": [1, 2]}, "new": {}, "same": None}
    changes = difference(one, other)
    assert patched(one, changes) == other
    assert sorted(map(str, changes)) == sorted(
        map(str, [[["a", 1, "b"], 5], [["a", 1, "gone"]], [["c", "d"], [1, 2]], [["new"], {}]])
    )
    assert difference(other, other) == []
