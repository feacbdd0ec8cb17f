"""Resume points: when they are saved, which one counts, and that one is always complete."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
import torch
from safetensors.torch import load_file

from tests.train.tiny import engine
from train import checkpoint, parts
from train.engine import Engine
from train.parts import Block
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
    """What an engine gives for a resume point."""

    def blocks(self, *, copied: bool) -> Iterator[Block]:
        yield Block({"weight:0:w": torch.ones(3)})

    def held(self) -> int:
        return 3


def save(out: Path, group: ProcessGroup = ALONE) -> int:
    return checkpoint.Writing(cast(Engine, Files()), 6, group, out, background=False).publish()


def test_saving_leaves_the_new_point_alone_and_whole(tmp_path: Path) -> None:
    """The point before it goes, and so does what a killed attempt had begun to write or had published."""
    write_point(tmp_path, 5)
    for name in ("partial-00000006", "partial-00000004", "step-00000006"):
        (tmp_path / "resume" / name).mkdir()
        (tmp_path / "resume" / name / "stale").touch()
    size = save(tmp_path)
    assert size == (tmp_path / "resume/step-00000006/00000-00000.safetensors").stat().st_size
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

    def due(step: int) -> list[bool]:
        return [each.is_due(each.votes(step)) for each in savers]

    savers = (saver(), saver(replace(ALONE, rank=1)), saver(checkpoint_steps=4))
    first = savers[0]
    assert due(8) == [False, False, True]
    minutes = 31.0
    assert due(7) == [True, False, True]
    first.save(6)
    assert first.has_saved and first.timings["resume_point_bytes"] > 0
    minutes = 60.0
    assert not first.is_due(first.votes(9))


class Held(Files):
    """An engine with a parameter that training goes on to change."""

    def __init__(self) -> None:
        self.weight = torch.zeros(5)

    def blocks(self, *, copied: bool) -> Iterator[Block]:
        optimizer = torch.optim.AdamW([self.weight])
        return parts.blocks([parts.Part("w", 0, 5, self.weight)], optimizer, copied=copied)


def waiting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Held, checkpoint.Saver, threading.Event]:
    """A saver whose background write waits for the event."""
    held, release = Held(), threading.Event()
    config = engine(checkpoint_minutes=1e-9, checkpoint_steps=None)
    write = parts.write

    def slow(*arguments: Any) -> list[Path]:
        if threading.current_thread() is not threading.main_thread():
            assert release.wait(60)
        return write(*arguments)

    monkeypatch.setattr("train.parts.write", slow)
    return held, checkpoint.Saver(cast(Engine, held), config, ALONE, tmp_path, resumed=False), release


def test_a_point_is_written_while_training_goes_on_and_holds_the_state_of_its_step(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, saver, release = waiting(tmp_path, monkeypatch)
    write_point(tmp_path, 1)
    saver.go_on(2, saver.votes(2))
    held.weight += 1
    for step in (3, 4):
        saver.go_on(step, saver.votes(step))
        point = checkpoint.latest(tmp_path)
        assert point is not None and point.step == 1, "the new one is not on disk yet"
    release.set()
    assert saver.writing is not None
    saver.writing.thread.join()
    saver.go_on(5, saver.votes(5))
    point = checkpoint.latest(tmp_path)
    assert point is not None and point.step == 2 and saver.writing is None
    (file,) = point.folder.glob("*.safetensors")
    assert load_file(file)["weight:0:w"].tolist() == [0.0] * 5
    assert [folder.name for folder in (tmp_path / "resume").iterdir()] == ["step-00000002"]


def test_the_end_waits_for_the_point_that_is_being_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, saver, release = waiting(tmp_path, monkeypatch)
    saver.go_on(2, saver.votes(2))
    threading.Timer(0.1, release.set).start()
    saver.save(3)
    assert [folder.name for folder in (tmp_path / "resume").iterdir()] == ["step-00000003"]


def test_a_write_that_fails_in_the_background_ends_the_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, saver, release = waiting(tmp_path, monkeypatch)
    saver.go_on(2, saver.votes(2))
    assert saver.writing is not None
    (tmp_path / "resume" / "partial-00000002").rmdir()
    release.set()
    saver.writing.thread.join()
    with pytest.raises(Exception, match="No such file"):
        saver.votes(3)
    assert checkpoint.latest(tmp_path) is None


def test_without_room_for_a_copy_on_every_rank_training_waits(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, saver, _ = waiting(tmp_path, monkeypatch)
    for room, background in ((2 * 12 * 3, 1), (2 * 12 * 3 - 1, 0)):
        monkeypatch.setattr(ProcessGroup, "host_room", lambda _, room=room: room)
        assert saver.votes(2)[2] == background
    saver.go_on(2, saver.votes(2))
    point = checkpoint.latest(tmp_path)
    assert point is not None and point.step == 2 and saver.writing is None
