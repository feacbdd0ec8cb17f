"""What candidates are worth, from draws that are given."""

from dataclasses import replace

import numpy as np
import pytest

from analysis.advice.advise import Advice
from analysis.advice.budget import Budget
from analysis.advice.text import _ends, advice_tables
from tests.analysis.advice.given import model


@pytest.fixture
def advice():
    """Two draws of four candidates: sums of .4, .4; .5, .4; .3, .3; .425, .425. The last is best for no weights."""
    first = [[0.6, 0.2], [0.4, 0.6], [0.3, 0.3], [0.5, 0.35]]
    second = [[0.6, 0.2], [0.4, 0.4], [0.3, 0.3], [0.5, 0.35]]
    samples, strategy = np.arange(8.0).reshape(4, 2), np.array(["multitask"] * 4)
    models = (model("math"), model("code"))
    half, budget = np.array([0.5, 0.5]), Budget(100, "samples", 0.0, np.ones(2))
    drawn, near, endless = np.array([first, second]), np.zeros(4), np.full(2, np.inf)
    return Advice(("math", "code"), models, half, samples, strategy, drawn, (), budget, near, endless, 2)


def test_the_chance_of_a_candidate_is_how_often_it_is_the_best(advice):
    assert advice.total == pytest.approx(np.array([[0.4, 0.5, 0.3, 0.425], [0.4, 0.4, 0.3, 0.425]]))
    assert advice.chance().tolist() == [0.0, 0.5, 0.0, 0.5]


def test_the_shortfall_is_the_mean_distance_to_the_best_of_each_draw(advice):
    assert advice.shortfall() == pytest.approx([0.0625, 0.0125, 0.1625, 0.0375])


def test_the_front_shows_candidates_that_are_best_where_one_ability_counts_more(advice):
    """By mean: b (.4, .5) for equal weights and for code, a (.6, .2) for math; the last is undominated, but neither."""
    assert _ends(advice) == [1, 0]


def test_a_single_strategy_is_not_called_the_best(advice):
    (alone, _) = advice_tables(advice)
    assert [row[0] for row in alone.rows] == ["multitask"] and "chance" not in alone.title
    (two, _) = advice_tables(replace(advice, strategy=np.array(["multitask", "multitask", "single", "single"])))
    assert [row[0] for row in two.rows] == ["multitask\nbest: 50 %", "single\nbest: 50 %"]
