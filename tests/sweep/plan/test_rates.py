"""The times of finished stages of a store stand in its next plan."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from sweep.cli.plan_table import summary
from sweep.plan.cost import costs
from sweep.plan.plan import Plan
from sweep.results.saved_sweep import jobs
from sweep.stages.stage import Stage, plain
from sweep.stages.store import SEAL
from tests.sweep.composing import cell, plan

FIXED, PER_TOKEN = 7.0, 0.01


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")


def planned(store: Path, *overrides: str) -> tuple[Plan, Stage]:
    made = plan(cell("ability=math", f"store={store}", *overrides))
    return made, next(s for s in made.stages if s.kind == "train" and s.spec.architecture is None)


def finish(made: Plan, stage: Stage, store: Path, seconds: float, gpu: str | None = None) -> None:
    """Write what a finished stage says of its time, as a worker does."""
    folder = store / stage.kind / stage.key
    folder.mkdir(parents=True)
    (folder / SEAL).write_text(json.dumps({"identity": json.loads(stage.text), "files": {}}))
    record = {"seconds": FIXED + seconds, "how": plain(made.execution[stage.key]), "gpu": gpu}
    (folder / "record.json").write_text(json.dumps(record))
    if stage.kind == "train":
        (folder / "summary.json").write_text(json.dumps({"parameters": made.parameters[stage.key]}))
        timings = {"seconds": seconds, "tokens_per_second": 1 / PER_TOKEN}
        (folder / "timings.json").write_text(json.dumps(timings))


def test_a_finished_training_says_how_long_the_next_takes(store_path: Path):
    small, stage = planned(store_path, "fraction=1/16")
    finish(small, stage, store_path, 20.0)
    large, other = planned(store_path, "fraction=1/2")
    cost = costs(large)[other.key]
    assert cost.measured and cost.seconds == pytest.approx(FIXED + PER_TOKEN * cost.tokens)
    told = summary(large, costs(large), {s.key for s in large.stages}, Counter())
    assert "2 times as finished stages of this store took" in told[-1]


@pytest.mark.parametrize("change", ["engine.micro_tokens=512", "recipe.precision=bf16", "model=micro_m"])
def test_other_work_says_nothing(store_path: Path, change: str):
    small, stage = planned(store_path, "fraction=1/16")
    finish(small, stage, store_path, 20.0)
    large, other = planned(store_path, "fraction=1/2", change)
    assert not costs(large)[other.key].measured


def test_a_gpu_says_nothing_of_a_processor(store_path: Path):
    small, stage = planned(store_path, "fraction=1/16")
    finish(small, stage, store_path, 20.0, gpu="H100")
    assert not costs(small)[stage.key].measured


def test_answers_and_scores_too(store_path: Path):
    made, trained = planned(store_path, "fraction=1/16")
    finish(made, trained, store_path, 20.0)
    answer = next(s for s in made.stages if s.kind == "answer" and s.spec.task == "gsm8k")
    score = next(s for s in made.stages if s.kind == "score" and s.inputs["answers"].key == answer.key)
    finish(made, answer, store_path, 33.0)
    finish(made, score, store_path, 5.0)
    other, _ = planned(store_path, "fraction=1/2")
    found = costs(other)
    times = {s.kind: found[s.key] for s in other.stages if getattr(s.spec, "task", "") == "gsm8k"}
    assert times["answer"].seconds == pytest.approx(FIXED + 33) and times["answer"].measured
    assert times["score"].seconds == pytest.approx(FIXED + 5) and times["score"].measured


def test_a_damaged_record_is_passed_over(store_path: Path):
    made, stage = planned(store_path, "fraction=1/16")
    finish(made, stage, store_path, 20.0)
    (store_path / "train" / stage.key / "record.json").write_text("{")
    assert not costs(made)[stage.key].measured


def test_the_tables_hours_are_those_of_the_plan_alone(store_path: Path):
    """Else a sweep that is planned again while it runs would change its table."""
    made, stage = planned(store_path, "fraction=1/16")
    before = jobs(made, made.store)[stage.key]
    finish(made, stage, store_path, 20.0)
    after = jobs(made, made.store)[stage.key]
    assert after.seconds == pytest.approx(FIXED + PER_TOKEN * costs(made)[stage.key].tokens) != before.seconds
    assert after.device_seconds == before.device_seconds == before.seconds
