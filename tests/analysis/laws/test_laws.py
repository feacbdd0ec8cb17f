"""Every law: its values, its derivatives, and its parameters recovered from simulated points."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import LAWS, Points, fit
from analysis.fitting.coordinates import coordinates
from analysis.fitting.objective import Objective
from analysis.fitting.solver import FitProblem
from tests.analysis.laws.simulated import AMOUNTS, SCORES, TRUE, amounts, exact, simulate


def test_every_law_is_simulated():
    assert set(TRUE) == set(LAWS)


@pytest.mark.parametrize("law", LAWS)
def test_names_and_bounds_match_the_function(law):
    entry = LAWS[law]
    arguments = entry.value.__code__.co_varnames[: entry.value.__code__.co_argcount]
    if entry.resize is None:
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
    assert LAWS["hinge"].value(np.array([10.0, 1e4]), one, 2 * one, np.log(100.0)) == pytest.approx(
        [1 + 2 * np.log(10), 1 + 2 * np.log(100)]
    )
    # With a sharp break the slope in logarithms is c0 before it and c0 + c1 behind it.
    broken = LAWS["broken_power"].value(np.array([1.0, 10.0, 1e5, 1e6]), 0 * one, one, 0.1, 0.4, 1000.0, 0.05)
    assert np.diff(np.log10(broken))[[0, 2]] == pytest.approx([-0.1, -0.5], abs=1e-9)
    # Uniform chances: the chance that k tries all fail is the integral of (1 - p)^k.
    assert LAWS["beta_binomial"].value(np.array([1.0, 3.0]), one, one).real == pytest.approx([1 / 2, 3 / 4])
    two = (np.array([100.0]), np.array([10000.0]))
    assert LAWS["multiplicative"].value(*two, one, 20 * one, one / 2, one / 4) == pytest.approx(1.2)
    assert LAWS["joint_bounded"].value(*two, one, 5 * one, 5 * one, one / 2, 50 * one, one / 2) == pytest.approx(3.0)
    once = LAWS["repetition"].value(np.array([100.0]), np.array([100.0]), one, 10 * one, one / 2, 3 * one)
    assert once == pytest.approx(2.0)
    twice = LAWS["repetition"].value(np.array([100.0]), np.array([200.0]), one, 10 * one, one / 2, 1e6 * one)
    assert twice == pytest.approx(1 + 10 / np.sqrt(200))
    half = np.array([0.5]), np.array([0.5])
    assert LAWS["ratio_power"].value(*half, one, 2 * one, 4 * one, one) == pytest.approx(4.0)
    assert LAWS["ratio_exponential"].value(*half, one, 2 * one, 4 * one) == pytest.approx(1 + np.exp(3))
    worth = LAWS["transfer"].value(np.array([50.0]), np.array([100.0]), one, 10 * one, one / 2, 30 * one, 0.2, 0.5)
    assert worth == pytest.approx(2 + 0.5 * np.log(101))
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


def test_laws_of_mixtures_take_any_number_of_amounts_and_zeros():
    rng = np.random.default_rng(0)
    ratios = rng.dirichlet([1, 1], 40)
    ratios[0] = (0, 1)
    math, code = ratios.T
    y = 0.5 + 2 * math**0.4 + code**0.4
    curve = fit(Points({"math": math, "code": code}, y), "ratio_power", "least_squares")
    assert [curve.params[n] for n in ("c", "w1", "w2", "p")] == pytest.approx([0.5, 2, 1, 0.4], rel=1e-3)
    assert curve.predict({"math": [0.0], "code": [1.0]}).value == pytest.approx([1.5], rel=1e-4)
    with pytest.raises(ValueError, match="takes 2 or more amount"):
        fit(Points({"math": math}, y), "ratio_power")
    with pytest.raises(ValueError, match="takes 2 amount"):
        fit(Points({"math": math + 1}, y), "additive")


def test_an_interval_of_a_mixture_law_without_synergy_reaches_zero():
    x = amounts("transfer")
    y = LAWS["transfer"].value(*x.values(), 1.0, 40.0, 0.4, 200.0, 0.0, 0.0, 0.02)
    curve = fit(Points(x, y * np.exp(np.random.default_rng(1).normal(0, 0.01, len(y)))), "transfer")
    assert curve.interval("k2")[0] == 0.0
    assert curve.interval("g")[0] > 0.0


def test_a_break_is_refused_below_twelve_amounts():
    with pytest.raises(ValueError, match="needs at least 12 distinct amounts"):
        fit(Points({"samples": AMOUNTS}, AMOUNTS**-0.3), "broken_power")
