"""Curves of series: what covers the truth, and values that no law follows."""

import numpy as np
import pandas as pd
import pytest

from analysis import Points, fit
from analysis.data.study import Study
from analysis.fitting.series_fits import fit_series

AMOUNTS = 14 * 4.0 ** np.arange(5)
DOUBLINGS = np.log2(AMOUNTS / AMOUNTS[0])


def smooth(rng):
    middle, slope, top = rng.uniform(2, 7), rng.uniform(0.4, 1.0), rng.uniform(0.6, 1.0)
    return top / (1 + np.exp(-slope * (DOUBLINGS - middle)))


def kinked(rng):
    """A straight rise up to some amount, then flat."""
    rise = rng.uniform(0.03, 0.1) * np.minimum(DOUBLINGS, rng.uniform(2, 6))
    return np.clip(rng.uniform(0.05, 0.3) + rise, 0.02, 0.98)


def jumping(rng):
    """A slow rise with a jump of 30 to 60 points between two amounts."""
    jump = rng.uniform(0.3, 0.6) * (rng.uniform(1, 6) < DOUBLINGS)
    return np.clip(rng.uniform(0.05, 0.3) + 0.02 * DOUBLINGS + jump, 0.01, 0.99)


def series(values, items, seeds=1):
    """The fit of one series of accuracies (seeds, amounts)."""
    rows = pd.DataFrame({
        "ability": "math", "task": "t", "metric": "accuracy", "value": np.ravel(values), "n_items": items,
        "samples": np.tile(AMOUNTS, seeds), "seed": np.repeat(np.arange(seeds), len(AMOUNTS)).astype(str),
    })  # fmt: skip
    (measure,) = Study(rows).measures
    (result,) = fit_series(measure)
    return result


@pytest.mark.parametrize("truth", [smooth, kinked, jumping])
@pytest.mark.parametrize("seeds", [1, 3])
def test_what_is_shown_at_an_amount_covers_the_truth_and_is_not_much_wider_than_a_measurement(truth, seeds):
    rng = np.random.default_rng(0)
    inside, widths = [], []
    for _ in range(40):
        chance = truth(rng)
        shown = series(rng.binomial(256, np.tile(chance, (seeds, 1))) / 256, 256, seeds)
        measured = np.array([(level.low, level.high) for level in shown.levels]).T
        low, high = measured if shown.at_levels is None else (shown.at_levels.low, shown.at_levels.high)
        inside += list((low <= chance) & (chance <= high))
        widths += list((high - low) / (measured[1] - measured[0]))
    assert np.mean(inside) >= 0.90
    assert np.median(widths) <= 1.5


def test_values_that_no_law_follows_have_no_curve():
    jump = series([[0.45, 0.53, 0.988, 0.996, 1.0]], 256)  # as the embedded world's instructions were once measured
    assert jump.curve is None
    assert "no law follows these values" in jump.reason
    assert "times as far from the nearest one as their noise explains" in jump.reason


def test_laws_are_seldom_rejected_where_one_of_them_is_true():
    rng = np.random.default_rng(1)
    rejected = [series([rng.binomial(1319, smooth(rng)) / 1319], 1319).curve is None for _ in range(60)]
    assert sum(rejected) <= 3  # of 60; less than one expected


def test_a_score_of_every_item_does_not_outweigh_the_other_amounts():
    # One item more or less at the top changes the curve where it was measured by less than a point.
    values = np.array([0.1, 0.35, 0.72, 0.94, 255 / 256])
    almost, full = series([values], 256), series([[*values[:4], 1.0]], 256)
    assert almost.at_levels is not None and full.at_levels is not None
    assert np.abs(almost.at_levels.value - full.at_levels.value).max() < 0.01
    assert full.at_levels.low[-1] > 0.9


def test_the_prior_on_a_ceiling_stands_in_for_an_amount_of_counts_alone():
    points = Points({"samples": AMOUNTS[:3]}, np.array([0.2, 0.4, 0.6]), trials=np.full(3, 100.0))
    assert fit(points, "sigmoid", "quasibinomial").error.dof == 1
    with pytest.raises(ValueError, match="'sigmoid' needs at least 4 distinct amounts"):
        fit(points, "sigmoid", "least_squares")


def losses(values, stderr=np.nan, seeds=1):
    """The fit of one series of losses (seeds, amounts)."""
    rows = pd.DataFrame({
        "ability": "math", "task": "t", "metric": "loss", "value": np.ravel(values), "stderr": stderr,
        "samples": np.tile(AMOUNTS, seeds), "seed": np.repeat(np.arange(seeds), len(AMOUNTS)).astype(str),
    })  # fmt: skip
    (measure,) = Study(rows).measures
    (result,) = fit_series(measure)
    return result


def test_a_loss_known_poorly_bends_the_curve_little():
    truth = 0.5 + AMOUNTS**-0.5
    wrong = np.array([*truth[:4], 1.3 * truth[4]])
    error = np.array([*0.005 * truth[:4], 0.3 * truth[4]])
    away = {name: np.abs(np.log(losses(wrong, stderr).at_levels.value / truth)).max() for name, stderr in
            (("equal weights", np.nan), ("by their errors", error))}  # fmt: skip
    assert away["by their errors"] < 0.04
    assert away["equal weights"] > 0.08


def test_loss_curves_cover_the_truth():
    rng = np.random.default_rng(2)
    inside = []
    for _ in range(60):
        truth = rng.uniform(0.3, 1) + rng.uniform(0.5, 2) * (AMOUNTS / 14) ** -rng.uniform(0.3, 0.9)
        error = np.array([0.01, 0.02, 0.01, 0.03, 0.01]) * truth
        shown = losses(truth + error * rng.normal(size=5) + 0.02 * truth * rng.normal(size=5), error)
        assert shown.at_levels is not None
        inside += list((shown.at_levels.low <= truth) & (truth <= shown.at_levels.high))
    assert np.mean(inside) >= 0.92


def test_losses_that_no_law_follows_have_no_curve_and_say_why():
    values = np.array([0.613, 0.218, 0.024, 0.017, 1.6e-6])
    assert "no law follows these values" in losses(values, 0.05 * values).reason
    assert losses(values).curve is not None  # without known errors the residuals are all there is
    assert "does not fall with more data" in losses([0.5, 0.6, 0.7, 0.7, 0.8]).reason
    assert "a loss of 0 has no logarithm" in losses([0.5, 0.4, 0.3, 0.2, 0.0]).reason


def test_a_curve_of_shares_without_items_stays_within_their_range():
    rows = pd.DataFrame({"ability": "math", "task": "t", "metric": "accuracy", "value": [0.02, 0.5, 0.98]})
    (measure,) = Study(rows.assign(samples=[100, 400, 1600])).measures
    (result,) = fit_series(measure)
    assert result.at_levels is not None
    assert (result.at_levels.low[0], result.at_levels.high[-1]) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("metric", "values", "least"), [("accuracy", [0.4, 0.5, 0.6], 0.02), ("loss", [4.0, 2.0, 1.0], 0.03)]
)
def test_values_of_unknown_noise_that_lie_on_a_law_are_not_exact(metric, values, least):
    rows = pd.DataFrame({"ability": "math", "task": "t", "metric": metric, "value": values})
    (measure,) = Study(rows.assign(samples=[64, 256, 1024])).measures
    (result,) = fit_series(measure)
    assert result.at_levels is not None
    half = (result.at_levels.high - result.at_levels.low) / 2
    assert (half > least).all()
    assert (half < 4 * least * np.array(values) / min(values)).all()
