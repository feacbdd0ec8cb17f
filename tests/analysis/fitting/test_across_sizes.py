"""A size that was not trained, predicted from smaller ones: on public ladders, and on simulated losses and scores."""

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

from analysis.data.metric import metric_named
from analysis.data.study import Study
from analysis.fitting.across_sizes import Ladder, forecast, held_out, ladders
from analysis.report.size_tables import size_tables
from tests.bench.extrapolation import across_ladders, flan_ladders

SIZES = 1e6 * 3.0 ** np.arange(5)
AMOUNTS = 100 * 4.0 ** np.arange(5)


def losses(rng, shift=0.03):
    """Losses of a ladder: falling with size and data, with a shift of each size as a whole."""
    E, A, a, B, b = rng.uniform(0.3, 1), rng.uniform(20, 60), rng.uniform(0.2, 0.35), rng.uniform(3, 9), 0.25
    n, d = np.meshgrid(SIZES, AMOUNTS, indexing="ij")
    noise = rng.normal(0, shift, (len(SIZES), 1)) + rng.normal(0, 0.01, n.shape)
    return (E + A * n**-a + B * d**-b) * np.exp(noise)


def scores(rng, items=500):
    n, d = np.meshgrid(np.log(SIZES / 1e6), np.log(AMOUNTS / 100), indexing="ij")
    chance = expit(-2 + rng.uniform(0.2, 0.5) * n + rng.uniform(0.2, 0.4) * d + rng.normal(0, 0.1, (len(SIZES), 1)))
    return rng.binomial(items, chance) / items


def ladder(value, metric="loss", items=None):
    count = None if items is None else np.full(value.shape, float(items))
    return Ladder("l", metric_named(metric), SIZES, AMOUNTS, value, count)


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
    assert forecast(exact.first(2), SIZES[2]).weights == {"line": 1.0}


def test_intervals_widen_with_the_distance():
    one = ladder(losses(np.random.default_rng(1)))
    near, far = (forecast(one, factor * SIZES[-1]) for factor in (2, 1e4))
    assert far.error > near.error
    assert (far.prediction.high / far.prediction.low > near.prediction.high / near.prediction.low).all()


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
    ahead, tested = size_tables(measures)
    assert [row[:3] for row in ahead.rows] == [
        ("math accuracy, single", "162,000,000", "25,600"),
        ("math accuracy, dmt", "162,000,000", "25,600"),
    ]
    assert len(tested.rows) == 6
    assert size_tables(Study(one[one["params"] <= SIZES[1]]).measures) == []
