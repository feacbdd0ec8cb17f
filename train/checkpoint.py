"""Resume points. A new one is written beside the last, published by a rename, and only then is the last one removed."""

from __future__ import annotations

import json
import os
import shutil
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from train.engine import Engine
from train.ranks import ProcessGroup
from train.spec import EngineConfig

FOLDER = "resume"
FINISHED = "step-"
PARTIAL = "partial-"
MARK = "resume.json"
"""The file that says how a resume point is written."""

FORMAT = 2


@dataclass(frozen=True)
class ResumePoint:
    """A finished resume point: the number of steps it contains, and its folder."""

    step: int
    folder: Path


class Saver:
    """Saves resume points when they are due, and measures how long that takes."""

    def __init__(self, engine: Engine, config: EngineConfig, group: ProcessGroup, out: Path, *, resumed: bool) -> None:
        self.engine, self.config, self.group, self.out = engine, config, group, out
        self.has_saved = resumed
        self.timings: dict[str, float] = {}
        self._last = time.monotonic()

    def is_due(self, step: int) -> bool:
        """Whether this rank is for a resume point after ``step`` steps; the first rank's clock counts for all."""
        every = self.config.checkpoint_steps
        late = self.group.first and time.monotonic() - self._last >= 60 * self.config.checkpoint_minutes
        return late or (every is not None and step % every == 0)

    def save(self, step: int) -> None:
        """Save a resume point. Every rank must call it."""
        began = time.monotonic()
        size = save(self.engine, step=step, group=self.group, out=self.out)
        self._last, self.has_saved = time.monotonic(), True
        self.timings = {"resume_point_seconds": self._last - began, "resume_point_bytes": size}


def save(engine: Engine, *, step: int, group: ProcessGroup, out: Path) -> int:
    """Write a resume point after ``step`` steps, remove all older ones, and return its size. Every rank must call it.

    If the processes are killed at any moment, either the previous resume point or the new one is complete.
    """
    folder = out / FOLDER
    partial, finished = folder / f"{PARTIAL}{step:08d}", folder / f"{FINISHED}{step:08d}"
    if group.first:
        for unfinished in folder.glob(f"{PARTIAL}*"):  # left by killed attempts
            shutil.rmtree(unfinished)
        partial.mkdir(parents=True)
    group.barrier()  # the folder exists
    files = engine.save(partial)
    sync(files)
    size = group.total([sum(file.stat().st_size for file in files)])[0]  # by then every rank has written its files
    if group.first:
        mark = partial / MARK
        mark.write_text(json.dumps({"format": FORMAT, "step": step, "ranks": group.size}) + "\n", encoding="utf-8")
        sync([mark, partial])
        shutil.rmtree(finished, ignore_errors=True)
        partial.rename(finished)
        for other in folder.iterdir():
            if other != finished:
                shutil.rmtree(other, ignore_errors=True)
    group.barrier()
    return int(size)


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
