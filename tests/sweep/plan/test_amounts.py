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
    assert plan(cell("data.sources.math.held_out_rows=3839")).cells[0].samples == {"math": 1}
    with pytest.raises(CellError, match=r"held_out_rows=3840: .*3840 rows; leave some to train on"):
        plan(cell("data.sources.math.held_out_rows=3840"))
