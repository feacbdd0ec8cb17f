"""Samples of a cell by hand."""

import pytest

from sweep.plan.amounts import amounts
from sweep.plan.plan import CellError
from tests.sweep.composing import cell, plan

POOLS = {"math": 8192, "code": 4000, "general": 2000}


def test_a_count_in_a_stage_takes_the_place_of_the_amount():
    made = cell("strategy.stages=[{math: 500}, {math: 1/2, code: 40}]", "fraction=1/2", "amount={math: 1/4, code: 8}")
    assert amounts(made, POOLS) == [{"math": 250}, {"math": 512, "code": 20}]


@pytest.mark.parametrize(
    ("total", "counts"),
    [
        (10, {"math": 6, "code": 3, "general": 1}),  # 5.77, 2.82, 1.41: code and math have the largest remainders
        (9, {"math": 5, "code": 3, "general": 1}),  # 5.20, 2.54, 1.27
        (3, {"math": 2, "code": 1, "general": 0}),  # 1.73, 0.85, 0.42
    ],
)
def test_a_fixed_total_gives_its_rest_to_the_largest_remainders(total: int, counts: dict[str, int]):
    assert amounts(cell("strategy=multitask", f"total_samples={total}"), POOLS) == [counts]


def test_equal_remainders_go_to_the_first():
    made = cell("strategy.stages=[{math: 1, code: 1, general: 1}]", "total_samples=4")
    assert amounts(made, dict.fromkeys(POOLS, 100)) == [{"math": 2, "code": 1, "general": 1}]


def test_a_source_that_is_held_out_whole_is_refused():
    assert plan(cell("data.sources.math.held_out_rows=2815")).cells[0].samples == {"math": 1}
    with pytest.raises(CellError, match=r"held_out_rows=2816: .*2816 rows; leave some to train on"):
        plan(cell("data.sources.math.held_out_rows=2816"))


def test_an_amount_above_one_is_a_count_of_which_stages_take_shares():
    made = cell("strategy.stages=[{math: 1/2}, {math: 1, code: 1/2}]", "fraction=1/2", "amount={math: 600, code: 1/4}")
    assert amounts(made, POOLS) == [{"math": 150}, {"math": 300, "code": 250}]


@pytest.mark.parametrize(("rounding", "count"), [("floor", 2), ("ceil", 3), ("round", 3)])
def test_halves_are_rounded_as_asked(rounding: str, count: int):
    made = cell("ability=math", "amount={math: 5}", "fraction=1/2", f"sample_rounding={rounding}")
    assert amounts(made, POOLS) == [{"math": count}]


@pytest.mark.parametrize(("rounding", "count"), [("floor", 2), ("ceil", 3), ("round", 2)])
def test_thirds_are_rounded_as_asked(rounding: str, count: int):
    made = cell("ability=math", "amount={math: 7}", "fraction=1/3", f"sample_rounding={rounding}")
    assert amounts(made, POOLS) == [{"math": count}]


def test_an_amount_that_rounds_to_none_is_refused_and_none_is_not():
    with pytest.raises(ValueError, match=r"0\.4 samples of math round to none"):
        amounts(cell("ability=math", "amount={math: 2}", "fraction=1/5", "sample_rounding=round"), POOLS)
    assert amounts(cell("ability=math", "fraction=0"), POOLS) == [{"math": 0}]


def test_all_there_is_may_be_trained_on_and_more_only_with_repeats():
    assert amounts(cell("ability=math", "amount={math: 8192}"), POOLS) == [{"math": 8192}]
    with pytest.raises(ValueError, match="trains on 8193 samples of math, but its sources hold 8192"):
        amounts(cell("ability=math", "amount={math: 8193}"), POOLS)
    assert amounts(cell("ability=math", "amount={math: 8193}", "allow_repeats=true"), POOLS) == [{"math": 8193}]
