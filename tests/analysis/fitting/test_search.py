"""What the search of a fit rests on: derivatives against differences, coordinates, and what a step promises."""

import numpy as np
import pytest

from analysis import Points
from analysis.fitting.fit_setup import prepare
from analysis.fitting.objective import Objective
from analysis.fitting.solver import _step
from tests.analysis.laws.simulated import AMOUNTS, bounded

NAMES = ("log", "huber_log", "least_squares", "quasibinomial")
SHARES = np.array([0.2, 0.5, 0.7])
TRIALS = np.array([10.0, 40.0, 100.0])


def terms(objective, fitted, factor=1.0):
    return factor * objective.terms(fitted, SHARES, TRIALS)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("shift", [-0.15, 0.1])
def test_slopes_of_terms_are_differences_of_terms(name, shift):
    objective, step = Objective(name, 0.3), 1e-6
    fitted = SHARES + shift
    slope, _, _ = objective.derivatives(fitted, SHARES, TRIALS)
    ahead, behind = (terms(objective, fitted + s, objective.cost_factor) for s in (step, -step))
    assert slope == pytest.approx((ahead - behind) / (2 * step), rel=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_curvatures_are_those_of_the_terms_at_a_perfect_fit(name):
    """There the Gauss-Newton curvature is the whole one."""
    objective, step = Objective(name, 0.3), 1e-4
    _, curvature, damping = objective.derivatives(SHARES, SHARES, TRIALS)
    ahead, here, behind = (terms(objective, SHARES + s, objective.cost_factor) for s in (step, 0.0, -step))
    assert curvature == pytest.approx((ahead - 2 * here + behind) / step**2, rel=1e-4)
    assert damping == pytest.approx(curvature)


def test_huber_has_no_curvature_beyond_delta_but_damping():
    """At a residual of ln 2 with a delta of .1: a line in the logarithm; the damping is .1 / ln 2 of a parabola's."""
    slope, curvature, damping = Objective("huber_log", 0.1).derivatives(2 * SHARES, SHARES, None)
    assert slope == pytest.approx(0.1 / (2 * SHARES))
    assert curvature.tolist() == [0.0, 0.0, 0.0]
    assert damping == pytest.approx(0.1 / np.log(2) / (2 * SHARES) ** 2)


@pytest.mark.parametrize(("name", "places"), [("log", [0.1, 0.3, 0.5]), ("least_squares", [0.1, 0.3, 0.5])])
def test_second_differences_of_residuals(name, places):
    objective = Objective(name)
    up, here, down = (np.full(3, p) for p in places)
    r_up, r, r_down = (objective.residual(p, SHARES) for p in (up, here, down))
    unit = here if name == "log" else 1.0
    assert objective.second_difference(up, here, down) == pytest.approx(unit * (r_up - 2 * r + r_down))


def problem(law, objective="log"):
    y = bounded(AMOUNTS) * np.exp(np.random.default_rng(0).normal(0, 0.05, len(AMOUNTS)))
    trials = np.full(len(y), 200.0) if objective == "quasibinomial" else None
    value = 1 / y / 3 if objective == "quasibinomial" else y
    return prepare(Points({"samples": AMOUNTS}, value, trials=trials), law, objective, 1e-3)


LAWS = [("power", "log"), ("power_floor", "log"), ("log_linear", "log"), ("sigmoid", "quasibinomial")]


@pytest.mark.parametrize(("law", "objective"), LAWS)
def test_gradients_of_the_cost_are_its_differences(law, objective):
    fit = problem(law, objective)
    theta = fit.starts[:1] + 0.05
    here = fit.problem.expand(theta)
    assert here.cost == pytest.approx(fit.problem.cost(theta))
    for i, unit in enumerate(np.eye(theta.shape[1])):
        ahead, behind = (fit.problem.cost(theta + s * 1e-5 * unit) for s in (1, -1))
        assert here.gradient[0, i] == pytest.approx((ahead - behind)[0] / 2e-5, rel=1e-4, abs=1e-6)


@pytest.mark.parametrize(("law", "objective"), LAWS)
def test_search_coordinates_are_read_back_from_natural_parameters(law, objective):
    fit = problem(law, objective)
    space = fit.problem.space
    theta = np.clip(fit.starts + 0.05, space.low, space.high)
    assert space.search(space.natural(theta)) == pytest.approx(theta)


@pytest.mark.parametrize(("law", "slope"), [("power", "b"), ("log_linear", "s")])
def test_the_level_of_a_curve_is_taken_at_the_centre_of_the_amounts(law, slope):
    """There the value hangs on the amplitude or intercept alone, whatever the exponent or slope."""
    fit = problem(law)
    space, theta = fit.problem.space, fit.starts[:1]
    where = [p.name for p in space.free].index(slope)
    moved = theta + 0.3 * np.eye(theta.shape[1])[where]
    centre = np.exp(np.log(AMOUNTS).mean())
    (here,), (there,) = (space.law.value(centre, *space.natural(t).values()) for t in (theta, moved))
    assert here == pytest.approx(there)
    (far,), (farther,) = (space.law.value(100 * centre, *space.natural(t).values()) for t in (theta, moved))
    assert abs(np.log(far / farther)) > 0.1


@pytest.mark.parametrize(("law", "objective"), LAWS)
def test_a_short_step_gains_what_it_promises(law, objective):
    fit = problem(law, objective)
    theta = fit.starts[:1]
    here = fit.problem.expand(theta)
    wide = np.full_like(theta, 1e3)
    step, promised = _step(fit.problem, theta, here, 1e3 * here.diagonal, theta - wide, theta + wide)
    gain = here.cost - fit.problem.cost(theta + step)
    assert 0 < gain == pytest.approx(promised, rel=0.02)
