"""Resume points: which one a stage continues from."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.train.tiny import engine
from train import checkpoint
from train.spec import EngineConfig

ZERO = engine(name="deepspeed", zero_stage=3, ranks=2)


def write_point(out: Path, step: int, config: EngineConfig) -> Path:
    folder = out / "resume" / f"step-{step:08d}"
    folder.mkdir(parents=True)
    (folder / "engine.json").write_text(json.dumps(checkpoint.geometry(config)))
    return folder


def test_the_newest_of_two_points_side_by_side_counts(tmp_path: Path) -> None:
    """A process killed between publishing a point and removing the last one leaves both."""
    write_point(tmp_path, 9, ZERO)
    newest = write_point(tmp_path, 10, ZERO)
    assert checkpoint.latest(tmp_path, ZERO) == checkpoint.ResumePoint(10, newest)


@pytest.mark.parametrize("change", [{"ranks": 4}, {"zero_stage": 1}, {"offload": "all"}])
def test_a_point_sharded_in_another_way_does_not_count(tmp_path: Path, change: dict[str, Any]) -> None:
    own = write_point(tmp_path, 3, ZERO)
    write_point(tmp_path, 7, replace(ZERO, **change))
    assert checkpoint.latest(tmp_path, ZERO) == checkpoint.ResumePoint(3, own)


def test_what_only_sizes_a_pass_does_not_tell_points_apart(tmp_path: Path) -> None:
    own = write_point(tmp_path, 3, ZERO)
    other = replace(ZERO, micro_tokens=7, pack=True, activation_checkpointing=True, checkpoint_steps=9)
    assert checkpoint.latest(tmp_path, other) == checkpoint.ResumePoint(3, own)
    assert checkpoint.latest(tmp_path / "elsewhere", ZERO) is None
