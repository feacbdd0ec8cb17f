"""Resume points: which one a stage continues from."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from tests.train.tiny import engine
from train import checkpoint
from train.engine import Engine
from train.ranks import ProcessGroup
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


class Parts:
    """What an engine writes into a resume point."""

    def save(self, folder: Path) -> None:
        (folder / "rank0.pt").write_text("states")


def test_saving_leaves_the_new_point_alone_and_whole(tmp_path: Path) -> None:
    """The point before it goes, and so does what a killed attempt had begun to write or had published."""
    group = ProcessGroup(0, 1, 0)
    write_point(tmp_path, 5, ZERO)
    for name in ("partial-00000006", "partial-00000004", "step-00000006"):
        (tmp_path / "resume" / name).mkdir()
        (tmp_path / "resume" / name / "stale").touch()
    checkpoint.save(cast(Engine, Parts()), step=6, config=ZERO, group=group, out=tmp_path)
    files = sorted(str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*") if file.is_file())
    assert files == ["resume/step-00000006/engine.json", "resume/step-00000006/rank0.pt"]
    assert checkpoint.latest(tmp_path, ZERO) == checkpoint.ResumePoint(6, tmp_path / "resume" / "step-00000006")
    checkpoint.clear(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_ranks_meet_once_the_folder_exists_once_all_have_written_and_once_it_is_published(tmp_path: Path) -> None:
    seen: list[list[str]] = []

    class Meeting(ProcessGroup):
        def barrier(self) -> None:
            seen.append(sorted(str(path.relative_to(tmp_path / "resume")) for path in tmp_path.glob("resume/*/*")))
            seen[-1] += sorted(path.name for path in tmp_path.glob("resume/*"))

    checkpoint.save(cast(Engine, Parts()), step=6, config=ZERO, group=Meeting(0, 1, 0), out=tmp_path)
    files = ["step-00000006/engine.json", "step-00000006/rank0.pt"]
    assert seen == [
        ["partial-00000006"], ["partial-00000006/rank0.pt", "partial-00000006"], [*files, "step-00000006"]
    ]  # fmt: skip


def test_only_the_first_rank_publishes(tmp_path: Path) -> None:
    (tmp_path / "resume" / "partial-00000006").mkdir(parents=True)
    other = replace(ProcessGroup(0, 1, 0), rank=1)
    checkpoint.save(cast(Engine, Parts()), step=6, config=ZERO, group=other, out=tmp_path)
    assert [file.name for file in (tmp_path / "resume").iterdir()] == ["partial-00000006"]
    assert [file.name for file in (tmp_path / "resume" / "partial-00000006").iterdir()] == ["rank0.pt"]


def test_what_only_sizes_a_pass_does_not_tell_points_apart(tmp_path: Path) -> None:
    own = write_point(tmp_path, 3, ZERO)
    other = replace(ZERO, micro_tokens=7, pack=True, activation_checkpointing=True, checkpoint_steps=9)
    assert checkpoint.latest(tmp_path, other) == checkpoint.ResumePoint(3, own)
    assert checkpoint.latest(tmp_path / "elsewhere", ZERO) is None
