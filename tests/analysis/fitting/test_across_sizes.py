"""A size that was not trained, predicted from smaller ones: on public ladders, and on simulated losses and scores."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from analysis.data.metric import metric_named
from analysis.data.study import Study
from analysis.fitting.across_sizes import Ladder, forecast, held_out, ladders
from analysis.report.size_tables import size_rows, size_tables
from tests.analysis.fitting.ladders import AMOUNTS, SIZES, ladder, losses, scores, scores_of
from tests.bench.extrapolation import across_ladders, flan_ladders


@pytest.mark.parametrize("kind", ["loss", "accuracy"])
def test_held_out_sizes_lie_in_their_intervals_and_nearer_than_the_next_smaller_size(kind):
    rng, covered, errors, nearest = np.random.default_rng(0), [], [], []
    for _ in range(4):
        value = losses(rng) if kind == "loss" else scores(rng)
        one = ladder(value, kind, None if kind == "loss" else 500)
        for count, said in enumerate(held_out(one), 2):
            forward = one.scale.forward
            covered.append(said.covered)
            errors.append(said.error**2)
            nearest.append(np.mean((forward(value[count]) - forward(value[count - 1])) ** 2))
    assert np.mean(covered) >= 0.85
    assert np.mean(errors) < 0.8 * np.mean(nearest)


def test_sizes_of_public_ladders_are_covered_and_predicted_better_than_by_the_next_smaller_one(public_data):
    found = flan_ladders(public_data / "fits" / "sft_loss_vs_samples_flan.csv")
    assert set(found) >= {"Cerebras", "GPT2", "OPT"}
    error, nearest, covered, _ = across_ladders(found)
    assert covered >= 0.9
    assert error < 0.8 * nearest


def test_a_law_gains_weight_where_it_predicts_held_out_sizes():
    n, d = np.meshgrid(SIZES, AMOUNTS, indexing="ij")
    exact = ladder(0.8 + 60 * n**-0.3 + 6 * d**-0.3)
    weights = forecast(exact, 2 * SIZES[-1]).weights
    assert weights["additive"] > weights["line"]
    assert sum(weights.values()) == pytest.approx(1)
    assert forecast(exact.earlier[0], SIZES[2]).weights == {"line": 1.0}


def test_intervals_widen_with_the_distance():
    one = ladder(losses(np.random.default_rng(1)))
    near, far = (forecast(one, factor * SIZES[-1]) for factor in (2, 1e4))
    assert far.error > near.error
    assert (far.prediction.high / far.prediction.low > near.prediction.high / near.prediction.low).all()


def test_scores_that_follow_from_the_loss_are_predicted_better_through_it():
    rng, errors, weights = np.random.default_rng(4), [], []
    for _ in range(4):
        loss = losses(rng, 0.0)
        alone = ladder(scores_of(rng, loss, 8), "accuracy", 500)
        both = replace(alone, loss=ladder(loss))
        errors.append([[said.error**2 for said in held_out(one)[1:]] for one in (alone, both)])
        weights.append(forecast(both, 2 * SIZES[-1]).weights["through the loss"])
    direct, two_steps = np.sqrt(np.mean(errors, axis=(0, 2)))
    assert two_steps < 0.85 * direct
    assert np.mean(weights) > 0.4


def test_a_size_that_gets_nothing_right_is_predicted_when_less_than_one_item_is_expected():
    value = np.array([[0.0, 0.0], [0.0, 0.0], [0.0, 0.0], [0.0, 0.05]])
    one = Ladder("l", metric_named("accuracy"), SIZES[:4], AMOUNTS[:2], value, np.full((4, 2), 500.0))
    assert held_out(one)[0].error == pytest.approx(0, abs=0.2)
    assert held_out(one)[0].covered == 1


def test_the_loss_of_the_same_sizes_and_amounts_stands_beside_scores():
    rng = np.random.default_rng(3)
    loss = losses(rng)
    both = pd.concat([table(scores_of(rng, loss, 3), "accuracy", n_items=500), table(loss, "loss").assign(task="l")])
    accuracy, of_loss = Study(both).measures
    (one,) = ladders(accuracy, [accuracy, of_loss])
    assert one.loss is not None and one.loss.value == pytest.approx(loss)
    assert ladders(accuracy)[0].loss is None and ladders(of_loss, [of_loss])[0].loss is None
    fewer = Study(both[(both["metric"] != "loss") | (both["samples"] > AMOUNTS[0])]).measures
    assert ladders(fewer[0], fewer)[0].loss is None
    ahead, _ = size_tables([size_rows(accuracy, [of_loss])])
    assert "through the loss (" in ahead.rows[0][-1]


def table(value, metric, **columns):
    rows = [(size, n, value[i, j]) for i, size in enumerate(SIZES) for j, n in enumerate(AMOUNTS)]
    frame = pd.DataFrame(rows, columns=["params", "samples", "value"])
    frame = frame.assign(model=[f"m{size:g}" for size in frame["params"]], seed="0")
    return frame.assign(ability="math", task="t", metric=metric, **columns)


def test_ladders_are_found_in_tables_design_by_design():
    rng = np.random.default_rng(2)
    one = table(scores(rng), "accuracy", n_items=500, strategy="single")
    two = table(scores(rng), "accuracy", n_items=500, strategy="dmt")
    lacking = two[(two["params"] != SIZES[1]) | (two["samples"] != AMOUNTS[0])]
    measures = Study(pd.concat([one, lacking])).measures
    first, second = ladders(measures[0])
    assert (first.label, second.label) == ("math accuracy, single", "math accuracy, dmt")
    assert first.value.shape == (5, 5)
    assert second.value.shape == (5, 4)  # amounts that all sizes have
    ahead, tested = size_tables(list(map(size_rows, measures)))
    assert [row[:3] for row in ahead.rows] == [
        ("math accuracy, single", "162M", "25,600"),
        ("math accuracy, dmt", "162M", "25,600"),
    ]
    assert len(tested.rows) == 6
    assert size_tables(list(map(size_rows, Study(one[one["params"] <= SIZES[1]]).measures))) == []
