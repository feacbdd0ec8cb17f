"""A fit reaches the minimum of its objective, and warns about parameters that the points do not determine."""

import numpy as np
import pytest
from scipy.optimize import least_squares

from analysis import LAWS, Points, fit
from analysis.fitting.uncertainty import quantile
from tests.analysis.laws.simulated import TRUE

X = np.repeat(np.geomspace(200, 1.6e6, 10), 2)
RNG = np.random.default_rng(7)
LOSS = (1.0 + 3.0 / (1 + (X / 5e4) ** 0.6)) * np.exp(RNG.normal(0, 0.01, len(X)))
POINTS = Points({"samples": X}, LOSS)


def sizes_and_data(count=12):
    """Model sizes, data and losses of the additive law on a grid, with heavy-tailed noise."""
    rng = np.random.default_rng(1)
    n, d = np.meshgrid(np.geomspace(1e6, 1e10, count), np.geomspace(1e8, 1e12, count))
    n, d = n.ravel(), d.ravel()
    y = LAWS["additive"].value(n, d, *TRUE["additive"]) * np.exp(0.01 * rng.standard_t(3, len(n)))
    return n, d, y


def test_objective_is_the_sum_of_huber_terms():
    n, d, y = sizes_and_data()
    curve = fit(Points({"params": n, "tokens": d}, y), "additive", "huber_log", delta=1e-3)
    p = curve.params
    total = 0.0
    for size, data, loss in zip(n, d, y, strict=True):
        r = abs(np.log(p["E"] + p["A"] * size ** -p["a"] + p["B"] * data ** -p["b"]) - np.log(loss))
        total += r * r / 2 if r <= 1e-3 else 1e-3 * (r - 0.5e-3)
    assert curve.objective == pytest.approx(total, rel=1e-9)


def test_the_other_objectives_are_sums_over_points():
    fitted = fit(POINTS, "bounded", "log")
    r = np.log(fitted.predict({"samples": X}).value) - np.log(LOSS)
    assert fitted.objective == pytest.approx((r**2).sum(), rel=1e-9)
    raw = fit(POINTS, "bounded", "least_squares")
    assert raw.objective == pytest.approx(((raw.predict({"samples": X}).value - LOSS) ** 2).sum(), rel=1e-9)
    share, items = np.clip(LOSS / 5, 0, 1), np.full(len(X), 80.0)
    counts = fit(Points({"samples": X}, share, trials=items), "log_linear", "quasibinomial")
    p = counts.predict({"samples": X}).value
    terms = share * np.log(share / p) + (1 - share) * np.log((1 - share) / (1 - p))
    assert counts.objective == pytest.approx((2 * items * terms).sum(), rel=1e-9)


def test_no_independent_search_finds_a_better_optimum():
    curve = fit(POINTS, "bounded", "log")

    def residuals(theta):
        E, L0, D0, b = theta[0], np.exp(theta[1]), np.exp(theta[2]), theta[3]
        return np.log(LAWS["bounded"].value(X, E, L0, D0, b)) - np.log(LOSS)

    low, high = [0, np.log(LOSS.min()), 0, 1e-4], [LOSS.max(), np.log(100), 30, 5]
    starts = np.random.default_rng(0).uniform([0.1, 0.5, 6, 0.2], [1.2, 2, 14, 2], (20, 4))
    best = min(2 * least_squares(residuals, s, bounds=(low, high), xtol=1e-14, ftol=1e-14).cost for s in starts)
    assert curve.objective <= best * (1 + 1e-9)


def test_huber_reaches_the_optimum_of_a_robust_trust_region():
    n, d, y = sizes_and_data(8)
    curve = fit(Points({"params": n, "tokens": d}, y), "additive", "huber_log", delta=1e-3)

    def residuals(theta):
        logs = [
            np.full(len(n), theta[0]),
            theta[1] - theta[2] * np.log(n / 1e8),
            theta[3] - theta[4] * np.log(d / 1e10),
        ]
        return np.logaddexp.reduce(logs) - np.log(y)

    start = [np.log(1.7), 0.0, 0.34, 0.0, 0.28]
    best = least_squares(
        residuals, start, loss="huber", f_scale=1e-3, xtol=1e-15, ftol=1e-15, gtol=1e-15, max_nfev=2000
    )
    assert curve.objective <= best.cost * (1 + 1e-6)


def test_weights_act_like_repeated_points():
    weight = np.where(np.arange(len(X)) % 3 == 0, 2.0, 1.0)
    again = np.repeat(np.arange(len(X)), weight.astype(int))
    weighted = fit(Points({"samples": X}, LOSS, weight=weight), "bounded")
    repeated = fit(Points({"samples": X[again]}, LOSS[again]), "bounded")
    assert weighted.objective == pytest.approx(repeated.objective, rel=1e-9)
    assert weighted.params == pytest.approx(repeated.params, rel=1e-5)


def test_fixed_parameters_keep_their_values():
    curve = fit(
        Points({"samples": X}, 0.25 + 0.7 / (1 + (X / 1e4) ** -0.9)), "sigmoid", "least_squares", fixed={"g": 0.25}
    )
    assert curve.params["g"] == 0.25
    assert curve.params["s"] == pytest.approx(0.9, rel=1e-3)


def test_units_of_the_amount_only_rescale_the_parameters():
    curve = fit(POINTS, "bounded")
    thousands = fit(Points({"samples": X / 1000}, LOSS), "bounded")
    assert thousands.params["D0"] == pytest.approx(curve.params["D0"] / 1000, rel=1e-4)
    assert thousands.objective == pytest.approx(curve.objective, rel=1e-9)


def test_a_power_law_shows_no_floor():
    y = 30 * X**-0.3 * np.exp(RNG.normal(0, 0.01, len(X)))
    curve = fit(Points({"samples": X}, y), "power_floor")
    assert "floor_not_identified" in curve.warnings
    assert curve.interval("E")[0] == 0.0


def test_a_clear_floor_has_no_warning():
    y = (1.5 + 300 * X**-0.6) * np.exp(RNG.normal(0, 0.005, len(X)))
    curve = fit(Points({"samples": X}, y), "power_floor")
    assert curve.warnings == ()
    low, high = curve.interval("E")
    assert low < 1.5 < high
    assert high - low < 0.1


def test_an_amount_far_below_those_seen_is_not_identified():
    y = (1.0 + 30 * X**-0.4) * np.exp(RNG.normal(0, 0.01, len(X)))
    curve = fit(Points({"samples": X}, y), "shifted_power")
    assert "not_identified:D0" in curve.warnings or "bound:D0" in curve.warnings


def test_the_same_seed_gives_the_same_fit():
    assert fit(POINTS, "m4", seed=3).params == fit(POINTS, "m4", seed=3).params


def test_predictions_refuse_unknown_names_and_amounts_outside_the_law():
    curve = fit(POINTS, "bounded")
    with pytest.raises(ValueError, match="samples is absent"):
        curve.predict({"tokens": [1.0]})
    with pytest.raises(ValueError, match="above 0"):
        curve.predict({"samples": [0.0]})
    with pytest.raises(ValueError, match="kind='median' is unknown"):
        curve.predict({"samples": [1.0]}, kind="median")
    with pytest.raises(ValueError, match="level=95"):
        curve.predict({"samples": [1.0]}, level=95)
    with pytest.raises(ValueError, match="no free parameter 'z'"):
        curve.interval("z")


def test_a_profile_reaches_its_quantile_at_the_ends_of_the_interval():
    curve = fit(POINTS, "bounded")
    at, root = curve.profile("b")
    low, high = curve.interval("b")
    assert (np.diff(at) > 0).all()
    assert root.min() < 0.1
    ends = [np.interp(end, at, root) for end in (low, high)]
    assert ends == pytest.approx([quantile(0.95, curve.error.dof)] * 2, rel=0.03)
    with pytest.raises(ValueError, match="no free parameter 'z'"):
        curve.profile("z")
