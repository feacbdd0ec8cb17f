"""Numbers of verdicts, each worked out on paper: margins, t quantiles, slopes, Holm's rule, domination, crossings."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import brentq

from analysis.data.metric import metric_named
from analysis.verdicts.ratio import _interval
from analysis.verdicts.replay import best_k, by_replay, replays
from analysis.verdicts.scaling import scaling, slope
from analysis.verdicts.strategy import compare, front, pairs, pareto, strategy_labels
from analysis.verdicts.synergy import MixingEffects, crossing
from analysis.verdicts.verdict import draws_of, judge
from analysis.verdicts.wording import with_interval
from tests.analysis.verdicts.arms import ACCURACY, SAMPLES, arms_of, rows
from tests.analysis.verdicts.by_hand import arms_with


@pytest.mark.parametrize(("margin", "finding"), [(0.0164, "undecided"), (0.0166, "equal"), (0.0195, "equal")])
def test_equal_is_what_two_one_sided_tests_at_5_percent_say(margin, finding):
    """An effect of 0 with a standard error of .01: the 90 % interval ends at .01645, the 95 % interval at .0196."""
    assert judge("", "", 0.0, 0.01**2, np.inf, margin, ACCURACY).finding == finding


def test_an_effect_counts_against_the_margin_on_either_side():
    for effect in (-0.01, 0.01):  # .01 + .01645 is .02645
        assert judge("", "", effect, 0.01**2, np.inf, 0.0264, ACCURACY).finding == "undecided"
        assert judge("", "", effect, 0.01**2, np.inf, 0.0265, ACCURACY).finding == "equal"


@pytest.mark.parametrize(
    ("effect", "small"), [(-0.027, True), (0.027, True), (0.029, False), (-0.029, False), (0.0, False)]
)
def test_an_effect_is_small_below_what_is_found_with_a_chance_of_80_percent(effect, small):
    """1.960 and .842 standard errors of .01 are .0280; an effect of 0 is equal to 0 within the margin of .02."""
    assert judge("", "", effect, 0.01**2, np.inf, 0.02, ACCURACY).small == small


@pytest.mark.parametrize(("margin", "power"), [(0.001, 0.0511), (0.0196, 0.500), (0.03, 0.851)])
def test_power_is_the_chance_of_a_clear_effect_of_either_sign(margin, power):
    """For a standard error of .01 and an effect of .001: normals beyond 1.86 and beyond 2.06, .0314 and .0197."""
    assert judge("", "", 0.0, 0.01**2, np.inf, margin, ACCURACY).power == pytest.approx(power, abs=5e-4)


@pytest.mark.parametrize(("dof", "critical"), [(2.0, 4.303), (4.0, 2.776), (np.inf, 1.960)])
@pytest.mark.parametrize("as_matrix", [False, True])
def test_draws_of_means_have_the_tails_of_their_degrees_of_freedom(dof, critical, as_matrix):
    variances = np.array([0.04, 9.0])
    draws = draws_of(np.array([1.0, -2.0]), np.diag(variances) if as_matrix else variances, dof, 40_000)
    away = np.abs(draws - [1.0, -2.0]) / np.sqrt(variances)
    assert (away > critical).mean(axis=0) == pytest.approx([0.05, 0.05], abs=0.005)
    assert np.median(draws, axis=0) == pytest.approx([1.0, -2.0], abs=0.05)


def test_draws_of_means_vary_together_as_their_covariance_says():
    covariance = np.array([[0.04, 0.03], [0.03, 0.09]])
    draws = draws_of(np.zeros(2), covariance, np.inf, 40_000)
    assert np.cov(draws.T) == pytest.approx(covariance, rel=0.05)


def test_a_loss_is_compared_by_its_ratio():
    """A merit that falls by ln 1.5 is a loss that is half as large again; one that rises by ln 2 is half of it."""
    loss = metric_named("loss")
    worse = judge("", "", -np.log(1.5), 0.0, np.inf, 0.02, loss)
    better = judge("", "", np.log(2.0), 0.0, np.inf, 0.02, loss)
    assert (with_interval(worse), with_interval(better)) == ("-50.0 (-50.0 to -50.0)", "+50.0 (+50.0 to +50.0)")


def test_the_margin_of_a_gain_per_doubling_is_half_that_of_a_difference():
    verdict = scaling(arms_of(rows(SAMPLES, [0.5] * 5, np.random.default_rng(0))), "", 0.02)
    assert verdict is not None and verdict.margin == 0.01


@pytest.mark.parametrize(
    ("mean", "variances", "expected"),
    [
        # Least squares: the slope is -(-1) * 0 + 0 * 1 + 1 * 0 over 2; its variance .01 / 2 times the dispersion: the
        # residuals -1/3, 2/3, -1/3 have a sum of squares of 2/3, which is 200/3 times .01.
        ([0.0, 1.0, 0.0], [0.01, 0.01, 0.01], (0.0, 0.005 * 200 / 3)),
        # Residuals of .002 are less than the errors of .1 allow: the variance stays .01 / 2.
        ([0.0, 0.1, 0.206], [0.01, 0.01, 0.01], (0.103, 0.005)),
        # Weights 1, 1 and 1/4: the mean of x is 2/3, its sum of squares 4/9 + 1/9 + 4/9 = 1, the slope 1/4 * 4/3.
        ([0.0, 0.0, 1.0], [1.0, 1.0, 4.0], (1 / 3, 1.0)),
    ],
)
def test_a_slope_and_its_variance(mean, variances, expected):
    found = slope(np.array([5.0, 6.0, 7.0]), np.array(mean), np.diag(variances))
    assert found == pytest.approx(expected, abs=1e-9)


def test_a_slope_without_known_noise_is_that_of_equal_weights():
    effect, variance = slope(np.array([0.0, 1.0, 3.0]), np.array([0.0, 1.0, 2.0]), np.full((3, 3), np.nan))
    assert effect == pytest.approx((4 / 3 * 1 + 1 / 3 * 0 + 5 / 3 * 1) / (16 / 9 + 1 / 9 + 25 / 9))
    assert np.isnan(variance)


@pytest.mark.parametrize(("last", "said"), [(0.531, "no step between two k is clear"), (0.54, "it moves one way")])
def test_the_steps_between_replays_are_judged_as_a_family(last, said):
    """Standard errors of .01, so .01414 of a difference: .031 has p .028, which Holm multiplies by 3; .04 has .0047."""
    (means,) = by_replay([arms_with([0.5, 0.5, last], 0.01, replay=[0.0, 0.25, 1.0])])
    verdict, first = replays(means, 0.001)
    assert (first.effect, first.about) == (pytest.approx(0, abs=1e-12), "math accuracy, replay 1/4 against 0")
    assert said in verdict.sentence


def test_the_best_replay_is_a_choice_between_draws_with_few_degrees_of_freedom():
    """Two k, the better one by two standard errors of the difference: the chance is that of t below 2."""
    for dof, chance in ((2.0, 0.908), (np.inf, 0.977)):
        (means,) = by_replay([arms_with([0.5, 0.5 + 0.02 * np.sqrt(2)], 0.01, dof=dof, replay=[0.0, 1.0])])
        best, found = best_k(means)
        assert best == 1.0
        assert found == pytest.approx(chance, abs=0.015)


def test_an_interval_of_shares_holds_95_percent_of_the_draws_and_the_estimate():
    draws = np.linspace(0, 1, 1001)[:, None]
    assert np.ravel(_interval(np.concatenate([[[0.5]], draws]))) == pytest.approx([0.5, 0.025, 0.975])
    assert np.ravel(_interval(np.concatenate([[[0.99]], draws]))) == pytest.approx([0.99, 0.025, 0.99])
    assert np.ravel(_interval(np.concatenate([[[0.01]], draws]))) == pytest.approx([0.01, 0.01, 0.975])


def test_weak_domination_is_domination():
    """As good in one ability and better in the other is enough; as good in both is not."""
    assert front(np.array([[[0.5, 0.5], [0.5, 0.6]]])).tolist() == [[False, True]]
    assert front(np.array([[[0.5, 0.5], [0.5, 0.5]]])).tolist() == [[True, True]]


def test_strategies_are_compared_at_the_most_data_of_the_ability():
    arms = arms_with(
        [0.1, 0.2, 0.3, 0.5], 0.01, strategy=["a", "b", "a", "b"], samples=[100.0, 100.0, 400.0, 400.0]
    )  # fmt: skip
    compared = compare([arms])
    assert compared is not None
    assert compared.mean.tolist() == [[0.3, 0.5]]
    assert compared.variance == pytest.approx(np.array([[1e-4, 1e-4]]))
    (verdict,) = pairs(compared, 0.02)
    assert verdict.effect == pytest.approx(0.2)
    assert pareto(compared).tolist() == [0.0, 1.0]


def test_a_strategy_with_several_replays_is_named_with_each():
    table = pd.DataFrame({"strategy": ["dmt", "dmt", "mine", "mine"], "replay": [0.0, 0.25, 0.5, 0.5]})
    assert strategy_labels(table).tolist() == ["dmt replay 0", "dmt replay 1/4", "mine", "mine"]
    assert strategy_labels(table[["strategy"]]).tolist() == table["strategy"].tolist()


def test_the_ends_of_a_crossing_are_open_where_the_noise_reaches_the_last_amount():
    """At 8 the difference is .02, which is 1.961 standard errors of .0102 and 1.942 of .0103."""
    logs, delta = np.array([0.0, 4.0, 8.0]), np.array([-0.05, 0.01, 0.02])
    for error, is_open in ((0.0102, False), (0.0103, True)):
        effects = MixingEffects("mixed", logs, delta, np.diag(np.full(3, error**2)), np.inf, ())
        assert np.isinf(crossing(effects)[2]) == is_open
        assert np.isinf(crossing(replace(effects, delta=delta[::-1]))[1]) == is_open


def test_a_crossing_of_unknown_noise_has_open_ends():
    logs, delta = np.array([0.0, 4.0, 8.0]), np.array([-0.01, 0.01, 0.03])
    unknown = np.full((3, 3), np.nan)
    for covariance, dof in ((unknown, 4.0), (np.eye(3), 0.0)):
        found = crossing(MixingEffects("mixed", logs, delta, covariance, dof, ()))
        assert found == pytest.approx((2.0, -np.inf, np.inf))


@pytest.mark.parametrize("sign", [1.0, -1.0])
def test_a_crossing_off_the_middle_with_its_interval(sign):
    """A straight line through 0 at 7.5, measured at 6, 8, ... 14 with a standard error of .003 each.

    Between two amounts the joined line has the variance of the weighted mean of their values; the interval ends where
    it lies 1.96 standard errors from 0.
    """
    logs = np.arange(6.0, 15.0, 2.0)
    effects = MixingEffects("mixed", logs, sign * 0.02 * (logs - 7.5), np.diag(np.full(5, 0.003**2)), np.inf, ())

    def left(x):
        part = (x % 2) / 2
        return 0.02 * abs(x - 7.5) - 1.95996 * 0.003 * np.hypot(1 - part, part)

    at, low, high = crossing(effects)
    assert at == pytest.approx(7.5)
    assert (low, high) == pytest.approx(
        (brentq(left, 6.5, 7.5), brentq(left, 7.5, 7.99)), abs=0.02
    )  # looked for in steps of .02
