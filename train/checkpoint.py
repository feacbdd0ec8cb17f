"""Resume points. A new one is written beside the last, published by a rename, and only then is the last one removed."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from train.engine import Engine
from train.ranks import ProcessGroup
from train.spec import EngineConfig

FOLDER = "resume"
FINISHED = "step-"
PARTIAL = "partial-"


@dataclass(frozen=True)
class ResumePoint:
    """A finished resume point: the number of steps it contains, and its folder."""

    step: int
    folder: Path


def save(engine: Engine, *, step: int, config: EngineConfig, group: ProcessGroup, out: Path) -> None:
    """Write a resume point after ``step`` steps and remove all older ones. Every rank must call it.

    If the processes are killed at any moment, either the previous resume point or the new one is complete.
    """
    folder = out / FOLDER
    partial, finished = folder / f"{PARTIAL}{step:08d}", folder / f"{FINISHED}{step:08d}"
    if group.first:
        shutil.rmtree(partial, ignore_errors=True)  # left by a killed attempt
        partial.mkdir(parents=True)
    group.barrier()  # the folder exists
    engine.save(partial)
    group.barrier()  # every rank has written its part
    if group.first:
        (partial / "engine.json").write_text(json.dumps(geometry(config)) + "\n", encoding="utf-8")
        _sync(partial)
        shutil.rmtree(finished, ignore_errors=True)
        partial.rename(finished)
        for other in folder.iterdir():
            if other != finished:
                shutil.rmtree(other, ignore_errors=True)
    group.barrier()


def latest(out: Path, config: EngineConfig) -> ResumePoint | None:
    """The newest resume point with the `geometry` of ``config``, None if there is none."""
    folders = sorted((out / FOLDER).glob(f"{FINISHED}*"), reverse=True)
    for folder in folders:
        if json.loads((folder / "engine.json").read_text(encoding="utf-8")) == geometry(config):
            return ResumePoint(int(folder.name.removeprefix(FINISHED)), folder)
    return None


def clear(out: Path) -> None:
    """Remove every resume point."""
    shutil.rmtree(out / FOLDER, ignore_errors=True)


def geometry(config: EngineConfig) -> dict[str, object]:
    """The settings that must be equal for a resume point to load, since they decide how its states are sharded."""
    return {"name": config.name, "zero_stage": config.zero_stage, "offload": config.offload, "ranks": config.ranks}


def _sync(folder: Path) -> None:
    """Flush a folder and its files to disk, so that the rename never reaches the disk before the contents."""
    for path in [*(file for file in folder.rglob("*") if file.is_file()), folder]:
        handle = os.open(path, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)
