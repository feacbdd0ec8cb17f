"""Numbers of a cell, and its checks at birth."""

import re
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from eval.spec.tasks import Task
from sweep.config.amount import Amount
from sweep.config.cell import Source


@given(st.fractions(0, 1))
def test_fractions_are_read_exactly(value: Fraction):
    text = f"{value.numerator}/{value.denominator}"
    assert Amount.parse(text) == Amount(text, value)


@pytest.mark.parametrize(
    ("text", "value"), [("0.25", Fraction(1, 4)), (1, 1), (500, 500), ("1e-2", Fraction(1, 100)), (0, 0)]
)
def test_decimals_and_counts_are_read_exactly(text, value):
    assert Amount.parse(text) == Amount(str(text), value)


@pytest.mark.parametrize("text", ["1/0", "half", "", "-1", "1.5", "3/2", None, "nan"])
def test_what_is_not_an_amount_is_refused(text):
    with pytest.raises(ValueError, match=f"^{re.escape(str(text))} is"):
        Amount.parse(text)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "no place"),
        ({"world": "a", "path": "b"}, "world and path"),
        ({"hub": "a/b"}, "revision and num_rows"),
        ({"world": "a", "format": "xml"}, "gsm8k"),
        ({"world": "a", "held_out_rows": -1}, "held_out_rows=-1"),
        ({"world": "a", "on_bad_row": "drop"}, "error, skip"),
        ({"path": "a", "file": "f"}, "file='f' is about a hub data set"),
        ({"path": "a", "config": "c"}, "config='c' is about a hub data set"),
        ({"hub": "a/b", "revision": "r", "num_rows": 1, "config": "c", "file": "f"}, "exclude each other"),
        ({"path": "a", "clean": ["drop_all"]}, "clean='drop_all' is unknown; choose one of: drop_unknown_speakers"),
    ],
)
def test_a_source_says_what_is_wrong_with_it(fields, message):
    with pytest.raises(ValueError, match=message):
        Source(**{"ability": "math", "format": "gsm8k"} | fields)


def test_a_path_takes_the_place_of_a_hub_data_set():
    """It is that of a local copy, so the key, too, is that of a source or task with a path alone."""
    hub = {"hub": "a/b", "revision": "main", "config": "c"}
    more = {"ability": "math", "format": "gsm8k", "path": "p"}
    assert Source(**more, **hub, num_rows=3) == Source(**more, num_rows=3)
    assert Source(**more, hub="a/b", revision="main", file="f") == Source(**more)
    assert Task("math", "gsm8k", path="p", **hub) == Task("math", "gsm8k", path="p")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"task": "loss", "world": "x"}, "needs a format"),
        ({"task": "gsm8k"}, "exactly one"),
        ({"task": "gsm9k", "world": "x"}, "gsm8k"),
        ({"task": "gsm8k", "world": "x", "max_items": 0}, "max_items=0"),
    ],
)
def test_a_task_says_what_is_wrong_with_it(fields, message):
    with pytest.raises(ValueError, match=message):
        Task(**{"ability": "math"} | fields)
