"""Resume points: written beside the last one, published by one rename, and only then is the last one removed."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from train.engine import Trainer
from train.ranks import Group
from train.spec import EngineConfig

FOLDER = "resume"
POINT = "step-"
PARTIAL = "partial-"


@dataclass(frozen=True)
class Point:
    """A finished resume point: the number of steps done, and its folder."""

    step: int
    folder: Path


def save(trainer: Trainer, *, step: int, engine: EngineConfig, group: Group, out: Path) -> None:
    """Write a resume point after ``step`` steps; a process killed at any moment leaves the old one or the new one."""
    home = out / FOLDER
    partial, final = home / f"{PARTIAL}{step:08d}", home / f"{POINT}{step:08d}"
    if group.first:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
    group.barrier()
    trainer.save(partial)
    group.barrier()
    if group.first:
        (partial / "engine.json").write_text(json.dumps(geometry(engine)) + "\n", encoding="utf-8")
        _flush(partial)
        shutil.rmtree(final, ignore_errors=True)
        partial.rename(final)
        for other in home.iterdir():
            if other != final:
                shutil.rmtree(other, ignore_errors=True)
    group.barrier()


def latest(out: Path, engine: EngineConfig) -> Point | None:
    """The newest resume point that this engine can take up; None if there is none.

    States are sharded by engine, ZeRO stage and number of ranks, so a point of another geometry is not used.
    """
    points = sorted((out / FOLDER).glob(f"{POINT}*"), reverse=True)
    for folder in points:
        if json.loads((folder / "engine.json").read_text(encoding="utf-8")) == geometry(engine):
            return Point(int(folder.name.removeprefix(POINT)), folder)
    return None


def clear(out: Path) -> None:
    """Remove every resume point."""
    shutil.rmtree(out / FOLDER, ignore_errors=True)


def geometry(engine: EngineConfig) -> dict[str, object]:
    """What must be equal between the run that saved and the run that goes on."""
    return {"name": engine.name, "zero_stage": engine.zero_stage, "offload": engine.offload, "ranks": engine.ranks}


def _flush(folder: Path) -> None:
    """Force the files to disk, so that the rename never outlives its contents."""
    for path in [*(file for file in folder.rglob("*") if file.is_file()), folder]:
        handle = os.open(path, os.O_RDONLY)
        os.fsync(handle)
        os.close(handle)
