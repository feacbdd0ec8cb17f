"""Every law: right values, exact derivatives, and its parameters found again from simulated points."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis import LAWS, Points, fit
from analysis.coordinates import coordinates
from analysis.objective import Objective
from analysis.solver import Problem

TRUE = {
    "power": (30.0, 0.3),
    "power_floor": (1.2, 30.0, 0.4),
    "shifted_power": (1.0, 30.0, 0.4, 3000.0),
    "bounded": (1.0, 4.0, 2e4, 0.6),
    "m4": (1.0, 4.0, 0.8, 30.0, 0.4),
    "log_linear": (0.1, 0.05),
    "sigmoid": (0.0, 0.9, 0.8, float(np.log(2e4))),
    "neg_log_accuracy": (0.1, 10.0, 0.3),
    "additive": (1.7, 400.0, 0.34, 410.0, 0.28),
}
SCORES = ("log_linear", "sigmoid", "neg_log_accuracy")
AMOUNTS = np.geomspace(100, 1e6, 8)


def amounts(law):
    if LAWS[law].variables == 1:
        return {"samples": np.repeat(AMOUNTS, 3)}
    n, d = np.meshgrid(np.geomspace(1e6, 1e10, 6), np.geomspace(1e8, 1e12, 6))
    return {"params": n.ravel(), "tokens": d.ravel()}


def simulate(law, seed):
    """Points with 1 % noise, or with the noise of 2,000 items; and how to fit them."""
    x = amounts(law)
    truth = LAWS[law].value(*x.values(), *map(np.float64, TRUE[law]))
    rng = np.random.default_rng(seed)
    if law in SCORES:
        return Points(x, rng.binomial(2000, truth) / 2000, trials=np.full(len(truth), 2000)), "quasibinomial"
    return Points(x, truth * np.exp(rng.normal(0, 0.01, len(truth)))), "log"


def test_every_law_is_tried_here():
    assert set(TRUE) == set(LAWS)


@pytest.mark.parametrize("law", LAWS)
def test_names_and_bounds_match_the_function(law):
    entry = LAWS[law]
    arguments = entry.value.__code__.co_varnames[: entry.value.__code__.co_argcount]
    assert arguments[entry.variables :] == entry.names
    assert entry.name == law
    assert set(entry.linear) <= set(entry.names)
    assert entry.min_amounts > len([p for p in entry.parameters if p.held is None])
    assert entry.value.__doc__


def test_values_by_hand():
    one = np.float64(1.0)
    assert LAWS["power"].value(np.array([8.0]), 3 * one, one / 3) == pytest.approx(1.5)
    assert LAWS["power_floor"].value(np.array([4.0]), 2 * one, 6 * one, one / 2) == pytest.approx(5.0)
    assert LAWS["shifted_power"].value(np.array([5.0]), one, 8 * one, one / 2, 11 * one) == pytest.approx(3.0)
    assert LAWS["bounded"].value(np.array([100.0]), one, 3 * one, 100 * one, 0.7 * one) == pytest.approx(2.0)
    assert LAWS["log_linear"].value(np.array([np.e]), one, 2 * one) == pytest.approx(3.0)
    assert LAWS["sigmoid"].value(np.array([50.0]), 0.2 * one, one, one, np.log(50.0)) == pytest.approx(0.6)
    assert LAWS["neg_log_accuracy"].value(np.array([4.0]), 0 * one, 2 * one, one / 2) == pytest.approx(np.exp(-1))
    two = (np.array([100.0]), np.array([10000.0]))
    assert LAWS["additive"].value(*two, one, 20 * one, one / 2, 300 * one, one / 2) == pytest.approx(6.0)


def test_bounded_equals_its_other_form():
    x = AMOUNTS
    E, L0, D0, b = TRUE["bounded"]
    other = E + (L0 - E) * D0**b / (D0**b + x**b)
    assert LAWS["bounded"].value(x, E, L0, D0, b) == pytest.approx(other, rel=1e-12)


@given(st.floats(0.05, 5), st.floats(-8, 8), st.floats(0.05, 3))
@settings(max_examples=60, deadline=None)
def test_m4_solves_its_equation(a, log_amplitude, c):
    E, L0, B = 1.0, 4.0, np.exp(log_amplitude)
    loss = LAWS["m4"].value(AMOUNTS, E, L0, a, B, c)
    assert ((loss >= E) & (loss <= L0)).all()
    inner = (loss - E > 1e-6) & (L0 - loss > 1e-6)
    left = np.log((loss - E)[inner]) - a * np.log((L0 - loss)[inner])
    assert left == pytest.approx((np.log(B) - c * np.log(AMOUNTS))[inner], abs=1e-6)


@pytest.mark.parametrize("law", LAWS)
@given(data=st.data())
@settings(max_examples=25, deadline=None)
def test_jacobian_agrees_with_finite_differences(law, data):
    x = tuple(amounts(law).values())
    y = np.asarray(LAWS[law].value(*x, *map(np.float64, TRUE[law])))
    space = coordinates(LAWS[law], x, y, {})
    problem = Problem(space, Objective("least_squares"), x, y, None, np.ones((1, len(y))))
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
    x = amounts(law)
    truth = LAWS[law].value(*x.values(), *map(np.float64, TRUE[law]))
    curve = fit(Points(x, truth), law, "least_squares" if law in SCORES else "log")
    found = [curve.params[name] for name in LAWS[law].names]
    assert found == pytest.approx(list(TRUE[law]), rel=1e-3, abs=1e-6)
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
