"""How much data a goal takes: intervals that hold the truth, with a curve and without one; ends that say no more than
was measured; seeds and items that settle it.
"""

from itertools import product

import numpy as np
import pandas as pd
import pytest

from analysis.data.study import Study
from analysis.figures.decisions import goal_figure
from analysis.figures.render import compiled, svg
from analysis.fitting.series_fits import fit_series
from analysis.report.results import analyse
from analysis.report.tables import goal_table
from analysis.report.terminal import all_tables
from analysis.verdicts.goal import goal, next_doubling
from tests.analysis.fitting.test_series_fits import AMOUNTS, jumping, kinked, smooth
from tests.analysis.tables import data_amount, only
from tests.bench.calibration import runs


def fitted(table, **which):
    measure = only(table, **which)
    (fit,) = fit_series(measure)
    return measure, fit


def accuracies(chance, items=256, seeds=1, amounts=AMOUNTS, seed=0):
    rng = np.random.default_rng(seed)
    return pd.concat(runs(rng, np.asarray(chance), items, seeds, 0.0, amounts), ignore_index=True)


@pytest.mark.parametrize(("truth", "seeds"), product((smooth, kinked, jumping), (1, 3)))
def test_the_interval_of_an_amount_holds_the_truth(truth, seeds):
    rng = np.random.default_rng(1)
    held, finite = [], []
    for _ in range(16):
        chance = truth(rng)
        measure, fit = fitted(pd.concat(runs(rng, chance, 1319, seeds, 0.0075), ignore_index=True))
        for part in (0.3, 0.7):
            aim = chance[0] + part * (chance[-1] - chance[0])
            at = np.exp(np.interp(aim, chance, np.log(AMOUNTS)))
            found = goal(measure, fit, float(aim))
            held.append(found.low <= 1.02 * at and 0.98 * at <= found.high)
            finite.append(found.low > 0 and np.isfinite(found.high))
    assert np.mean(held) >= 0.87
    assert np.mean(finite) >= 0.6


def test_a_goal_beyond_the_amounts_is_predicted_and_one_out_of_reach_is_not():
    amounts = 100 * 2.0 ** np.arange(8)
    chance = 0.9 / (1 + (amounts / 3000) ** -0.8)
    measure, fit = fitted(accuracies(chance, 4000, 3, amounts))
    found = goal(measure, fit, 0.8)
    true = 3000 * (0.9 / 0.8 - 1) ** (-1 / 0.8)
    assert found.low < true < found.high
    assert found.high > amounts[-1]
    assert goal(measure, fit, 0.01).samples == "below 100"
    assert goal(measure, fit, 0.99).samples.startswith(("more than", "beyond"))
    assert f"beyond {16 * 12_800:,}" == goal(measure, fit, 0.9999).samples


def test_without_a_curve_the_amount_lies_between_measured_ones():
    table = accuracies([0.1, 0.12, 0.9, 0.92], amounts=AMOUNTS[:4])
    measure, fit = fitted(table.assign(value=[0.1, 0.12, 0.9, 0.92]))
    assert fit.curve is None
    found = goal(measure, fit, 0.5)
    assert (found.low, found.high) == (56, 224)
    assert found.samples == "110 (56 to 224)"
    assert goal(measure, fit, 0.99).samples == "beyond 896"
    assert next_doubling(measure, fit) is None


def test_a_loss_falls_to_its_goal():
    amounts = 100 * 2.0 ** np.arange(8)
    rng = np.random.default_rng(0)
    loss = (0.5 + 20 * amounts**-0.5) * np.exp(rng.normal(0, 0.005, 8))
    table = pd.DataFrame({"samples": amounts, "value": loss, "seed": "0"})
    measure, fit = fitted(table.assign(ability="math", task="t", metric="loss"))
    found = goal(measure, fit, 0.6)
    assert found.low < (20 / 0.1) ** 2 < found.high
    gain, low, high = next_doubling(measure, fit)
    true = -np.log((0.5 + 20 * (2 * amounts[-1]) ** -0.5) / (0.5 + 20 * amounts[-1] ** -0.5))
    assert low < true < high
    assert gain > 0


def test_the_next_doubling_holds_the_truth_and_stays_within_the_scale():
    amounts = 100 * 2.0 ** np.arange(8)
    inside = []
    for seed in range(30):
        chance = 0.95 / (1 + (amounts / 1500) ** -0.7)
        measure, fit = fitted(accuracies(chance, 500, 1, amounts, seed))
        _, low, high = next_doubling(measure, fit)
        true = 0.95 / (1 + (2 * amounts[-1] / 1500) ** -0.7) - chance[-1]
        inside.append(low <= true <= high)
        assert fit.line.value[-1] + high <= 1 + 1e-9
    assert np.mean(inside) >= 0.9


def test_more_seeds_need_fewer_items_and_the_items_settle_it():
    amounts = 100 * 2.0 ** np.arange(8)
    chance = 0.9 / (1 + (amounts / 3000) ** -0.8)
    measure, fit = fitted(accuracies(chance, 1000, 1, amounts))
    found = goal(measure, fit, 0.8)
    assert found.items[0] > found.items[1] > found.items[2]
    at = found.amount
    gain = min(fit.curve.predict({"samples": [at, 2 * at]}).value @ [-1, 1],
               fit.curve.predict({"samples": [at / 2, at]}).value @ [-1, 1])  # fmt: skip
    for seeds, items in zip((1, 3, 5), found.items, strict=True):
        noise = 0.16 / items + 4 * 0.16 * 0.01**2 / seeds
        assert 1.96 * np.sqrt(noise) <= 1.01 * gain


def test_the_report_and_the_terminal_have_the_goals():
    results = analyse(Study(data_amount()), 0.02, None)
    table = goal_table(results.fits)
    assert {row[0] for row in table.rows} >= {"math accuracy", "math loss"}
    text = all_tables(results)
    assert table.title in text
    assert "math loss" not in text.partition(table.title)[2]  # scores come first


def test_only_amounts_of_data_are_what_a_goal_takes():
    table = accuracies([0.3, 0.5, 0.6, 0.65], amounts=AMOUNTS[:4])
    measure, fit = fitted(table)
    assert goal(measure, fit, 0.55).needed.endswith(") samples of its data")
    doses = table.assign(replay=table["samples"] / 1024, samples=4000)
    measure, fit = fitted(doses)
    assert (measure.axis, fit.curve is not None) == ("replay", True)
    assert goal(measure, fit, 0.55) is None and next_doubling(measure, fit) is None


def test_an_open_end_of_a_goal_is_drawn_as_an_arrow():
    amounts = 100 * 2.0 ** np.arange(8)
    measure, fit = fitted(accuracies(0.9 / (1 + (amounts / 3000) ** -0.8), 4000, 3, amounts))
    figure = goal_figure([found := goal(measure, fit, 0.8), beyond := goal(measure, fit, 0.9999)])
    known, opened = figure.rows
    assert known["beyond"] is None and known["high"] == pytest.approx(found.high, rel=1e-4)
    assert opened["low"] == opened["high"] == opened["beyond"] == beyond.searched
    drawn = {one["name"]: one for one in compiled(figure.spec())["marks"]}
    arrows = [one for one in drawn.values() if "triangle-right" in str(one["encode"])]
    assert len(arrows) == 1
    assert svg(compiled(figure.spec())).count("<path") > svg(compiled(goal_figure([found]).spec())).count("<path")
