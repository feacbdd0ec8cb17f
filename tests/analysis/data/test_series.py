"""Which rows lie on one curve, against which amount."""

from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from analysis.data.reading import read
from analysis.data.series import series_of
from analysis.data.study import Study
from analysis.fitting.levels import wilson
from analysis.fitting.series_fits import fit_series
from analysis.report.tables import measure_tables
from tests.analysis.tables import FRACTIONS, FULL, Simulation, data_amount, only, strategies


def accuracy(frame, ability="math"):
    return only(frame, ability, "accuracy")


def test_data_amount_gives_one_series_an_ability_against_samples():
    found = Study(data_amount()).measures
    assert [(b.ability, b.metric.name) for b in found] == [(a, m) for m in ("accuracy", "loss") for a in FULL]
    measure = found[0]
    assert measure.axis == "samples"
    (series,) = measure.series
    assert series.amount.tolist() == [8192 * f for f in FRACTIONS]
    assert set(measure.base) == {"micro_s"}


def test_models_trained_on_other_abilities_stay_off_the_curve():
    frame = data_amount()
    (series,) = accuracy(frame).series
    assert (series.amount > 0).all()
    effects = Study(frame).elsewhere
    math = effects[(effects["ability"] == "math") & (effects["metric"] == "accuracy")]
    assert set(math["trained_on"]) == {"code", "general"}
    assert len(math) == 10
    bare = frame[(frame["strategy"] == "base") & (frame["ability"] == "math") & (frame["metric"] == "accuracy")]
    assert (math["base"] == bare["value"].item()).all()


def test_alone_and_mixed_are_two_series():
    simulation = Simulation()
    for fraction in FRACTIONS:
        simulation.cell("m", "multitask", tuple(FULL), fraction)
        for ability in FULL:
            simulation.cell("s", "single", (ability,), fraction)
    measure = accuracy(simulation.frame())
    assert measure.axis == "samples"
    assert [s.label for s in measure.series] == ["multitask", "single"]
    assert all(len(s.amount) == len(FRACTIONS) for s in measure.series)


def test_an_amount_that_differs_between_series_alone_is_not_the_axis():
    """Each model has a constant amount of the ability's data, and of all data a rising one."""
    rows = pd.DataFrame(
        {"model": model, "samples": own, "total_samples": own + added, "metric": "accuracy", "value": 0.5}
        for model, own in (("a", 100), ("b", 200))
        for added in (50, 100, 200)
    )
    axis, series = series_of(rows)
    assert axis == "total_samples"
    assert [one.amount.tolist() for one in series] == [[150, 200, 300], [250, 300, 400]]


def test_replay_is_the_amount_where_samples_stay():
    simulation = Simulation()
    for replay in (0, 1 / 64, 1 / 16, 1.0):
        simulation.cell("dmt", "dmt", tuple(FULL), 1.0, replay=replay)
    measure = accuracy(simulation.frame())
    assert measure.axis == "replay"
    (series,) = measure.series
    assert series.amount.tolist() == [0, 1 / 64, 1 / 16, 1.0]


def test_models_are_series_along_samples_in_order_of_size():
    simulation = Simulation()
    for size, model in ((1e6, "micro_l"), (1e5, "micro_xs")):
        for fraction in FRACTIONS:
            simulation.cell("c", "single", ("math",), fraction, model=model, params=size)
    measure = accuracy(simulation.frame())
    assert measure.axis == "samples"
    assert [s.label for s in measure.series] == ["micro_xs", "micro_l"]


def test_arms_along_a_ratio_written_as_fractions(tmp_path):
    simulation = Simulation()
    for ratio in ("1/64", "1/16", "1/4", "1"):
        share = float(Fraction(ratio))
        simulation.cell("a", "multitask", ("math", "code"), share, arm="special", ratio=ratio)
        simulation.cell("b", "multitask", ("general",), share, arm="general", ratio=ratio)
        simulation.cell("c", "multitask", tuple(FULL), 1.0, arm="fixed", ratio=ratio)
    simulation.frame().to_csv(tmp_path / "t.csv", index=False)
    measure = accuracy(read(tmp_path / "t.csv"))
    assert measure.axis == "samples"
    fixed = [f"fixed, ratio {ratio}" for ratio in ("1/64", "1/16", "1/4", "1")]
    assert [s.label for s in measure.series] == ["special", *fixed]
    assert measure.series[0].amount.tolist() == [128, 512, 2048, 8192]


def test_where_own_samples_vary_along_some_series_they_are_the_axis_of_all():
    simulation = Simulation()
    for share in FRACTIONS:
        simulation.cell("alone", "single", ("math",), share, replay=0.0)
        for replay in (0.1, 0.2, 0.4):  # three designs an amount: replay varies along more rows than samples do
            simulation.cell("dmt", "dmt", tuple(FULL), 1.0, replay=replay + share / 10)
    measure = accuracy(simulation.frame())
    assert measure.axis == "samples"
    assert measure.series[0].label == "single"
    assert len(measure.series) == 16
    table, constant = measure_tables(measure, fit_series(measure))
    assert table.header == ("fraction", "samples", "single: measured", "single: fitted")
    assert len(constant.rows) == 15


def test_params_are_the_amount_where_only_the_model_varies():
    simulation = Simulation()
    for i, model in enumerate(("micro_xs", "micro_s", "micro_m")):
        simulation.cell("c", "single", ("math",), 1.0, model=model, params=1e5 * 4**i)
    measure = accuracy(simulation.frame())
    assert measure.axis == "params"
    assert len(measure.series) == 1


def test_an_own_numeric_factor_splits_series_only_where_it_is_free():
    simulation = Simulation()
    for rate in (1e-3, 1e-4):
        for fraction in FRACTIONS:
            simulation.cell("c", "single", ("math",), fraction, learning_rate=rate, twice=2 * fraction)
    assert [s.label for s in accuracy(simulation.frame()).series] == ["learning_rate 0.001", "learning_rate 0.0001"]


def test_strategies_have_no_amount_and_no_curve():
    measure = accuracy(strategies())
    assert measure.axis == ""
    found = fit_series(measure)
    assert [f.series.label for f in found] == ["multitask", "sequential", "dmt"]
    assert all(f.curve is None and f.levels[0].runs == 3 for f in found)


def test_two_amounts_make_no_curve_and_say_so():
    simulation = Simulation()
    for fraction in (0.25, 1.0):
        simulation.cell("c", "single", ("math",), fraction)
    (found,) = fit_series(accuracy(simulation.frame()))
    assert found.curve is None
    assert found.reason == "2 distinct amounts of samples: a curve needs at least 3"


def test_equal_values_make_no_curve_and_say_so():
    frame = data_amount()
    flat = frame.assign(value=frame["value"].where(frame["metric"] != "accuracy", 0.0))
    (found,) = fit_series(accuracy(flat))
    assert found.curve is None
    assert "all values are equal" in found.reason


def test_a_handful_of_right_answers_makes_no_curve_and_says_so():
    frame = data_amount()
    chosen = (frame["metric"] == "accuracy") & (frame["ability"] == "math") & (frame["samples"] > 0)
    frame.loc[chosen, "value"] = [0.0, 0.0, 1 / 300, 0.0, 3 / 300]
    (found,) = fit_series(accuracy(frame))
    assert found.curve is None
    assert found.reason.startswith("4 right answers over all amounts")


def test_runs_of_one_amount_share_a_level():
    simulation = Simulation()
    for seed in range(3):
        for fraction in FRACTIONS:
            simulation.cell("c", "single", ("math",), fraction, seed=seed)
    (found,) = fit_series(accuracy(simulation.frame()))
    assert [level.runs for level in found.levels] == [3] * 5
    values = found.series.value.reshape(5, 3)
    assert [level.mean for level in found.levels] == pytest.approx(values.mean(axis=1))


def test_the_fitted_curve_passes_the_simulated_truth():
    found = fit_series(accuracy(data_amount()))[0]
    truth = 0.85 / (1 + (found.series.amount / 900.0) ** -0.7)
    inside = (found.at_levels.low <= truth) & (truth <= found.at_levels.high)
    assert inside.mean() >= 0.8


def test_wilson_by_hand():
    assert wilson(0.0, 100)[0] == 0.0
    assert wilson(0.0, 100)[1] == pytest.approx(0.0370, abs=1e-4)
    assert wilson(0.5, 100) == pytest.approx((0.4038, 0.5962), abs=1e-4)
    assert np.diff(wilson(0.3, 1000))[0] < np.diff(wilson(0.3, 100))[0]
