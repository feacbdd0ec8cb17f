"""What a metric is: by its name, by what the table declares, and what follows for its values."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.data.metric import Metric, metric_named, metrics_of, primary
from analysis.data.table import check

ACCURACY, ERRORS, SCORE, LOSS = map(metric_named, ("accuracy", "error_rate", "score", "loss"))
BLEU = Metric("bleu", "other", low=10.0, high=30.0)
DROPS = Metric("drops", "other", "lower", low=0.0, high=5.0)
ALL = (ACCURACY, ERRORS, SCORE, LOSS, BLEU, DROPS)


def table(metric, values, **columns):
    return pd.DataFrame({"ability": "math", "task": "t", "metric": metric, "value": values, **columns})


@pytest.mark.parametrize(
    ("name", "kind", "better", "unit"),
    [
        ("accuracy", "share", "higher", "%"),
        ("accuracy_clean", "share", "higher", "%"),
        ("pass@10", "share", "higher", "%"),
        ("exact_match", "share", "higher", "%"),
        ("format_rate", "share", "higher", "%"),
        ("error_rate", "share", "lower", "%"),
        ("Top1_Error_Rate", "share", "lower", "%"),
        ("truncated_rate", "share", "lower", "%"),
        ("loss_rate", "share", "lower", "%"),
        ("score", "rating", "higher", "1 to 10"),
        ("turn_2", "rating", "higher", "1 to 10"),
        ("loss", "loss", "lower", "nats a token"),
        ("bits_per_byte", "loss", "lower", "bits a byte"),
        ("word_perplexity", "loss", "lower", ""),
        ("bleu", "other", "higher", ""),
    ],
)
def test_names_say_what_a_metric_is(name, kind, better, unit):
    metric = metric_named(name)
    assert (metric.name, metric.kind, metric.better, metric.shown_unit) == (name, kind, better, unit)
    assert bool(metric.assumed) == (kind == "other")


@given(metric=st.sampled_from(ALL), where=st.floats(0.01, 0.99))
def test_merits_give_values_back_and_rise_where_values_get_better(metric, where):
    low, high = metric.low, metric.high
    value = np.array([low + where * (high - low)])
    assert metric.value(metric.merit(value)) == pytest.approx(value)
    better = value + (0.001 if metric.better == "higher" else -0.001)
    assert metric.merit(better) > metric.merit(value)
    if metric.bounded:
        assert 0 < metric.merit(value) < 1
    ends = metric.values((metric.merit(value), metric.merit(value) - 0.001, metric.merit(value) + 0.001))
    assert ends[1] < ends[0] < ends[2]


def test_differences_are_shown_in_the_metrics_own_unit():
    assert (ACCURACY.effect(0.031), ACCURACY.effect_unit) == ("+3.1", "points")
    assert (ERRORS.effect(0.031), ERRORS.effect_unit) == ("+3.1", "points (positive: error_rate is lower)")
    assert (SCORE.effect(0.1), SCORE.effect_unit) == ("+0.90", "points of the scale from 1 to 10")
    # A merit is minus the logarithm: from 2.5 to 0.2, a loss falls by 92 %; from 2 to 3, it rises by 50 %.
    assert (LOSS.effect(np.log(2.5 / 0.2)), LOSS.effect_unit) == ("+92.0", "% (positive: loss is lower)")
    assert LOSS.effect(np.log(2 / 3)) == "-50.0"
    assert [LOSS.effect(-np.log(factor)) for factor in (1.99, 2, 3.54, 290.4, 20241)] == [
        "-99.0", "×2", "×3.54", "×290", "×20,241"
    ]  # fmt: skip
    assert (BLEU.effect(2.5), BLEU.effect_unit) == ("+2.5", "units of bleu")
    assert ACCURACY.effect(float("nan")) == "unknown"


def test_a_loss_beyond_what_a_float_holds_is_infinite_without_a_warning():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert LOSS.value(np.array([-1e4])) == [np.inf]


def test_an_effect_and_its_ends_are_told_in_one_way():
    def told(*factors):
        return LOSS.effect_with_ends(*(-np.log(factor) for factor in factors))

    assert told(1.5, 3, 0.8) == "×1.5 (×0.8 to ×3)"
    assert told(1.5, 1.9, 0.8) == "-50.0 (-90.0 to +20.0)"
    assert ACCURACY.effect_with_ends(-0.8, -0.9, -0.7) == "-80.0 (-90.0 to -70.0)"


def test_the_margin_is_a_share_of_the_range_or_of_a_loss():
    assert [ACCURACY.margin(0.02), SCORE.margin(0.02), LOSS.margin(0.02)] == [0.02] * 3
    assert SCORE.effect(SCORE.margin(0.02)) == "+0.18"
    assert BLEU.margin(0.02) == pytest.approx(0.4)


def test_numbers_and_labels_are_those_of_the_kind():
    assert [m.number(0.1234) for m in (ACCURACY, LOSS)] == ["12.3", "0.123"]
    assert (SCORE.number(7.126), SCORE.number(float("nan"))) == ("7.13", "-")
    assert [m.label for m in ALL[:5]] == [
        "accuracy in %", "error_rate in %", "score from 1 to 10", "loss in nats a token", "bleu",
    ]  # fmt: skip
    assert [m.fitted_as for m in ALL] == ["", "1 - value", "(value - 1) / 9", "", "", ""]


def test_the_table_declares_kind_range_and_direction():
    rows = pd.concat(
        [
            table("helpfulness", [2.0, 4.5], kind="rating", low=1, high=5),
            table("harm", [2.0, 4.5], kind="rating", low=1, high=5, better="lower"),
            table("regret", [0.5, 1.5], kind="loss"),
            table("rouge", [0.25, 0.5], kind="share"),
            table("bleu", [12.0, 30.0]),
            table("edits", [3.0, 9.0], better="lower"),
            table("score", [3.0, 90.0], low=0, high=100),
        ]
    )
    metrics = metrics_of(check(rows, "t"))
    assert metrics["helpfulness"] == Metric("helpfulness", "rating", low=1.0, high=5.0)
    assert metrics["harm"] == Metric("harm", "rating", "lower", low=1.0, high=5.0)
    assert metrics["regret"] == Metric("regret", "loss", "lower")
    assert metrics["rouge"] == Metric("rouge", "share")
    assert metrics["score"] == Metric("score", "rating", low=0.0, high=100.0)
    assert metrics["edits"] == Metric("edits", "other", "lower", low=3.0, high=9.0)
    assert (metrics["bleu"].kind, metrics["bleu"].low, metrics["bleu"].high) == ("other", 12.0, 30.0)
    assert [name for name, metric in metrics.items() if metric.assumed] == ["bleu"]
    assert "higher is better" in metrics["bleu"].assumed
    assert "12.000 to 30.000" in metrics["bleu"].assumed


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (table("score", [0.4, 7.0]), "column 'value', row 1: 0.4 is outside 1 to 10, the range of the rating 'score'"),
        (table("error_rate", [0.4, 7.0]), "row 2: 7.0 is not a share from 0 to 1, as metric 'error_rate' is; divide"),
        (
            table("x", [1.0, 2.0], kind="grade"),
            r"column 'kind', row 1 \(and 1 more\): 'grade' is not one of share, rating, loss, other",
        ),
        (table("x", [1.0, 2.0], better="up"), r"'better', row 1 \(and 1 more\): 'up' is not one of higher, lower"),
        (table("x", [1.0, 2.0], kind=["rating", "loss"]), "t: metric 'x': column 'kind' holds rating and loss"),
        (table("x", [1.0, 2.0], kind="rating", low=5, high=5), "low=5 must be below high=5"),
        (table("x", [0.1, 0.2], kind="share", high=5), "a share lies between 0 and 1; declare kind rating"),
        (table("loss", [1.0, 2.0], better="higher"), "a loss is better when lower; declare kind other"),
    ],
)
def test_what_no_metric_can_be_is_named(rows, message):
    with pytest.raises(ValueError, match=message):
        check(rows, "t")


def test_gaps_are_in_the_unit_of_differences():
    assert LOSS.gap(np.array([1.1]), np.array([1.0])) == pytest.approx([10.0])
    assert ACCURACY.gap(np.array([0.5]), np.array([0.4])) == pytest.approx([10.0])
    assert SCORE.gap(np.array([5.0]), np.array([4.0])) == pytest.approx([1.0])


@pytest.mark.parametrize("ends", [{}, {"low": 1}, {"high": 10}, {"low": 1, "high": 10}])
def test_a_rating_without_both_ends_is_taken_to_go_from_1_to_10_and_says_so(ends):
    (metric,) = metrics_of(check(table("helpfulness", [2.0, 4.5], kind="rating", **ends), "t")).values()
    assert (metric.low, metric.high) == (1.0, 10.0)
    assert metric.assumed == ("" if len(ends) == 2 else "a rating from 1 to 10")


def test_the_primary_metric_is_accuracy_then_the_first_share():
    assert primary([LOSS, ERRORS, ACCURACY]) == ACCURACY
    assert primary([LOSS, SCORE, ERRORS]) == ERRORS
    assert primary([LOSS]) == LOSS
    assert primary([]) is None
