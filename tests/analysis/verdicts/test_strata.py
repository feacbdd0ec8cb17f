"""Several models and further factors: each question is answered for each of their values, none is averaged."""

import itertools

import numpy as np
import pandas as pd
import pytest

from analysis.data.study import Study
from analysis.verdicts.all_verdicts import findings
from analysis.verdicts.arms import arm_means
from analysis.verdicts.strata import own_factors, strata

MODELS = {"small": 1e6, "large": 1e7}
SAMPLES = (100, 400, 1600, 6400)


def table(**effects):
    """Two strategies and training alone, two models, two versions of the data; ``effects`` add to single values.

    In the small model dmt is better than multitask, in the large one it is worse by as much: the mean is nothing.
    """
    rows = []
    for model, strategy, data, samples in itertools.product(
        MODELS, ("single", "dmt", "multitask"), ("all", "filtered"), SAMPLES
    ):
        value = 0.3 + 0.02 * np.log2(samples / 100) + (0.1 if model == "large" else 0.0)
        value += effects.get(strategy, 0.0) * (1 if model == "small" else -1)
        value += effects.get(data, 0.0)
        total = samples if strategy == "single" else 3 * samples
        rows.append((model, MODELS[model], strategy, data, samples, total, value))
    columns = ["model", "params", "strategy", "data", "samples", "total_samples", "value"]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.assign(
        ability="math", task="t", metric="accuracy", n_items=4000, seed="0", steps_done=frame["samples"]
    )


def verdicts(question, frame):
    return {v.about: v for v in findings(Study(frame)).verdicts if v.question == question}


def test_opposite_effects_in_two_models_do_not_cancel():
    found = verdicts("strategy", table(dmt=0.2))
    about = "math accuracy ({}, data {}), multitask against dmt"
    assert {about.format(m, d) for m in MODELS for d in ("all", "filtered")} == set(found)
    for data in ("all", "filtered"):
        assert found[about.format("small", data)].finding == "down"
        assert found[about.format("large", data)].finding == "up"
    ends = verdicts("synergy", table(dmt=0.2))
    assert ends["math accuracy (small, data all), dmt minus alone at 100 samples"].finding == "up"
    assert ends["math accuracy (large, data all), dmt minus alone at 100 samples"].finding == "down"


def test_values_of_a_further_factor_are_compared_over_equal_designs():
    (verdict,) = verdicts("factor", table(filtered=0.03)).values()
    assert verdict.about == "math accuracy, data filtered against data all"
    assert verdict.effect == pytest.approx(0.03)
    assert verdict.finding == "up"
    assert verdict.sentence.startswith(
        "math accuracy: data filtered is better than data all at equal data (24 designs)"
    )


def test_a_column_that_follows_from_the_design_is_no_further_factor():
    (measure,) = Study(table()).measures
    arms = arm_means(measure)
    assert own_factors(arms.table) == ["data"]
    assert [part.where for part in strata(arms)] == [
        "small, data all", "small, data filtered", "large, data all", "large, data filtered",
    ]  # fmt: skip
    one = arms.with_rows((arms.table["model"] == "small") & (arms.table["data"] == "all"))
    assert [part.where for part in strata(one)] == [""]


def test_checkpoints_that_a_tool_calls_models_are_one_stratum():
    frame = table()
    frame = frame[(frame["model"] == "small") & (frame["data"] == "all")]
    named = frame.assign(model=[f"ckpt-{i}" for i in range(len(frame))])
    (measure,) = Study(named).measures
    assert [part.where for part in strata(arm_means(measure))] == [""]
    assert verdicts("strategy", named)["math accuracy, multitask against dmt"].effect == 0


def test_strategies_without_any_mixture_are_compared_as_they_are():
    rows = [("single", n, 0.2 + 0.05 * i) for i, n in enumerate(SAMPLES)]
    rows += [("curriculum", n, 0.3 + 0.05 * i) for i, n in enumerate(SAMPLES)]
    frame = pd.DataFrame(rows, columns=["strategy", "samples", "value"])
    frame = frame.assign(
        total_samples=frame["samples"], ability="math", task="t", metric="accuracy", n_items=4000, seed="0"
    )
    (verdict,) = verdicts("factor", frame).values()
    assert verdict.about == "math accuracy, strategy curriculum against strategy single"
    assert verdict.effect == pytest.approx(0.1)
    assert verdict.finding == "up"
