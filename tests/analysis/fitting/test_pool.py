"""Pooled fits: closer to the truth than separate fits where series are alike, and as close where they are not."""

import numpy as np
import pytest

from analysis import Points, fit
from analysis.fitting.pool import fit_pooled
from tests.analysis.laws.simulated import bounded


def ladder(rng, exponents, amounts=7, noise=0.01):
    """Series of the bounded law with these exponents and slightly different floors, and their true parameters."""
    x = np.geomspace(100, 1e6, amounts)
    series, truth = {}, {}
    for i, b in enumerate(exponents):
        params = (1.0 + 0.1 * i, 4.0, 2e4, b)
        series[f"m{i}"] = Points({"samples": x}, bounded(x, params) * np.exp(rng.normal(0, noise, len(x))))
        truth[f"m{i}"] = params
    return series, truth


def test_series_that_are_alike_share_their_exponent():
    separate, pooled = [], []
    for seed in range(5):
        series, truth = ladder(np.random.default_rng(seed), [0.6] * 6)
        together = fit_pooled(series, "bounded")
        for label, points in series.items():
            separate.append(fit(points, "bounded").params["b"] - truth[label][3])
            pooled.append(together.curves[label].params["b"] - truth[label][3])
    assert np.sqrt(np.mean(np.square(pooled))) < 0.6 * np.sqrt(np.mean(np.square(separate)))


def test_series_that_differ_keep_their_exponents():
    exponents = [0.3, 0.5, 0.7, 0.9, 1.1]
    series, _ = ladder(np.random.default_rng(1), exponents, amounts=14, noise=0.002)
    together = fit_pooled(series, "bounded")
    assert together.shared["b"].deviation == pytest.approx(np.std(exponents, ddof=1), rel=0.3)
    for label, b in zip(series, exponents, strict=True):
        assert together.curves[label].params["b"] == pytest.approx(b, abs=0.05)


def test_a_series_too_short_for_a_fit_of_its_own_takes_part():
    series, _ = ladder(np.random.default_rng(2), [0.6] * 4)
    x = np.geomspace(100, 1e6, 5)
    short = bounded(x, (1.2, 4.0, 2e4, 0.6)) * np.exp(np.random.default_rng(3).normal(0, 0.005, 5))
    points = Points({"samples": x}, short)
    with pytest.raises(ValueError, match="needs at least 6 distinct amounts"):
        fit(points, "bounded")
    together = fit_pooled({**series, "short": points}, "bounded")
    low, high = together.curves["short"].interval("b")
    assert low < 0.6 < high
    assert together.curves["short"].params["b"] == pytest.approx(0.6, abs=0.15)


def test_what_cannot_be_pooled_is_refused():
    series, _ = ladder(np.random.default_rng(0), [0.6])
    with pytest.raises(ValueError, match="cannot share 'A'; it can share E, b"):
        fit_pooled(series, "power_floor", shared=("A",))
    with pytest.raises(ValueError, match="pooling needs at least 2"):
        fit_pooled(series, "bounded")


def test_longer_series_of_others_improve_extrapolation():
    separate, pooled = [], []
    for seed in range(4):
        series, truth = ladder(np.random.default_rng(seed), [0.55, 0.6, 0.65, 0.6, 0.57, 0.63], amounts=8)
        far = series["m2"].x["samples"][-2:]
        expected = bounded(far, truth["m2"])
        series["m2"] = series["m2"].take(np.arange(6))
        for curve, errors in ((fit(series["m2"], "bounded"), separate), (fit_pooled(series).curves["m2"], pooled)):
            errors.append(np.log(curve.predict({"samples": far}).value / expected))
    assert np.sqrt(np.mean(np.square(pooled))) < 0.6 * np.sqrt(np.mean(np.square(separate)))
