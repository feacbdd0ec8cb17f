"""Resume points: when they are saved, which one counts, and that one is always complete."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest

from tests.train.tiny import engine
from train import checkpoint
from train.engine import Engine
from train.ranks import ProcessGroup

ALONE = ProcessGroup(0, 1, 0)


def write_point(out: Path, step: int) -> Path:
    folder = out / "resume" / f"step-{step:08d}"
    folder.mkdir(parents=True)
    (folder / "resume.json").write_text(json.dumps({"format": checkpoint.FORMAT}))
    return folder


def test_the_newest_of_two_points_side_by_side_counts(tmp_path: Path) -> None:
    """A process killed between publishing a point and removing the last one leaves both."""
    write_point(tmp_path, 9)
    newest = write_point(tmp_path, 10)
    assert checkpoint.latest(tmp_path) == checkpoint.ResumePoint(10, newest)
    assert checkpoint.latest(tmp_path / "elsewhere") is None


def test_a_point_of_another_version_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "resume" / "step-00000006"
    folder.mkdir(parents=True)
    (folder / "engine.json").write_text("{}")  # as before there was a format
    with pytest.raises(ValueError, match=r"step-00000006: .* another version of Dosage; nothing was deleted"):
        checkpoint.latest(tmp_path)
    assert (folder / "engine.json").is_file()


class Files:
    """What an engine writes into a resume point."""

    def save(self, folder: Path) -> list[Path]:
        (folder / "00000-00000.safetensors").write_text("states")
        return [folder / "00000-00000.safetensors"]


def save(out: Path, group: ProcessGroup = ALONE) -> int:
    return checkpoint.save(cast(Engine, Files()), step=6, group=group, out=out)


def test_saving_leaves_the_new_point_alone_and_whole(tmp_path: Path) -> None:
    """The point before it goes, and so does what a killed attempt had begun to write or had published."""
    write_point(tmp_path, 5)
    for name in ("partial-00000006", "partial-00000004", "step-00000006"):
        (tmp_path / "resume" / name).mkdir()
        (tmp_path / "resume" / name / "stale").touch()
    assert save(tmp_path) == len("states")
    files = sorted(str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*") if file.is_file())
    assert files == ["resume/step-00000006/00000-00000.safetensors", "resume/step-00000006/resume.json"]
    assert checkpoint.latest(tmp_path) == checkpoint.ResumePoint(6, tmp_path / "resume" / "step-00000006")
    checkpoint.clear(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_ranks_meet_once_the_folder_exists_once_all_have_written_and_once_it_is_published(tmp_path: Path) -> None:
    seen: list[list[str]] = []

    class Meeting(ProcessGroup):
        def barrier(self) -> None:
            seen.append(sorted(str(path.relative_to(tmp_path / "resume")) for path in tmp_path.glob("resume/**/*")))

        def total(self, values: object) -> list[float]:
            self.barrier()
            return [0.0]

    save(tmp_path, Meeting(0, 1, 0))
    file = "00000-00000.safetensors"
    assert seen == [
        ["partial-00000006"],
        ["partial-00000006", f"partial-00000006/{file}"],
        ["step-00000006", f"step-00000006/{file}", "step-00000006/resume.json"],
    ]


def test_only_the_first_rank_publishes(tmp_path: Path) -> None:
    (tmp_path / "resume" / "partial-00000006").mkdir(parents=True)
    save(tmp_path, replace(ALONE, rank=1))
    assert [file.name for file in (tmp_path / "resume").iterdir()] == ["partial-00000006"]


def test_points_are_due_by_the_first_ranks_clock_and_by_steps(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    minutes = 0.0
    monkeypatch.setattr("train.checkpoint.time.monotonic", lambda: 60 * minutes)
    config = engine(checkpoint_minutes=30.0, checkpoint_steps=None)

    def saver(group: ProcessGroup = ALONE, **changes: int) -> checkpoint.Saver:
        return checkpoint.Saver(cast(Engine, Files()), replace(config, **changes), group, tmp_path, resumed=False)

    savers = (saver(), saver(replace(ALONE, rank=1)), saver(checkpoint_steps=4))
    first = savers[0]
    assert [each.is_due(8) for each in savers] == [False, False, True]
    minutes = 31.0
    assert [each.is_due(7) for each in savers] == [True, False, True]
    first.save(6)
    assert first.has_saved and first.timings["resume_point_bytes"] == len("states")
    minutes = 60.0
    assert not first.is_due(9)
