"""Files on disk: synced, cleared of what killed writers left, and digested once in a process."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from pathlib import Path

from common.digest import digest_of

SYNC_THREADS = 16

SCRATCH = ".tmp"
"""Ending of files and folders that are being written. A killed process leaves them behind."""


@contextlib.contextmanager
def locked(file: Path) -> Iterator[None]:
    """Let one process at a time into the blocks that name this file."""
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def sync(paths: Iterable[Path]) -> None:
    """Force the contents of files, and the entries of folders, to disk. Returns once all of them are there.

    The calls run side by side: the file system then commits its journal once for many of them, not once for each.
    """
    with ThreadPoolExecutor(SYNC_THREADS) as pool:
        list(pool.map(_sync, paths))


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as problem:
        if problem.errno != errno.EINVAL:  # some network file systems cannot sync a folder
            raise
    finally:
        os.close(handle)


def remove_scratch(folder: Path) -> None:
    """Remove every file and folder below ``folder`` that a killed process left half-written."""
    for path in [path for path in folder.rglob("*") if path.name.endswith(SCRATCH)]:
        remove(path)


def remove(path: Path) -> None:
    """Remove a file, or a folder with all that is in it."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def cached_digest(path: Path) -> str:
    """`digest_of`, read once in a process for as long as the `stamp` of the file or folder stays the same."""
    return _digest(path, stamp(path))


@cache
def _digest(path: Path, stamp: str) -> str:
    return digest_of(path)


def stamp(path: Path) -> str:
    """What changes when a file, or any file in a folder, is edited or replaced: names, sizes, times and inodes."""
    total = hashlib.sha256()
    for part in files_of(path):
        status = part.stat()
        facts = (status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino)
        total.update(f"{part.relative_to(path)}\0{facts}\0".encode())
    return total.hexdigest()[:16]


def files_of(path: Path) -> list[Path]:
    """The file itself, or every file in a folder, sorted by path."""
    return sorted(part for part in path.rglob("*") if part.is_file()) if path.is_dir() else [path]
