"""Every law: its values, its derivatives, and its parameters recovered from simulated points."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import LAWS, Points, fit
from analysis.fitting.coordinates import coordinates
from analysis.fitting.objective import Objective
from analysis.fitting.solver import FitProblem
from analysis.laws.catalogue import laws_for
from analysis.laws.law import USES
from tests.analysis.laws.simulated import AMOUNTS, SCORES, TRUE, exact, simulate


def test_every_law_is_simulated():
    assert set(TRUE) == set(LAWS)


@pytest.mark.parametrize("law", LAWS)
def test_names_and_bounds_match_the_function(law):
    entry = LAWS[law]
    arguments = entry.value.__code__.co_varnames[: entry.value.__code__.co_argcount]
    assert arguments[entry.variables :] == entry.names
    assert entry.name == law
    assert set(entry.linear) <= set(entry.names)
    # Each prior counts as one measurement.
    assert entry.min_amounts > len([p for p in entry.parameters if p.fixed is None and p.prior is None])
    assert entry.value.__doc__.splitlines()[0].endswith(".")  # the line that a fit shows is a whole sentence


def test_values_by_hand():
    one = np.float64(1.0)
    assert LAWS["power"].value(np.array([8.0]), 3 * one, one / 3) == pytest.approx(1.5)
    assert LAWS["power_floor"].value(np.array([4.0]), 2 * one, 6 * one, one / 2) == pytest.approx(5.0)
    assert LAWS["shifted_power"].value(np.array([5.0]), one, 8 * one, one / 2, 11 * one) == pytest.approx(3.0)
    assert LAWS["bounded"].value(np.array([100.0]), one, 3 * one, 100 * one, 0.7 * one) == pytest.approx(2.0)
    assert LAWS["log_linear"].value(np.array([np.e]), one, 2 * one) == pytest.approx(3.0)
    assert LAWS["sigmoid"].value(np.array([50.0]), 0.2 * one, one, one, np.log(50.0)) == pytest.approx(0.6)
    assert LAWS["neg_log_accuracy"].value(np.array([4.0]), 0 * one, 2 * one, one / 2) == pytest.approx(np.exp(-1))
    # With a sharp break the slope in logarithms is c0 before it and c0 + c1 behind it.
    broken = LAWS["broken_power"].value(np.array([1.0, 10.0, 1e5, 1e6]), 0 * one, one, 0.1, 0.4, 1000.0, 0.05)
    assert np.diff(np.log10(broken))[[0, 2]] == pytest.approx([-0.1, -0.5], abs=1e-9)
    two = (np.array([100.0]), np.array([10000.0]))
    assert LAWS["multiplicative"].value(*two, one, 20 * one, one / 2, one / 4) == pytest.approx(1.2)
    assert LAWS["joint_bounded"].value(*two, one, 5 * one, 5 * one, one / 2, 50 * one, one / 2) == pytest.approx(3.0)
    assert LAWS["logit_sizes"].value(*two, -3 * one, one / 2, one / 4) == pytest.approx(
        1 / (1 + np.exp(3 - np.log(100)))
    )
    assert LAWS["neg_log_sizes"].value(*two, one, 20 * one, one / 2, 300 * one, one / 2) == pytest.approx(np.exp(-6))
    assert LAWS["additive"].value(*two, one, 20 * one, one / 2, 300 * one, one / 2) == pytest.approx(6.0)


def test_bounded_is_the_rectified_law():
    x = AMOUNTS
    E, L0, D0, b = TRUE["bounded"]
    rectified = E + (L0 - E) * D0**b / (D0**b + x**b)
    assert LAWS["bounded"].value(x, E, L0, D0, b) == pytest.approx(rectified, rel=1e-12)


@given(st.floats(0.05, 5), st.floats(-8, 8), st.floats(0.05, 3))
@settings(max_examples=60, deadline=None)
def test_m4_solves_its_equation(a, log_amplitude, c):
    E, L0, B = 1.0, 4.0, np.exp(log_amplitude)
    loss = LAWS["m4"].value(AMOUNTS, E, L0, a, B, c)
    assert ((loss >= E) & (loss <= L0)).all()
    inner = (loss - E > 1e-6) & (L0 - loss > 1e-6)  # nearer to E or L0 the differences lose their digits
    left = np.log((loss - E)[inner]) - a * np.log((L0 - loss)[inner])
    assert left == pytest.approx((np.log(B) - c * np.log(AMOUNTS))[inner], abs=1e-6)


@pytest.mark.parametrize("law", LAWS)
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_jacobian_agrees_with_finite_differences(law, data):
    columns, y = exact(law)
    x = tuple(columns.values())
    space = coordinates(LAWS[law], x, np.asarray(y), {})
    problem = FitProblem(space, Objective("least_squares"), x, y, None, np.ones((1, len(y))))
    centre = space.search(dict(zip(LAWS[law].names, TRUE[law], strict=True)))
    shift = data.draw(st.lists(st.floats(-0.05, 0.05), min_size=len(centre), max_size=len(centre)))
    theta = np.clip(centre + np.array(shift), space.low + 1e-3, space.high - 1e-3)[None]
    value, jac = problem.jacobian(theta)
    assert value == pytest.approx(problem.fitted(theta), rel=1e-12)
    step = 1e-6 * np.eye(theta.shape[1])
    above, below = (np.concatenate([problem.fitted(theta + sign * s) for s in step]) for sign in (1, -1))
    numerical = ((above - below) / 2e-6).T
    assert jac[0] == pytest.approx(numerical, rel=1e-5, abs=1e-7 * np.abs(y).max())


@pytest.mark.parametrize("law", LAWS)
def test_exact_points_give_the_parameters_back(law):
    x, y = exact(law)
    curve = fit(Points(x, y), law, "least_squares" if law in SCORES else "log")
    params = [curve.params[name] for name in LAWS[law].names]
    assert params == pytest.approx(list(TRUE[law]), rel=1e-3, abs=1e-6)
    assert curve.agreeing_starts >= 3
    assert curve.gradient_norm < 1e-4


@pytest.mark.parametrize("law", LAWS)
def test_noisy_points_recover_the_parameters_within_their_intervals(law):
    inside = total = 0
    for seed in range(8):
        points, objective = simulate(law, seed)
        curve = fit(points, law, objective)
        for name, value in zip(LAWS[law].names, TRUE[law], strict=True):
            if name in {p.name for p in curve.problem.space.free}:
                low, high = curve.interval(name, level=0.99)
                inside += low <= value <= high
                total += 1
                assert low <= curve.params[name] <= high
    assert inside >= 0.9 * total


def test_a_law_of_two_amounts_takes_two():
    with pytest.raises(ValueError, match="takes 2 amount"):
        fit(Points({"samples": AMOUNTS}, AMOUNTS**-0.3), "additive")


def test_every_law_has_a_use_and_every_use_a_law():
    assert all(set(law.uses) <= set(USES) and law.uses for law in LAWS.values())
    assert set(USES) == {use for law in LAWS.values() for use in law.uses}


def test_a_law_gives_way_to_one_that_contains_it():
    assert laws_for("loss", 5) == ("power", "power_floor")
    assert laws_for("loss", 6) == ("shifted_power", "bounded")
    assert laws_for("loss", 12) == ("shifted_power", "bounded", "m4", "broken_power")
    assert laws_for("counts", 3) == ("sigmoid",)
    assert laws_for("loss", 2) == ()


def test_a_break_is_refused_below_twelve_amounts():
    with pytest.raises(ValueError, match="needs at least 12 distinct amounts"):
        fit(Points({"samples": AMOUNTS}, AMOUNTS**-0.3), "broken_power")
