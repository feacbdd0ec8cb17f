"""What a suite's tasks become in a plan: forms, worked examples, hub rows, overlaps; and what is said of a sweep."""

from dataclasses import replace

import pytest

from common.json_file import write_json
from eval.spec.answers import ROWS, HubRows, Shots
from eval.spec.tasks import Task
from sweep.plan.preflight import check_plan
from sweep.results import warnings
from sweep.results.saved_sweep import save
from sweep.stages.store import Store
from tests.sweep.composing import cell, plan


def planned(**tasks: Task):
    """The plan of the default cell with other tasks, and its stages by kind."""
    base = cell("strategy=single", "fraction=1/4")
    made = plan(replace(base, suite=replace(base.suite, tasks=tasks)))
    return made, {kind: [s for s in made.stages if s.kind == kind] for kind in ("rows", "overlap", "answer", "score")}


def answered(task: Task):
    (stage,) = planned(it=task)[1]["answer"]
    return stage


WORLD = Task("math", "gsm8k", world="test/math.jsonl")


def test_forms_and_worked_examples_are_identity():
    shown = replace(WORLD, shots=2, shots_from="math.jsonl")
    tasks = [
        WORLD, shown, replace(shown, shots=3), replace(shown, shots_seed=0), replace(shown, shots_seed=1),
        replace(shown, shots_from="test/math.jsonl"), replace(shown, form="completion"),
        replace(WORLD, temperature=0.5), replace(WORLD, temperature=0.5, top_p=0.95),
    ]  # fmt: skip
    stages = [answered(task) for task in tasks]
    assert len({stage.key for stage in stages}) == len(tasks)
    assert stages[1].spec.shots == Shots(2, "math.jsonl") and stages[1].inputs["shots"] is stages[1].inputs["data"]
    assert answered(replace(WORLD, top_p=0.9)).key == stages[0].key  # a greedy answer draws nothing


def test_a_file_of_worked_examples_counts_by_its_content(tmp_path):
    for name, text in (("a", "one"), ("b", "one"), ("c", "two"), ("items", "items")):
        (tmp_path / f"{name}.jsonl").write_text(text)
    own = Task("math", "gsm8k", path=str(tmp_path / "items.jsonl"))
    keys = [answered(replace(own, shots=1, shots_from=str(tmp_path / f"{name}.jsonl"))).key for name in "abc"]
    assert keys[0] == keys[1] != keys[2]


def test_rows_of_a_hub_are_fetched_once_for_all_that_read_them():
    hub = Task("math", "gsm8k", hub="openai/gsm8k", revision="main", config="main", shots=5, shots_from="train")
    made, stages = planned(few=hub, loss=Task("math", "loss", hub="openai/gsm8k", revision="main", config="main",
                                              format="gsm8k"))  # fmt: skip
    splits = {stage.spec.split: stage for stage in stages["rows"]}
    assert set(splits) == {"test", "train"} and splits["test"].spec == HubRows("openai/gsm8k", "main", "main", "test")
    (few,) = [stage for stage in stages["answer"] if stage.spec.task == "gsm8k"]
    assert few.inputs["data"] is splits["test"] and few.inputs["shots"] is splits["train"]
    assert few.spec.file == few.spec.shots.file == ROWS
    tokens = [stage for stage in made.stages if stage.kind == "tokens" and splits["test"] in stage.parents]
    assert len(tokens) == 1 and tokens[0].spec.file == ROWS
    other = planned(few=replace(hub, revision="other"))[1]["answer"][0]
    assert other.key != few.key


def test_hub_rows_that_cannot_be_had_end_the_command_first(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_HOME", str(tmp_path))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    made, _ = planned(it=Task("math", "gsm8k", hub="openai/gsm8k", revision="abc", config="main"))
    with pytest.raises(ValueError, match="data set openai/gsm8k, revision abc: not in the local hub cache"):
        check_plan(made)
    local = planned(it=Task("math", "gsm8k", hub=str(tmp_path), revision="main"))[0]
    check_plan(local)  # a folder laid out like a data set of the hub


def test_every_source_is_held_against_every_task_once():
    base = [cell("strategy=single", f"ability={ability}", "fraction=1/4") for ability in ("math", "code")]
    made = plan(*base, cell("fraction=0"))
    overlaps = [stage for stage in made.stages if stage.kind == "overlap"]
    assert len(overlaps) == 3 * 5  # three tasks; three sources and the two files of the corpus
    scores = [stage for planned in made.cells for stage in planned.scores.values() if stage.spec.task == "gsm8k"]
    names = {"overlap.math", "overlap.code", "overlap.general"}
    names |= {"overlap.corpus-corpus", "overlap.corpus-dialogues"}
    assert all({name for name in score.inputs if name.startswith("overlap.")} == names for score in scores)
    assert {score.inputs["overlap.math"].key for score in scores} == {scores[0].inputs["overlap.math"].key}


def test_a_sweep_says_what_its_readers_must_know(tmp_path):
    store = Store(tmp_path)
    saved = save(plan(cell("fraction=1/4")), store)
    found = {"task": "gsm8k", "items": 100, "flagged": 0, "whole": 0, "any_13": 7, "short": 0}
    for number, job in enumerate(job for job in saved.jobs.values() if job.stage.kind == "overlap"):
        store.path(job.stage).mkdir(parents=True)
        write_json(store.path(job.stage) / "summary.json", found | {"flagged": 10 * (number == 0)})
    score = saved.jobs[saved.cells[0].scores["ifeval"]["key"]].stage
    store.path(score).mkdir(parents=True)
    odd = [{"metric": "truncated_rate", "value": 0.5, "limit": 0.2}]
    write_json(store.path(score) / "summary.json", {"warnings": odd})
    said = warnings.write(saved, store)
    assert sum("10 of 100 items of" in line and "share a run of 13 words" in line for line in said) == 1
    assert said[-1] == "warning: ifeval: truncated_rate is above 20% in 1 of 1 cells, up to 50%"
    rows = (store.sweep("test") / "overlap.csv").read_text().splitlines()
    assert rows[0] == ",".join(warnings.OVERLAP) and len(rows) == 1 + 15
