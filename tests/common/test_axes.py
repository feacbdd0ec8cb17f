"""Axes of cells as typed values."""

from __future__ import annotations

import json

import pytest

from common.axes import swept, tags, typed_axes


def cell(*overrides: str, **columns: object) -> dict[str, object]:
    return {"overrides": json.dumps(overrides), "settings": "", **columns}


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("1/64", 1 / 64), ("0.25", 0.25), ("1e-5", 1e-5), (".5", 0.5), ("500", 500), ("-3", -3), ("true", True),
        ("micro_s", "micro_s"), ("1/0", "1/0"), ("1_000", "1_000"), ("nan", "nan"), ("7b", "7b"), (0.5, 0.5), (3, 3),
    ],
)  # fmt: skip
def test_values_are_typed(written: object, value: object):
    axes = typed_axes(cell(axis=written))
    assert (axes["axis"], type(axes["axis"])) == (value, type(value))


def test_an_amount_keeps_its_text():
    assert typed_axes(cell(replay="1/256")) == {"replay": 1 / 256, "replay_text": "1/256"}
    assert typed_axes(cell(fraction=0.5, fraction_text="1/2")) == {"fraction": 0.5, "fraction_text": "1/2"}


def test_what_is_missing_is_left_out_and_a_dot_is_replaced():
    axes = typed_axes(cell(base_seed=None, params=float("nan"), **{"recipe.learning_rate": "1e-4"}))
    assert axes == {"recipe_learning_rate": 1e-4}


def test_swept_keys_are_axes_and_tags():
    cells = [cell("ability=math", "seed=1", "+x=2"), cell("ability=code", "seed=1"), cell("seed=1", "ability=math")]
    assert swept(cells) == ["ability", "x"]
    assert typed_axes(cells[0], ["ability", "x"]) == {"ability": "math", "x": 2}
    assert tags(cells[0], ["ability", "x"]) == ["ability=math", "x=2"]
    assert tags(cells[1], ["ability", "x"]) == ["ability=code"]


def test_a_table_without_overrides_has_axes_too():
    assert swept([{"model": "a"}, {"model": "b"}]) == []
    assert typed_axes({"model": "a"}) == {"model": "a"}
