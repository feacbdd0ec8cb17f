"""Budgets in hours, tokens and operations, and mixtures that stay near a named one."""

import numpy as np
import pytest

from analysis.advice.advise import advise, distance
from analysis.advice.budget import read_budget
from analysis.advice.text import advice_result
from analysis.data.study import Study
from tests.analysis.tables import FULL, mixed_table

NAMES = tuple(FULL)
COSTS = {"math": 1e-6, "code": 4e-6, "general": 2e-6}


def priced():
    frame = mixed_table()
    hours = 0.001 + sum(cost * frame[f"samples_{name}"] for name, cost in COSTS.items())
    return frame.assign(hours=hours, flops=3.6e15 * hours)


def test_costs_of_samples_follow_from_the_cells():
    budget = read_budget("0.02 hours", Study(priced()), NAMES)
    assert budget.fixed == pytest.approx(0.001)
    assert budget.each == pytest.approx([COSTS[name] for name in NAMES])
    assert budget.error == pytest.approx(0, abs=1e-9)
    assert budget.most == pytest.approx([0.019 / COSTS[name] for name in NAMES])
    assert read_budget(3000, Study(priced()), NAMES).cost(np.array([[1000.0, 500, 0]])) == pytest.approx(1500)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("3 tokens", "needs the column 'tokens', which the table lacks; give it in samples or flops, hours"),
        ("2 days", "unit 'days' is unknown; known: samples, tokens, flops, hours"),
        ("much", "write a number of samples, or a number and a unit"),
        ("3", "must pay at least 16 samples"),
        ("0.001 hours", "must pay at least 16 samples"),
    ],
)
def test_impossible_budgets_are_refused(text, says):
    with pytest.raises(ValueError, match=says):
        read_budget(text, Study(priced()), NAMES)


def test_advice_keeps_within_hours_and_dear_data_is_bought_less():
    study = Study(priced())
    found = advise(study, "0.008 hours", {})
    cost = found.budget.cost(found.samples)
    assert (cost <= 0.008 * (1 + 1e-9)).all()
    assert cost[0] > 0.0075
    which = found.abilities.index("code")
    plain = advise(study, float(found.samples[0].sum()), {})
    assert found.samples[0, which] <= plain.samples[0, which]


def test_mixtures_stay_near_a_named_one():
    near = {"math": 0.2, "code": 0.2, "general": 0.6}
    mixture = np.array([near[name] for name in NAMES])
    study = Study(mixed_table())
    found = advise(study, 3000, {}, near=near, kl=0.02)
    assert (distance(found.samples, mixture) <= 0.02 + 1e-9).all()
    assert distance(advise(study, 3000, {}).samples[:1], mixture)[0] > 0.02
    exact = advise(study, 3000, {}, near=near, kl=0.0)
    assert exact.samples[0] / exact.samples[0].sum() == pytest.approx(mixture)
    with pytest.raises(ValueError, match="ability 'maths'"):
        advise(study, 3000, {}, near={"maths": 1.0})


def test_the_printed_advice_says_what_samples_cost(tmp_path):
    priced().to_csv(tmp_path / "t.csv", index=False)
    text = " ".join(advice_result([tmp_path / "t.csv"], "0.02 hours", {}, 0).text.split())
    assert "costs in hours: 0.001 hours for every cell, 1e-06 a sample of math" in text
