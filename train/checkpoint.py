"""Resume points. A new one is written beside the last, published by a rename, and only then is the last one removed."""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from train import parts
from train.engine import Engine
from train.parts import Block
from train.ranks import ProcessGroup
from train.spec import RESUME_BYTES, EngineConfig

FOLDER = "resume"
FINISHED = "step-"
PARTIAL = "partial-"
MARK = "resume.json"
"""The file that says how a resume point is written."""

FORMAT = 2

SOON = 0.9
"""Share of the minutes between two points from which on a rank looks for room: clocks of ranks differ a little."""


@dataclass(frozen=True)
class ResumePoint:
    """A finished resume point: the number of steps it contains, and its folder."""

    step: int
    folder: Path


class Writing:
    """A resume point that every rank is writing into one folder.

    In the background a thread writes a copy of the state while training goes on. It calls no collective operation:
    these belong to the training's own thread.
    """

    def __init__(self, engine: Engine, step: int, group: ProcessGroup, out: Path, *, background: bool) -> None:
        self.step, self.group, self.background = step, group, background
        self.partial = out / FOLDER / f"{PARTIAL}{step:08d}"
        self.began = time.monotonic()
        self.seconds = 0.0
        self.files: list[Path] = []
        self.problem: BaseException | None = None
        if group.first:
            for unfinished in self.partial.parent.glob(f"{PARTIAL}*"):  # left by killed attempts
                shutil.rmtree(unfinished)
            self.partial.mkdir(parents=True)
        group.barrier()  # the folder exists
        self.thread = threading.Thread(target=self._try_to_write, daemon=True)
        self.blocks: Iterable[Block] = engine.blocks(copied=background)
        if background:
            self.blocks = _handed_over(list(self.blocks))
            self.thread.start()
        else:
            self._write()

    def _try_to_write(self) -> None:
        try:
            self._write()
        except BaseException as problem:  # of this thread; raised again in the training's
            self.problem = problem

    def _write(self) -> None:
        self.files = parts.write(self.blocks, self.partial, self.group.rank)
        sync(self.files)
        self.seconds = time.monotonic() - self.began

    def is_written(self) -> bool:
        """Whether this rank's files are on disk. Raises what kept them from being written."""
        if self.background and self.thread.is_alive():
            return False
        if self.problem is not None:
            raise self.problem
        return True

    def publish(self) -> int:
        """Wait for the files of all ranks, make them the resume point, remove all older ones, and return its size.

        Every rank must call it. If the processes are killed at any moment, either the previous resume point or the new
        one is complete.
        """
        if self.background:
            self.thread.join()
        self.is_written()
        # By the end of this every rank has written its files.
        size = self.group.total([sum(file.stat().st_size for file in self.files)])[0]
        finished = self.partial.with_name(f"{FINISHED}{self.step:08d}")
        if self.group.first:
            mark, content = self.partial / MARK, {"format": FORMAT, "step": self.step, "ranks": self.group.size}
            mark.write_text(json.dumps(content) + "\n", encoding="utf-8")
            sync([mark, self.partial])
            shutil.rmtree(finished, ignore_errors=True)
            self.partial.rename(finished)
            for other in finished.parent.iterdir():
                if other != finished:
                    shutil.rmtree(other, ignore_errors=True)
        self.group.barrier()
        return int(size)


def _handed_over(blocks: list[Block]) -> Iterator[Block]:
    """The blocks in turn; none is held any longer than until it is written."""
    blocks.reverse()
    while blocks:
        yield blocks.pop()


class Saver:
    """Saves resume points when they are due, in the background where there is room, and measures how long that takes.

    A point that is due by the clock is written while training goes on, if every rank has room in its host's memory for
    a copy of its state and as much again. One that is due by the number of steps, or before the process or the stage
    ends, is on disk before training goes on.
    """

    def __init__(self, engine: Engine, config: EngineConfig, group: ProcessGroup, out: Path, *, resumed: bool) -> None:
        self.engine, self.config, self.group, self.out = engine, config, group, out
        self.has_saved = resumed
        self.timings: dict[str, float] = {}
        self.writing: Writing | None = None
        self._last = time.monotonic()

    def votes(self, step: int) -> list[float]:
        """What this rank says after ``step`` steps, for the sums over all ranks that `go_on` takes.

        Whether a point is due by the number of steps; by the clock, of which the first rank's counts for all; whether
        there is room for a copy; whether the point that is being written is on disk.
        """
        every = self.config.checkpoint_steps
        by_steps = every is not None and step % every == 0
        if self.writing is not None:
            return [by_steps, False, False, self.writing.is_written()]
        late = (time.monotonic() - self._last) / (60 * self.config.checkpoint_minutes)
        room = late > SOON and 2 * RESUME_BYTES * self.engine.held() <= self.group.host_room()
        return [by_steps, late >= 1 and self.group.first, room, False]

    def is_due(self, votes: Sequence[float]) -> bool:
        """Whether `go_on` begins a resume point."""
        return votes[0] > 0 or votes[1] > 0

    def go_on(self, step: int, votes: Sequence[float]) -> None:
        """Begin a resume point that is due, or publish the one that all ranks have written. Every rank must call it."""
        by_steps, by_clock, room, written = votes
        if by_steps or (by_clock and room < self.group.size):
            self.save(step)
        elif by_clock:
            self._begin(step, background=True)
        elif written == self.group.size:
            self._publish()

    def save(self, step: int) -> None:
        """Save a resume point and wait for it. Every rank must call it."""
        if self.writing is not None:
            self._publish()
        self._begin(step, background=False)
        self._publish()

    def _begin(self, step: int, *, background: bool) -> None:
        self.writing = Writing(self.engine, step, self.group, self.out, background=background)
        self._last, self.has_saved = time.monotonic(), True

    def _publish(self) -> None:
        assert self.writing is not None
        size = self.writing.publish()
        self.timings = {"resume_point_seconds": self.writing.seconds, "resume_point_bytes": size}
        self.writing = None


def latest(out: Path) -> ResumePoint | None:
    """The newest resume point, None if there is none.

    Raises a ValueError if this version cannot read it: training from step 0 would delete it.
    """
    folders = sorted((out / FOLDER).glob(f"{FINISHED}*"))
    if not folders:
        return None
    newest = folders[-1]
    mark = newest / MARK
    if not mark.is_file() or json.loads(mark.read_text(encoding="utf-8")).get("format") != FORMAT:
        raise ValueError(
            f"{newest}: this resume point was written by another version of Dosage; nothing was deleted: finish the "
            f"stage with that version, or delete {newest.parent} to start from step 0"
        )
    return ResumePoint(int(newest.name.removeprefix(FINISHED)), newest)


def clear(out: Path) -> None:
    """Remove every resume point."""
    shutil.rmtree(out / FOLDER, ignore_errors=True)


def sync(paths: Iterable[Path]) -> None:
    """Flush files and folders to disk, so that the rename never reaches the disk before the contents."""
    for path in paths:
        handle = os.open(path, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)
