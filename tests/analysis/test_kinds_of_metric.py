"""One meaning of a metric in curves, verdicts, advice and figures: errors and ratings say what accuracies say."""

import contextlib
import io
import json

import numpy as np
import pytest

from analysis.__main__ import main
from analysis.data.metric import metric_named
from analysis.fitting.levels import AmountLevel
from analysis.report.text import measured
from tests.analysis.tables import mixed_table

ABILITIES = ("math", "code")


@pytest.mark.parametrize(
    ("name", "mean", "half", "text"),
    [
        ("loss", 0.018214, 0.0072943, "0.0182 ± 0.0073"),
        ("loss", 2.5134, 0.1, "2.51 ± 0.10"),
        ("loss", 1234.5, 67.8, "1234 ± 68"),
        ("loss", 2.5134, 0.0, "2.513 ± 0.000"),
        ("accuracy", 0.5, 0.0123, "50.0 ± 1.2"),
    ],
)
def test_a_value_has_no_more_digits_than_its_error(name, mean, half, text):
    level = AmountLevel(100.0, 1.0, 1, mean, mean - half, mean + half)
    assert measured(level, metric_named(name)) == text


def accuracies():
    """Two abilities, alone and mixed, with the standard errors that a judge's shares have."""
    frame = mixed_table()
    frame = frame[(frame["metric"] == "accuracy") & frame["ability"].isin(ABILITIES)]
    share = frame["value"]
    return frame.assign(stderr=np.sqrt(share * (1 - share) / 900 + 1e-6))


def analysed(frame, folder):
    """Curves, verdicts and the terminal's text of a table, and what is advised."""
    frame.to_csv(folder / "t.csv", index=False)
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        assert main([f"table={folder / 't.csv'}", f"out={folder / 'out'}"]) == 0
        assert main(["advise", f"table={folder / 't.csv'}", "budget=6000"]) == 0
    records = [json.loads((folder / "out" / name).read_text()) for name in ("curves.json", "verdicts.json")]
    return records[0]["measures"], records[1], text.getvalue(), (folder / "out" / "report.html").read_text()


@pytest.fixture(scope="module")
def shares(tmp_path_factory):
    return analysed(accuracies(), tmp_path_factory.mktemp("shares"))


@pytest.fixture(scope="module")
def errors(tmp_path_factory):
    frame = accuracies()
    turned = frame.assign(metric="error_rate", value=1 - frame["value"])
    return analysed(turned, tmp_path_factory.mktemp("errors"))


@pytest.fixture(scope="module")
def ratings(tmp_path_factory):
    frame = accuracies()
    scaled = frame.assign(metric="score", value=1 + 9 * frame["value"], stderr=9 * frame["stderr"])
    return analysed(scaled, tmp_path_factory.mktemp("ratings"))


def laws(curves):
    return [
        (law["law"], law["weight"], *law["params"].values())
        for block in curves
        for series in block["series"]
        for law in series.get("laws", [])
    ]


@pytest.mark.parametrize("other", ["errors", "ratings"])
def test_the_laws_are_those_of_the_accuracies(shares, other, request):
    found, expected = laws(request.getfixturevalue(other)[0]), laws(shares[0])
    assert expected
    assert [law[0] for law in found] == [law[0] for law in expected]
    for law, same in zip(found, expected, strict=True):
        assert law[1:] == pytest.approx(same[1:], rel=1e-3, abs=1e-6)


def test_values_and_intervals_stay_in_the_metrics_own_scale(shares, errors, ratings):
    for block, turned, scaled in zip(shares[0], errors[0], ratings[0], strict=True):
        assert (turned["kind"], turned["better"], turned["fitted_as"]) == ("share", "lower", "1 - value")
        assert (scaled["kind"], scaled["better"], scaled["fitted_as"]) == ("rating", "higher", "(value - 1) / 9")
        for series, lower, wider in zip(block["series"], turned["series"], scaled["series"], strict=True):
            for share, error, rating in zip(series["levels"], lower["levels"], wider["levels"], strict=True):
                assert error["mean"] == pytest.approx(1 - share["mean"])
                assert (error["low"], error["high"]) == pytest.approx((1 - share["high"], 1 - share["low"]))
                assert rating["mean"] == pytest.approx(1 + 9 * share["mean"])
                assert 1 <= rating["low"] < rating["mean"] < rating["high"] <= 10


def test_verdicts_count_a_lower_error_as_better(shares, errors):
    assert shares[1]["verdicts"]
    for share, error in zip(shares[1]["verdicts"], errors[1]["verdicts"], strict=True):
        assert error["effect"] == pytest.approx(share["effect"])
        assert error.get("low") == pytest.approx(share.get("low"))
        assert error["finding"] == share["finding"]
        assert error["margin"] == pytest.approx(share["margin"])
    assert "points (positive: error_rate is lower)" in errors[1]["verdicts"][0]["sentence"]


def test_verdicts_on_ratings_speak_of_points_of_the_scale(shares, ratings):
    for share, rating in zip(shares[1]["verdicts"], ratings[1]["verdicts"], strict=True):
        assert rating["effect"] == pytest.approx(share["effect"])
        assert rating["kind"] == "rating"
        assert "points of the scale from 1 to 10" in rating["sentence"]
        assert "loss" not in rating["sentence"]
        assert "%" not in rating["sentence"].split(";")[0]
    first = ratings[1]["verdicts"][0]
    assert f"{9 * first['effect']:+.2f} (" in first["sentence"]


def test_the_advice_is_the_same_and_shown_in_the_metrics_own_scale(shares, errors, ratings):
    def advised(text):
        return next(line for line in text.splitlines() if line.startswith("run it:"))

    assert advised(errors[2]) == advised(shares[2])
    assert advised(ratings[2]) == advised(shares[2])
    assert "best composition of each strategy: error_rate in %;" in errors[2]
    assert "best composition of each strategy: score from 1 to 10;" in ratings[2]


def test_figures_and_tables_name_metric_and_unit(errors, ratings):
    assert "error_rate in % by ability" in errors[2]
    assert "score from 1 to 10 by ability" in ratings[2]
    assert "math: score on gsm8k (1 to 10)" in ratings[3]
    assert "fitted to 1 - value" in errors[3]
    assert "of a loss" not in ratings[3]
    assert "of a loss" not in errors[3]


def test_an_unknown_metric_is_a_number_and_the_report_says_what_was_assumed(tmp_path):
    frame = accuracies()
    curves, verdicts, text, report = analysed(frame.assign(metric="bleu", value=50 * frame["value"]), tmp_path)
    assumed = "metric 'bleu': taken as a number for which higher is better"
    assert f"assumed: {assumed}" in text
    assert assumed.replace("'", "&#x27;") in report
    assert {block["kind"] for block in curves} == {"other"}
    span = 50 * (frame["value"].max() - frame["value"].min())
    assert verdicts["verdicts"][0]["margin"] == pytest.approx(0.02 * span / 2)  # a gain per doubling: half as much
