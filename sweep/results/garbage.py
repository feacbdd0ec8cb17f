"""What ``gc`` removes from a store: unused or damaged stages, abandoned work, and leftovers of killed processes."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from sweep.results import replaced
from sweep.results.sweep_files import used_stages
from sweep.stages import claims, snapshot
from sweep.stages.claims import EXPIRY_SECONDS
from sweep.stages.disk import SCRATCH
from sweep.stages.stage import REVISION
from sweep.stages.store import SEAL, Damaged, Store, Unreadable

KEY = re.compile(r"[0-9a-f]{16}")
"""The name of a stage's folder. A folder of another name was not made by a store and is never removed."""

PARTIAL = re.compile(r"[a-z]+-[0-9a-f]{16}\..+")
DISCARDED = re.compile(r".+\.[0-9a-f]{12}")
"""Names of a stage's unfinished work, and of what `Store.discard` has moved into the trash."""

RESUME_SECONDS = 7 * 86400.0
"""Unfinished work of a sweep is kept this long after its last change, so that training can resume from it."""


@dataclass(frozen=True)
class Garbage:
    """Files and folders to remove, their total size in bytes, and a sentence on everything that had to be kept."""

    paths: tuple[Path, ...]
    size: int
    kept: tuple[str, ...] = ()


def damaged(store: Store) -> Garbage:
    """Published stages whose content is not what was published. Reads every file of the store's stages."""
    paths, kept = [], []
    for folder in _published(store):
        try:
            store.verify(folder)
        except Unreadable as problem:
            kept.append(str(problem))
        except Damaged:
            paths.append(folder)
    return Garbage(tuple(paths), size_of(paths), tuple(kept))


def unused(store: Store, name: str | None = None, queued: bool = False) -> Garbage:
    """Stages that no sweep uses, unfinished work that no process will resume, and leftovers of killed processes.

    With the name of a sweep also what it has replaced, which counts as used otherwise: its tables and its stages.
    ``queued`` says that SLURM jobs may still need the copies of the code that they were submitted with. While a
    sweep.json cannot be read, nobody knows which stages its sweep uses, and no stage is garbage.
    """
    earlier = store.sweep(name) / replaced.FOLDER if name else None
    used, unreadable = used_stages(store, earlier)
    folders = {store.own(stage) for stage in used}
    stages = [] if unreadable else [folder for folder in _published(store) if folder not in folders]
    spent = {store.spent(stage) for stage in used}
    stages += [] if unreadable else [path for path in _spent(store) if path not in spent]
    tables = [earlier] if earlier is not None and earlier.exists() else []
    paths = [*tables, *stages, *_abandoned(store, None if unreadable else folders), *_leftovers(store)]
    paths += [] if queued else _old_code(store)
    kept = tuple(f"stages that no sweep uses are kept: {problem}" for problem in unreadable)
    return Garbage(tuple(paths), size_of(paths), kept)


def remove(store: Store, garbage: Garbage) -> None:
    """Remove the garbage, and the claims of dead processes."""
    store.remove_dead_claims()
    for path in garbage.paths:
        store.discard(path)


def _published(store: Store) -> Iterator[Path]:
    """The folders of finished stages, including those that have lost their stage.json and those of former kinds."""
    folders = {path for kind in REVISION for path in store.root.glob(f"{kind}/*") if KEY.fullmatch(path.name)}
    folders |= {path.parent for path in store.root.glob(f"*/*/{SEAL}")}
    yield from sorted(path for path in folders if path.parent.name not in ("partial", "trash"))


def _spent(store: Store) -> Iterator[Path]:
    """The records of removed models."""
    yield from sorted(path for path in store.root.glob("spent/*/*") if KEY.fullmatch(path.name))


def _abandoned(store: Store, used: Collection[Path] | None) -> Iterator[Path]:
    """Unfinished work without a live owner that is published by now, or used by no sweep, or too old to resume."""
    now = claims.file_system_time(store.root / "claims")
    for partial in sorted(path for path in store.root.glob("partial/*") if PARTIAL.fullmatch(path.name)):
        stage = partial.name.rsplit(".", 1)[0]
        final = store.root.joinpath(*stage.rsplit("-", 1))
        resumable = (used is None or final in used) and not final.exists()
        if claims.holder(store.root / "claims" / stage):
            continue
        if not resumable or now - _changed(partial) > RESUME_SECONDS:
            yield partial


def _leftovers(store: Store) -> Iterator[Path]:
    """Scratch files outside of stages whose writers were killed, and what a killed ``gc`` had still to remove."""
    now = claims.file_system_time(store.root / "claims")
    for pattern in ("*", "failed/*", "code/*", "spent/*/*", "sweeps/**/*"):
        for path in sorted(store.root.glob(pattern)):
            if path.name.endswith(SCRATCH) and now - _changed(path) > EXPIRY_SECONDS:
                yield path
    yield from sorted(path for path in store.root.glob("trash/*") if DISCARDED.fullmatch(path.name))


def _old_code(store: Store) -> Iterator[Path]:
    """Copies of other versions of the code that no worker server has touched for a while."""
    now = claims.file_system_time(store.root / "claims")
    for path in sorted([*store.code.glob("*"), *store.root.glob("sweeps/*/code/*")]):  # the latter by earlier versions
        if KEY.fullmatch(path.name) and path.name != snapshot.digest() and now - path.stat().st_mtime > EXPIRY_SECONDS:
            yield path


def _changed(path: Path) -> float:
    """Time of the last change of a file, or of anything in a folder; the present for one that has just gone."""
    return max((status.st_mtime for status in _statuses(path)), default=float("inf"))


def size_of(paths: Collection[Path]) -> int:
    """Bytes of files and folders; what another process removes meanwhile does not count."""
    return sum(part.st_size for path in paths for part in _statuses(path, folders=False))


def _statuses(path: Path, folders: bool = True) -> Iterator[os.stat_result]:
    for part in (path, *path.rglob("*")):
        with contextlib.suppress(FileNotFoundError):
            if folders or part.is_file():
                yield part.stat()
