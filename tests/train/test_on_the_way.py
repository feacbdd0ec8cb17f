"""Models that a training stage publishes on its way: after shares of its steps."""

from __future__ import annotations

import json
import random
from pathlib import Path

import numpy as np
import pytest
from transformers import AutoTokenizer

from tests.train import processes
from tests.train.tiny import execution, outputs, train_spec
from train import loop
from train.ranks import ProcessGroup
from train.spec import TrainSpec, checkpoint_folder

pytestmark = pytest.mark.slow

SHARES = ("1/4", "1/2")


def spec(steps: int = 24, checkpoints: tuple[str, ...] = ()) -> TrainSpec:
    """A stage with a constant rate: its first steps are those of a shorter stage."""
    return train_spec(steps=steps, checkpoints=checkpoints, schedule="constant", warmup=0.0)


@pytest.fixture(scope="module")
def finished(inputs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("finished")
    loop.run(spec(checkpoints=SHARES), inputs, out, execution())
    return out


def test_a_checkpoint_is_the_model_of_a_stage_that_ends_there(finished: Path, inputs: dict[str, Path], tmp_path: Path):
    loop.run(spec(6), inputs, tmp_path, execution())
    shorter = outputs(tmp_path)
    checkpoint = outputs(finished / checkpoint_folder("1/4"))
    assert len(checkpoint) >= 4
    assert checkpoint == {name: shorter[name] for name in checkpoint}
    AutoTokenizer.from_pretrained(str(finished / checkpoint_folder("1/2")))


def test_checkpoints_do_not_change_the_training(finished: Path, inputs: dict[str, Path], tmp_path: Path):
    loop.run(spec(), inputs, tmp_path, execution())
    plain, with_checkpoints = outputs(tmp_path), outputs(finished)
    assert {name for name in with_checkpoints if not name.startswith("checkpoints/")} == set(plain)
    for name in set(plain) - {"summary.json"}:
        assert plain[name] == with_checkpoints[name]
    summary = json.loads(with_checkpoints["summary.json"])
    del summary["checkpoints"]
    assert summary == json.loads(plain["summary.json"])


def test_a_kill_at_any_moment_leaves_the_same_checkpoints(finished: Path, inputs: dict[str, Path], tmp_path: Path):
    out = tmp_path / "out"
    out.mkdir()
    arguments = (spec(checkpoints=SHARES), inputs, out, execution(checkpoint_steps=5))
    moment = random.Random("checkpoints").randint(2, 20)
    processes.kill_at(processes.start("train", arguments, tmp_path), out / "metrics.jsonl", moment)
    loop.run(*arguments)
    assert outputs(out) == outputs(finished)


def test_the_summary_has_what_each_checkpoint_was_trained_on(finished: Path, inputs: dict[str, Path]):
    setup, _ = loop.prepare(spec(checkpoints=SHARES), inputs, execution(), ProcessGroup(0, 1, 0))
    told = json.loads((finished / "summary.json").read_text())["checkpoints"]
    assert {share: one["steps"] for share, one in told.items()} == {"1/4": 6, "1/2": 12}
    for one in told.values():
        shown = np.concatenate([setup.plan.batch(step) for step in range(one["steps"])])
        for number, name in enumerate(setup.data.names):
            own = shown[setup.data.source[shown] == number]
            source = one["sources"][name]
            assert (source["samples"], source["presentations"]) == (len(set(own.tolist())), len(own))
            assert source["tokens"] == int(setup.data.lengths[own].sum())
            assert source["supervised_tokens"] == int(setup.data.targets[own].sum())


def test_a_stage_of_few_steps_has_every_checkpoint(inputs: dict[str, Path], tmp_path: Path):
    loop.run(spec(1, ("1/8", "3/4")), inputs, tmp_path, execution())
    told = json.loads((tmp_path / "summary.json").read_text())["checkpoints"]
    assert [one["steps"] for one in told.values()] == [1, 1]
    weights = {share: (tmp_path / checkpoint_folder(share) / "model.safetensors").read_bytes() for share in told}
    assert set(weights.values()) == {(tmp_path / "model.safetensors").read_bytes()}
