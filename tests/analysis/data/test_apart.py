"""Sweeps under one name for unlike things: none is averaged or compared with another unsaid."""

import json

import numpy as np
import pandas as pd
import pytest

from analysis.data.items import read_items
from analysis.data.reading import read
from analysis.data.study import read_study
from analysis.data.sweep_folder import sweep_folders
from analysis.verdicts.all_verdicts import findings
from analysis.verdicts.arms import arm_means
from analysis.verdicts.strata import strata
from analysis.verdicts.versions import compare
from tests.analysis.sweeps import OTHER_MATH, TASKS, swept

SLOWER = "recipe.learning_rate=1e-4"
FEWER = "suite.tasks.gsm8k.max_items=50"
OTHER_BASE = "model.pretrain.learning_rate=1e-3"


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return tmp_path_factory.mktemp("store")


@pytest.fixture(scope="module")
def first(store):
    return swept(store, "first", ("1/64", "1/16", "1/4"))


def beside(first, store, name, *overrides):
    """The study of two sweeps that have no amount in common."""
    return read_study([first, swept(store, name, ("1/32", "1/8"), *overrides)])


def measure(study, ability):
    (found,) = [m for m in study.measures if m.ability == ability]
    return found


def test_each_source_has_its_series_and_stratum_and_cells_without_it_belong_to_all(first, store):
    study = beside(first, store, "second", OTHER_MATH)
    assert study.remarks == ("the sweeps have several sources of math (first, second), which are a factor",)
    labels = {series.names[0] for series in measure(study, "math").series}
    assert labels == {"math data of first", "math data of second"}
    parts = {part.where: part.table for part in strata(arm_means(measure(study, "code")))}
    assert set(parts) == {"math data of first", "math data of second"}
    for part in parts.values():
        alone = part[part["trained_on"] == "code"]
        assert len(alone) == 5, "code alone at the amounts of both sweeps"
        assert len(part[part["trained_on"] == "math+code"]) in (2, 3)
    assert any("(math data of second)" in v.about for v in findings(study).verdicts)
    effects = study.elsewhere
    assert set(effects.loc[effects["trained_on"].str.startswith("code,"), "trained_on"]) == set()
    assert {"math, math data of first", "math, math data of second", "code"} <= set(effects["trained_on"])


def test_each_recipe_has_its_series_and_stratum(first, store):
    study = beside(first, store, "slower", SLOWER)
    values = ("learning_rate 0.001", "learning_rate 0.0001")
    assert study.remarks == (f"the sweeps differ in their recipe ({', '.join(values)}), which is a factor",)
    code = measure(study, "code")
    assert {value for series in code.series for value in series.names if value in values} == set(values)
    assert {part.where for part in strata(arm_means(code))} == {f"recipe {value}" for value in values}


def test_equal_values_under_another_recipe_are_two_measurements(first, store):
    same = swept(store, "same", ("1/64",), SLOWER)
    table = pd.read_csv(same)
    pd.read_csv(first)[: len(table)].assign(sweep="same", cell=table["cell"]).to_csv(same, index=False)
    assert (read(first, same)["sweep"] == "same").sum() == len(table)


def test_another_base_model_of_one_name_is_another_model(first, store):
    study = beside(first, store, "rebased", OTHER_BASE)
    names = {"micro_s (as in first)", "micro_s (as in rebased)"}
    assert set(study.table["model"]) == names
    assert {part.where for part in strata(arm_means(measure(study, "code")))} == names
    (remark,) = study.remarks
    assert remark.startswith("model micro_s is not the same in all sweeps (recipe.learning_rate), so it is kept apart")


def test_a_strategy_of_one_name_with_other_stages_is_another_strategy(first, store):
    """Amounts that the stages read from the config are factors of the table, and do not tell strategies apart."""
    names = {"multitask (as in first)", "multitask (as in halved)"}
    study = beside(first, store, "halved", "strategy.stages=[{all: 1/2}]")
    assert set(study.table["strategy"]) == names
    assert study.remarks == (
        "strategy multitask is not the same in all sweeps (stage 1), so it is kept apart as multitask (as in first), "
        "multitask (as in halved)",
    )
    read_amounts = [
        swept(store, name, fractions, "strategy.stages=[{all: '${replay}'}]", f"replay={replay}")
        for name, fractions, replay in (("a_half", ("1/64",), "1/2"), ("a_quarter", ("1/32",), "1/4"))
    ]
    assert set(read_study(read_amounts).table["strategy"]) == {"multitask"}


def test_a_sweep_that_does_not_say_its_stages_is_not_told_apart(first, store):
    old = swept(store, "old", ("1/32", "1/8"))
    file = old.parent / "sweep.json"
    saved = json.loads(file.read_text())
    for one in saved["cells"]:
        del one["strategy"]
    file.write_text(json.dumps(saved))
    assert set(read_study([first, old]).table["strategy"]) == {"multitask"}


def test_other_items_under_one_name_are_another_task(first, store):
    study = beside(first, store, "fewer", FEWER)
    tasks = {m.task: set(m.rows["sweep"]) for m in study.measures}
    both = {"first", "fewer"}
    assert tasks == {
        "gsm8k (as in first)": {"first"}, "gsm8k (as in fewer)": {"fewer"}, "humaneval": both, "ifeval": both,
    }  # fmt: skip
    assert study.remarks == (
        "task gsm8k is not the same in all sweeps (items), so it is kept apart as gsm8k (as in first), "
        "gsm8k (as in fewer)",
    )
    labels = {m.label for m in study.measures}
    assert "math accuracy (gsm8k as in first)" in labels and "code accuracy" in labels


def test_a_task_that_was_told_apart_keeps_its_items(first, store, tmp_path):
    fewer = swept(store, "fewer", ("1/32", "1/8"), FEWER)
    rows = [
        {"sweep": row.sweep, "cell": row.cell, "ability": row.ability, "task": row.task, "metric": "accuracy",
         "item": k, "value": float(k < round(row.value * 300))}
        for row in read(first).query("ability == 'math'").itertuples() for k in range(300)
    ]  # fmt: skip
    pd.DataFrame(rows).to_csv(tmp_path / "items.csv", index=False)
    items = read_items(tmp_path / "items.csv")
    study = read_study([first, fewer])
    own = {m.task: items.matrix(m.rows) for m in study.measures if m.ability == "math"}
    value, _ = own["gsm8k (as in first)"]
    assert np.isfinite(value).all() and own["gsm8k (as in fewer)"] is None


def test_sweeps_are_compared_in_what_both_measured_alike(first, store):
    found = compare((first, swept(store, "refewer", ("1/64", "1/16"), FEWER)), [], 0.02)
    assert {v.about.partition(",")[0] for v in found.verdicts} == {"code accuracy", "general accuracy"}
    assert found.remarks[0].startswith("task gsm8k is not the same in all sweeps (items)")
    other = compare((first, swept(store, "again", ("1/64", "1/16"), SLOWER)), [], 0.02)
    assert other.differs["recipe"] == ("learning_rate 0.001", "learning_rate 0.0001")


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (OTHER_BASE, "model micro_s is not the same in all sweeps (recipe.learning_rate)"),
        ("strategy.stages=[{all: 1/2}]", "strategy multitask is not the same in all sweeps (stage 1)"),
    ],
)
def test_a_model_or_strategy_that_changed_is_compared_under_its_name(first, store, change, named):
    found = compare((first, swept(store, "changed", ("1/64", "1/16"), change)), [], 0.02)
    assert found.remarks == (f"{named}; cells are matched by its name",)
    assert {"model", "strategy"} & set(found.differs) == set() and {"model", "strategy"} <= {*found.design}
    assert found.verdicts


def test_files_of_equal_content_are_equal_wherever_they_lie(first, store):
    other = swept(store, "world", ("1/32", "1/8"), "data.world.corpus=7000")
    assert read_study([first, other]).remarks, "nothing tells that the files are equal"
    for folder in sweep_folders([first, other]):
        for key, stage in folder.stages.items():
            if stage["kind"] == "world":
                folder.folder(key).mkdir(parents=True)
                names = ("math.jsonl", "code.json", "general.json", "corpus.jsonl", "dialogues.jsonl")
                files = {name: name for name in (*names, *(f"test/{ability}.jsonl" for ability in TASKS))}
                digests = {**files, "corpus.jsonl": key}
                (folder.folder(key) / "stage.json").write_text(json.dumps({"digests": digests}), encoding="utf-8")
    study = read_study([first, other])
    assert [m.task for m in study.measures] == list(TASKS.values())
    assert not [name for name in study.table if name.startswith("source_")]
    assert set(study.table["model"]) == {"micro_s (as in first)", "micro_s (as in world)"}, "of another corpus"


def test_one_sweep_and_tables_without_sweeps_stay_as_they_are(first, tmp_path):
    assert read_study([first]).remarks == () and "data" in read(first)
    frame = pd.read_csv(first)
    for name in ("a", "b"):
        frame.assign(sweep=name).to_csv(tmp_path / f"{name}.csv", index=False)
    assert "data" in read(tmp_path / "a.csv", tmp_path / "b.csv")
