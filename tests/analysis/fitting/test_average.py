"""Averages of laws: weights from errors beyond the fitted amounts, intervals that cover the disagreement of laws."""

import numpy as np
import pytest

from analysis import Points, fit, fit_average
from analysis.fitting.average import aicc
from tests.analysis.laws.simulated import AMOUNTS, bounded

FIVE = np.array([32.0, 128, 512, 2048, 8192])


def test_the_law_that_made_the_points_gets_the_weight():
    x = np.repeat(AMOUNTS, 3)
    y = (1.0 + 50 * x**-0.5) * np.exp(np.random.default_rng(2).normal(0, 0.003, len(x)))
    mean = fit_average(Points({"samples": x}, y), ("power", "power_floor", "log_linear"))
    weight = dict(zip([c.law.name for c in mean.curves], mean.weights, strict=True))
    assert mean.weights.sum() == pytest.approx(1.0)
    assert weight["power_floor"] > 0.9
    band = mean.predict({"samples": [1e7]})
    assert band.low[0] < 1.0 + 50 * 1e7**-0.5 < band.high[0]


def test_laws_that_need_more_amounts_are_left_out_with_a_warning():
    mean = fit_average(Points({"samples": FIVE}, 1 + 30 * FIVE**-0.5), ("power_floor", "bounded", "m4"))
    assert [c.law.name for c in mean.curves] == ["power_floor"]
    assert {"law_refused:bounded", "law_refused:m4"} <= set(mean.warnings)
    with pytest.raises(ValueError, match="no law can be fitted: law 'm4' needs at least 7"):
        fit_average(Points({"samples": FIVE}, FIVE), ("m4",))


def test_the_interval_widens_where_laws_disagree():
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
    assert np.isfinite(mean.predict({"samples": [1e9]}).value).all()  # the line is below 0 there and has no weight
    assert min(np.log(band.high[0] / band.low[0]) for band in bands) < widest < own + 4 * spread


def test_weights_and_width_of_an_average_by_hand():
    """At each amount a law weighs 1 / (its error + its own variance); the width joins own intervals and distances."""
    y = (1.0 + 10 * AMOUNTS**-0.3) * np.exp(np.random.default_rng(4).normal(0, 0.01, len(AMOUNTS)))
    mean = fit_average(Points({"samples": AMOUNTS}, y), ("power", "log_linear"))
    for at in (2e3, 3e4):
        near, wide = ([c.predict({"samples": [at]}, level) for c in mean.curves] for level in (0.6827, 0.95))
        place = np.array([np.log(p.value[0]) for p in wide])
        error, half = (np.array([np.log(p.high[0] / p.value[0]) for p in bands]) for bands in (near, wide))
        weight = 1 / (mean.errors + error**2)
        weight /= weight.sum()
        centre = weight @ place
        width = np.sqrt(weight @ (half**2 + (1.95996 * (place - centre)) ** 2))
        band = mean.predict({"samples": [at]})
        assert abs(place[0] - place[1]) > 0.1 * half.min()
        found = [np.log(v[0]) for v in (band.value, band.low, band.high)]
        assert found == pytest.approx([centre, centre - width, centre + width], rel=1e-4)


def test_rolling_origin_errors_are_those_beyond_each_origin():
    rng = np.random.default_rng(6)
    y = (1.0 + 50 * AMOUNTS**-0.5) * np.exp(rng.normal(0, 0.01, len(AMOUNTS)))
    mean = fit_average(Points({"samples": AMOUNTS}, y), ("power", "power_floor"))
    assert mean.rolling_origin is not None
    assert mean.rolling_origin.origins == pytest.approx(AMOUNTS[3:7])
    for law, row in zip(mean.rolling_origin.laws, mean.rolling_origin.square_errors, strict=True):
        for origin, square in zip((4, 5, 6, 7), row, strict=True):
            near = fit(Points({"samples": AMOUNTS[:origin]}, y[:origin]), law)
            gap = np.log(near.predict({"samples": AMOUNTS[origin:]}).value / y[origin:])
            assert square == pytest.approx(np.mean(gap**2), rel=0.1)
    assert mean.weights == pytest.approx((1 / mean.errors) / (1 / mean.errors).sum())


def test_without_amounts_to_hold_out_weights_are_those_of_aicc():
    y = (1.0 + 10 * FIVE[:4] ** -0.3) * np.exp(np.random.default_rng(4).normal(0, 0.01, 4))
    x = np.tile(FIVE[:4], 3)
    mean = fit_average(Points({"samples": x}, np.tile(y, 3)), ("power_floor", "log_linear"))
    assert mean.rolling_origin is None
    score = np.array([aicc(curve) for curve in mean.curves])
    expected = np.exp(-0.5 * (score - score.min()))
    assert mean.weights == pytest.approx(expected / expected.sum(), rel=1e-6)
    assert mean.aicc_weights() == pytest.approx(expected / expected.sum(), rel=1e-6)


def test_aicc_by_hand():
    y = np.exp([0.0, 0.1, -0.1, 0.0, 0.1, -0.1])
    curve = fit(Points({"samples": np.arange(1.0, 7.0)}, y), "power")
    k = 3  # two parameters and the variance
    assert aicc(curve) == pytest.approx(6 * np.log(curve.objective / 6) + 2 * k + 2 * k * (k + 1) / (6 - k - 1))


def test_a_law_with_a_wide_interval_at_an_amount_has_little_weight_there():
    rng = np.random.default_rng(2)
    x = np.geomspace(100, 1e5, 9)
    points = Points({"samples": x}, bounded(x, (1.0, 4.0, 2e5, 0.6)) * np.exp(rng.normal(0, 0.01, 9)))
    mean = fit_average(points, ("power", "m4"))
    narrow, wide = (curve.predict({"samples": [1e8]}) for curve in mean.curves)
    assert np.log(wide.high / wide.low) > 5 * np.log(narrow.high / narrow.low)
    far = mean.predict({"samples": [1e8]}).value
    by_weights = np.exp(mean.weights[0] * np.log(narrow.value) + mean.weights[1] * np.log(wide.value))
    assert abs(np.log(far / narrow.value)) < abs(np.log(by_weights / narrow.value))
