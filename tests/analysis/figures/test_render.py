"""Pictures that cannot be drawn are errors, and characters without a font are said."""

import re

import pytest

from analysis.figures import render
from analysis.figures.figure import Figure
from analysis.figures.render import picture, svg, without_font

ROWS = ({"row": "point", "x": 1.0, "y": 2.0}, {"row": "point", "x": 3.0, "y": 4.0})


def figure(scale):
    place = {name: {"field": name, "type": "quantitative", "scale": scale} for name in "xy"}
    return Figure("f", "a title", "a figure", ROWS, lambda source: {"mark": "point", "encoding": place})


def test_a_picture_without_any_of_its_rows_is_an_error():
    drawn = picture(figure({}))
    assert drawn.svg.count("<path") > 2
    broken = {**drawn.vega, "marks": [{**mark, "from": {"data": "absent"}} for mark in drawn.vega["marks"]]}
    with pytest.raises((RuntimeError, ValueError)):
        svg(broken)
    with pytest.raises(RuntimeError, match="'a figure': Vega drew none of its rows"):
        svg({**drawn.vega, "marks": []})


def test_numbers_that_readers_see_keep_their_decimals():
    place = {name: {"field": name, "type": "quantitative"} for name in "xy"}
    rows = ({"row": "point", "x": 1.0, "y": 2.0, "label": "0.018"}, {"row": "point", "x": 3.0, "y": 0.0041})
    encoding = {**place, "text": {"field": "label"}}
    drawn = picture(Figure("f", "", "", rows, lambda source: {"mark": "text", "encoding": encoding})).svg
    assert ">0.018<" in drawn
    assert not re.search(r'="[^"]*\d\.\d{3}', drawn)  # places in the picture are rounded


def test_characters_without_a_font_are_said(tmp_path, monkeypatch):
    monkeypatch.setattr(render, "FONTS", (tmp_path,))
    assert without_font(["math", "accuracy in %"]) == ""
    assert "fonts-noto-cjk" in without_font(["math", "\u6570\u5b66"])
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "NotoSansCJK-Regular.ttc").touch()
    render._finds_font.cache_clear()
    assert without_font(["\u6570\u5b66"]) == ""
