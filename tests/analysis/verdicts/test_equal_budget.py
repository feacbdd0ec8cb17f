"""Curves along what cells cost, and what an equal cost buys."""

import numpy as np
import pandas as pd
import pytest

from analysis.data.cost import with_flops
from analysis.data.study import Study, read_study
from analysis.report.results import analyse
from analysis.report.terminal import all_tables
from analysis.verdicts.goal import goal
from tests.analysis.running import run

AMOUNTS = 64 * 4.0 ** np.arange(5)
SIZES = {"micro_s": 2.5e5, "micro_m": 1e6}


def table(gain=0.0, items=2000, seeds=1, seed=0):
    """Two sizes and two numbers of epochs; what counts is the cost, and whether the model is the larger one."""
    rng = np.random.default_rng(seed)
    parts = []
    for (model, params), epochs, run_seed in ((m, e, s) for m in SIZES.items() for e in (1, 3) for s in range(seeds)):
        tokens = 50 * epochs * AMOUNTS * (1 + 0.01 * run_seed)
        chance = 1 / (1 + np.exp(3 - 0.4 * np.log(params * tokens / 1e9) - gain * (model == "micro_m")))
        parts.append(
            pd.DataFrame({"samples": AMOUNTS, "total_samples": AMOUNTS, "tokens": tokens, "n_items": items,
                          "value": rng.binomial(items, chance) / items})
            .assign(model=model, params=params, epochs=epochs, seed=str(run_seed))
        )  # fmt: skip
    return with_flops(pd.concat(parts, ignore_index=True).assign(ability="math", task="t", metric="accuracy"))


def findings_of(frame, x="flops"):
    results = analyse(Study(frame, x=x), 0.02, None)
    return results, {v.about: v for v in results.findings.verdicts if v.question == "budget"}


def test_along_a_cost_only_data_varies_within_a_series_and_seeds_of_a_design_stand_at_one_cost():
    (measure,) = Study(table(seeds=2), x="flops").measures
    assert measure.axis == "flops"
    assert [s.label for s in measure.series] == [f"{m}, epochs {e}" for m in SIZES for e in (1, 3)]
    first = measure.series[0]
    assert first.amount == pytest.approx(np.repeat(6 * 2.5e5 * 50 * 1.005 * AMOUNTS, 2))
    assert first.own.tolist() == np.repeat(AMOUNTS, 2).tolist()


def test_two_series_are_compared_at_the_largest_cost_that_both_have():
    results, found = findings_of(table(gain=0.5))
    assert len(found) == 4  # those that differ in the model or in the epochs alone
    (about,) = (name for name in found if "micro_m, epochs 1 against micro_s, epochs 1" in name)
    verdict = found[about]
    budget = 6 * 2.5e5 * 50 * AMOUNTS[-1]
    assert about.endswith(f"at {budget:.3g} FLOPs".replace("e+", "e"))
    at = 0.4 * np.log(budget / 6e9) - 3
    truth = 1 / (1 + np.exp(-at - 0.5)) - 1 / (1 + np.exp(-at))
    assert verdict.low <= truth <= verdict.high and verdict.finding == "up"
    assert "micro_m, epochs 1 on 4,100 samples of its data is better than micro_s" in verdict.sentence
    text = all_tables(results)
    assert "what an equal budget buys: math: accuracy on t (%), 95 % intervals" in text
    assert "how many FLOPs does more take?" in text


def test_what_costs_the_same_and_reaches_the_same_is_not_told_apart():
    assert not [
        v for seed in range(5) for v in findings_of(table(seed=seed))[1].values() if v.finding in ("up", "down")
    ]


def test_a_second_seed_finds_no_less_than_one_alone():
    """Runs differ as items do and no more: two seeds must not be taken for two that differ as a whole."""
    found, widths = {}, {}
    for seeds in (1, 2):
        verdicts = [
            v
            for seed in range(8)
            for v in findings_of(table(0.5, 300, seeds, seed))[1].values()
            if "micro_m, epochs 1 against micro_s" in v.about
        ]
        found[seeds] = sum(v.finding == "up" for v in verdicts)
        widths[seeds] = [v.high - v.low for v in verdicts]
    assert len(widths[1]) == len(widths[2]) == 8
    assert 0 < found[1] <= found[2]
    assert (np.array(widths[2]) <= 1.1 * np.array(widths[1])).all()


def test_without_a_curve_what_a_budget_buys_lies_between_the_measurements():
    jump = table().assign(value=np.tile([0.02, 0.03, 0.04, 0.93, 0.94], 4), n_items=2000)
    results, found = findings_of(jump, "tokens")
    assert all(fit.curve is None for _, fits in results.fits for fit in fits)
    (verdict,) = (v for name, v in found.items() if "micro_m, epochs 3 against micro_m, epochs 1" in name)
    share = np.log(AMOUNTS[-1] / 3 / AMOUNTS[3]) / np.log(4)  # 3 epochs: a third of the samples at these tokens
    assert verdict.effect == pytest.approx(0.93 + share * 0.01 - 0.94)


def test_no_budget_is_compared_along_samples_and_an_axis_that_the_table_lacks_is_named(tmp_path):
    assert findings_of(table(), "samples")[1] == {}
    path = tmp_path / "t.csv"
    table().drop(columns=["flops", "tokens"]).to_csv(path, index=False)
    said = run(f"table={path}", "x=flops", cwd=tmp_path, code=2)
    assert "x=flops is the column 'flops', or of params and tokens, and the table has no such column" in said
    assert "x=days is no axis of curves" in run(f"table={path}", "x=days", cwd=tmp_path, code=2)
    table().drop(columns="flops").to_csv(path, index=False)
    assert read_study([path]).table["flops"].tolist() == pytest.approx(table()["flops"].tolist())


def test_a_factor_that_only_one_model_varies_labels_all_series():
    frame = table()
    again = frame[frame["model"] == "micro_m"].assign(replay=0.25)
    _, found = findings_of(pd.concat([frame.assign(replay=0.0), again], ignore_index=True))
    assert found and not [name for name in found if "micro_s" in name and "replay 0.25" in name]


def test_several_mixtures_along_a_cost_make_no_curve_no_goal_and_no_comparison():
    """Of two cells of one cost, one may have a hundred times the data of the ability that the other has."""
    rng = np.random.default_rng(0)
    pairs = [(own, other) for own in (100, 400, 1600) for other in (100, 400, 1600)]
    mixed = pd.DataFrame(pairs, columns=["samples", "other"]).assign(strategy="multitask")
    alone = pd.DataFrame({"samples": [100, 400, 1600, 3200], "other": 0, "strategy": "single"})
    frame = pd.concat([mixed, alone], ignore_index=True)
    frame["total_samples"] = frame["samples"] + frame.pop("other")
    frame["value"] = rng.binomial(500, 1 / (1 + np.exp(6 - np.log(frame["samples"])))) / 500
    frame = frame.assign(tokens=50 * frame["total_samples"], n_items=500, ability="math", task="t", metric="accuracy")
    results, found = findings_of(frame, "tokens")
    ((measure, fits),) = results.fits
    mixture, single = sorted(fits, key=lambda fit: "single" in fit.series.label)
    assert "several mixtures lie along the costs" in mixture.reason and single.curve is not None
    assert goal(measure, mixture) is None and goal(measure, single) is not None
    assert not found
