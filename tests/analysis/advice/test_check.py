"""Advice against what came of it: every number of the lines, from values that are given."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.special import logit

from analysis.advice.check import AdviceCheck, _design, _predictions, check_lines, check_summary, check_table
from analysis.advice.distance import amounts_of
from analysis.advice.surrogate import surrogate
from analysis.verdicts.arms import arm_means
from tests.analysis.advice.given import model
from tests.analysis.tables import FULL, Simulation, mixed_table, only


@pytest.fixture
def check():
    """Three cells in two abilities: b was predicted best, a came out best, c worst as predicted."""
    predicted = np.array([[0.5, 0.5], [0.6, 0.4], [0.2, 0.2]])
    measured = np.array([[0.6, 0.6], [0.5, 0.5], [0.1, 0.2]])
    # In logits a is .405 off in both abilities, b .405 in both, and c .811 in math.
    error = np.array([[0.2, 0.21], [0.21, 0.2], [0.5, 0.01]])
    noise = np.array([[0.01, 0.01], [0.09, 0.09], [0.01, 0.01]])
    return AdviceCheck(
        (model("math"), model("code")), np.array([0.75, 0.25]), ("a", "b", "c"), logit(predicted), error,
        logit(measured), noise, np.array([0.0, 1.0, 3.0]),
    )  # fmt: skip


def test_measurements_lie_in_their_interval_up_to_196_standard_errors(check):
    assert check.inside.tolist() == [[False, True], [True, False], [True, True]]  # 1.96 * .2 is .392, 1.96 * .21 .412


def test_totals_are_weighted_sums_of_merits(check):
    predicted, measured, error = check.totals()
    assert predicted == pytest.approx([0.5, 0.55, 0.2])
    assert measured == pytest.approx([0.6, 0.5, 0.125])
    # A share p moves by p (1 - p) times its logit: .24 * .1 for a, .25 * .3 for b, .09 * .1 and .16 * .1 for c.
    assert error == pytest.approx(
        [0.024 * np.hypot(0.75, 0.25), 0.075 * np.hypot(0.75, 0.25), np.hypot(0.00675, 0.004)]
    )


def test_the_summary_says_what_came_of_it(check):
    assert check_summary(check).rows == (
        ("math, accuracy in %", "2 near\n1 far", "1 of 2\n1 of 1", "0\n0", "10.0 points\n10.0 points"),
        ("code, accuracy in %", "2 near\n1 far", "1 of 2\n1 of 1", "0\n0", "10.0 points\n0.0 points"),
    )
    ranking, control, far = check_lines(check)
    # a and b came out the other way; they differ by .1, less than 1.96 times .062.
    assert ranking == (
        "ranking: 2 of 3 pairs of cells came out in the predicted order, 2 of the 2 pairs that differ clearly; "
        "the cell predicted best is 10.0 points below the best measured"
    )
    # b was predicted 35 points above c; it came out .375 above it, its own error being .059.
    assert control == (
        "control: from the cell predicted worst to the one predicted best, predicted +35.0 points, measured +37.5"
    )
    assert far.startswith("far: an ability's amount is 4x or more away")


def test_a_prediction_without_an_interval_is_not_counted_as_one(check):
    unknown = replace(check, error=np.where([[False], [False], [True]], np.nan, check.error))
    assert [row[2:4] for row in check_summary(unknown).rows] == [("1 of 2\n0 of 0", "0\n1")] * 2
    assert check_table(unknown).rows[2][3] == "unknown\nunknown\n"


def test_the_table_has_the_best_predicted_first_and_marks_what_is_outside(check):
    rows = check_table(check).rows
    assert [row[0] for row in rows] == [
        "b\n(2x from the nearest)", "a\n(1x from the nearest)", "c\n(8x from the nearest, far)",
    ]  # fmt: skip
    # Logits of .4 +- 1.96 * .2: from -.797 to -.013, as shares .311 to .497; .5 lies outside.
    assert rows[0][1:] == (
        "math\ncode\nweighted", "60.0\n40.0\n55.0", "49.8 to 69.4\n31.1 to 49.7\n", "50.0\n50.0\n50.0",
        "\noutside\n",
    )  # fmt: skip


def test_a_design_is_the_data_of_each_ability_its_strategy_and_replay():
    rows = pd.DataFrame({"strategy": ["dmt", "single"], "replay": [0.25, np.nan], "total_samples": [5.0, 7.0]})
    assert _design(rows).tolist() == ["dmt 1/4 total_samples:5", "single total_samples:7"]
    rows = rows.assign(samples_math=[3, 7], samples_code=[2, 0]).drop(columns="replay")
    assert _design(rows).tolist() == ["dmt code:2 math:3", "single code:0 math:7"]


def test_a_new_measurement_is_as_uncertain_as_curve_runs_and_items_together():
    fitted = surrogate(arm_means(only(mixed_table(), "math", "accuracy")))
    simulation = Simulation(9)
    for seed in range(2):
        simulation.cell(f"new-{seed}", "multitask", tuple(FULL), 1 / 8, seed=seed)
    measure = only(simulation.frame().assign(design="new"), "math", "accuracy")
    cell = fitted.inputs(amounts_of(arm_means(measure).table), np.array(["multitask"]))
    (mean,), ((variance,),) = fitted.predict(cell)
    predicted, error, _, noise, away = _predictions(fitted, measure)["new"]
    assert away == pytest.approx(1.0, abs=0.03), "halfway between a sixteenth and a quarter, twice and half as much"
    assert predicted == pytest.approx(mean)
    scatter = (fitted.shape.scatter * fitted.scale) ** 2 / 2  # of the mean of two runs
    wider = fitted.stretch(np.array([away]), np.array(["multitask"]))[0]
    assert error == pytest.approx(wider * np.sqrt(variance + scatter + noise))
