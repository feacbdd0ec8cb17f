"""Intervals hold what they promise: simulated truths lie inside as often as the level says."""

import numpy as np
import pytest

from analysis import LAWS, Points, fit, fit_average

AMOUNTS = np.geomspace(100, 1e6, 8)
FIVE = np.array([32.0, 128, 512, 2048, 8192])
SCORE = (0.0, 0.9, 0.6, float(np.log(900)))


def losses(rng, seeds=3, noise=0.01):
    x = np.repeat(AMOUNTS, seeds)
    return Points({"samples": x}, LAWS["bounded"].value(x, 1.0, 4.0, 2e4, 0.6) * np.exp(rng.normal(0, noise, len(x))))


def scores(rng, seeds, items, dispersion):
    """Shares of ``items`` with ``dispersion`` times the binomial variance, from runs that differ."""
    x = np.repeat(FIVE, seeds)
    truth = LAWS["sigmoid"].value(x, *SCORE)
    if dispersion > 1:
        size = (items - dispersion) / (dispersion - 1)
        truth = rng.beta(truth * size, (1 - truth) * size)
    return Points({"samples": x}, rng.binomial(items, truth) / items, trials=np.full(len(x), items))


def covered(draw, law, objective, truth, at, runs=300, kind="mean"):
    """The share of simulated fits whose 95 % interval holds the truth, over the amounts ``at``."""
    rng = np.random.default_rng(11)
    inside = []
    for _ in range(runs):
        band = fit(draw(rng), law, objective).predict({"samples": at}, kind=kind)
        target = truth(rng)
        inside.append((band.low <= target) & (target <= band.high))
    return float(np.mean(inside))


def test_loss_curves_cover_the_truth_at_the_nominal_rate():
    at = np.geomspace(100, 1e6, 5)
    truth = LAWS["bounded"].value(at, 1.0, 4.0, 2e4, 0.6)
    assert 0.92 <= covered(losses, "bounded", "log", lambda rng: truth, at) <= 0.98


@pytest.mark.parametrize(("seeds", "dispersion"), [(3, 1.0), (3, 3.0)])
def test_score_curves_cover_the_truth_at_the_nominal_rate(seeds, dispersion):
    truth = LAWS["sigmoid"].value(FIVE, *SCORE)
    rate = covered(
        lambda rng: scores(rng, seeds, 300, dispersion), "sigmoid", "quasibinomial", lambda rng: truth, FIVE, runs=200
    )
    assert 0.92 <= rate <= 0.98


def test_new_runs_fall_inside_their_wider_interval():
    at = np.geomspace(100, 1e6, 5)
    truth = LAWS["bounded"].value(at, 1.0, 4.0, 2e4, 0.6)

    def run(rng):
        return truth * np.exp(rng.normal(0, 0.01, len(at)))

    assert 0.92 <= covered(losses, "bounded", "log", run, at, kind="new_run") <= 0.98


def test_profile_intervals_of_floors_cover_the_truth():
    rng = np.random.default_rng(5)
    inside = []
    for _ in range(80):
        low, high = fit(losses(rng, noise=0.005), "bounded").interval("E")
        inside.append(low <= 1.0 <= high)
    assert np.mean(inside) >= 0.89  # three standard errors below 0.95 for 80 fits would be 0.88


def test_kinds_nest():
    rng = np.random.default_rng(0)
    curve = fit(scores(rng, 3, 300, 4.0), "sigmoid", "quasibinomial")
    widths = []
    for kind in ("mean", "new_run", "new_run_new_items"):
        band = curve.predict({"samples": FIVE}, kind=kind)
        assert ((band.low < band.value) & (band.value < band.high)).all()
        assert ((band.low > 0) & (band.high < 1)).all()
        widths.append(band.high - band.low)
    assert (widths[0] < widths[1]).all()
    assert (widths[1] < widths[2]).all()


def test_score_bands_are_never_narrower_than_the_items_allow():
    exact = LAWS["sigmoid"].value(FIVE, *SCORE)
    band = fit(Points({"samples": FIVE}, exact, trials=np.full(5, 100.0)), "sigmoid", "quasibinomial").predict(
        {"samples": FIVE}
    )
    # No residual at all; five amounts of 100 items still leave about 3 points of standard error.
    assert ((band.high - band.low)[1:4] > 0.08).all()


def test_levels_nest():
    curve = fit(losses(np.random.default_rng(0)), "bounded")
    half, most = curve.interval("b", 0.5), curve.interval("b", 0.99)
    assert most[0] < half[0] < curve.params["b"] < half[1] < most[1]


def test_bootstrap_agrees_with_the_interval_and_is_reproducible():
    curve = fit(losses(np.random.default_rng(3)), "bounded")
    draws = curve.bootstrap(draws=400, seed=1)
    assert (draws.params["b"] == curve.bootstrap(draws=400, seed=1).params["b"]).all()
    low, high = curve.interval("b")
    assert 0.5 < draws.params["b"].std() / ((high - low) / 4) < 1.5
    assert draws.values({"samples": [1e4]}).shape == (400, 1)


def test_bootstrap_of_one_group_does_not_vary():
    points = losses(np.random.default_rng(3))
    one = Points(points.x, points.value, group=np.zeros(len(points)))
    draws = fit(one, "bounded").bootstrap(draws=5)
    assert draws.params["b"].std() == pytest.approx(0.0, abs=1e-6)


def test_average_prefers_the_law_that_made_the_points():
    x = np.repeat(AMOUNTS, 3)
    y = (1.0 + 50 * x**-0.5) * np.exp(np.random.default_rng(2).normal(0, 0.003, len(x)))
    mean = fit_average(Points({"samples": x}, y), ("power", "power_floor", "log_linear"))
    weight = dict(zip([c.law.name for c in mean.curves], mean.weights, strict=True))
    assert mean.weights.sum() == pytest.approx(1.0)
    assert weight["power_floor"] > 0.9
    band = mean.predict({"samples": [1e7]})
    assert band.low[0] < 1.0 + 50 * 1e7**-0.5 < band.high[0]


def test_average_refuses_forms_that_need_more_amounts_and_says_so():
    mean = fit_average(Points({"samples": FIVE}, 1 + 30 * FIVE**-0.5), ("power_floor", "bounded", "m4"))
    assert [c.law.name for c in mean.curves] == ["power_floor"]
    assert {"law_refused:bounded", "law_refused:m4"} <= set(mean.warnings)
    with pytest.raises(ValueError, match="no law can be fitted: law 'm4' needs at least 7"):
        fit_average(Points({"samples": FIVE}, FIVE), ("m4",))


def test_average_widens_where_laws_disagree():
    rng = np.random.default_rng(4)
    x = np.repeat(FIVE, 3)
    points = Points({"samples": x}, (1.0 + 10 * x**-0.3) * np.exp(rng.normal(0, 0.01, len(x))))
    mean = fit_average(points, ("power", "log_linear"))
    far = {"samples": [30000.0]}
    bands = [curve.predict(far) for curve in mean.curves]
    spread = abs(np.log(bands[0].value[0] / bands[1].value[0]))
    own = max(np.log(band.high[0] / band.low[0]) for band in bands)
    widest = np.log(mean.predict(far).high[0] / mean.predict(far).low[0])
    assert spread > 0.1
    assert np.isfinite(mean.predict({"samples": [1e9]}).value).all()  # the line is below 0 there and has no say
    assert min(np.log(band.high[0] / band.low[0]) for band in bands) < widest < own + 4 * spread
