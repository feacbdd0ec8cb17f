"""A copy of the code in the store, run by worker processes and SLURM jobs, so that edits do not reach them."""

from __future__ import annotations

import compileall
import contextlib
import hashlib
import os
import shutil
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from common.start import ROOT
from sweep.stages.disk import SCRATCH

PACKAGES = ("common", "sweep", "train", "eval")
"""The packages that stages are built with."""


def take(folder: Path) -> Path:
    """Copy the packages into ``folder``, under a name that is the digest of their content; return the copy's path."""
    code = _read()
    final = folder / _digest(code)
    with contextlib.suppress(FileNotFoundError):
        os.utime(final)  # tells gc that it is in use
        return final
    scratch = folder / f"{final.name}.{os.getpid()}{SCRATCH}"
    for name, content in code.items():
        target = scratch / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    compileall.compile_dir(scratch, quiet=2)  # else the first process of every kind would
    with contextlib.suppress(OSError):  # another command made the same copy first
        scratch.rename(final)
    shutil.rmtree(scratch, ignore_errors=True)
    return final


@cache
def digest() -> str:
    """The digest of the code that this process runs, as it was at the first call."""
    return _digest(_read())


def _read() -> Mapping[str, bytes]:
    """The content of every file of the packages, by its path below their folder."""
    files = (path for package in PACKAGES for path in sorted((ROOT / package).rglob("*")))
    return {str(path.relative_to(ROOT)): path.read_bytes() for path in files if _is_code(path)}


def _digest(code: Mapping[str, bytes]) -> str:
    total = hashlib.sha256()
    for name, content in code.items():
        total.update(f"{name}\0{len(content)}\0".encode() + content)
    return total.hexdigest()[:16]


def _is_code(path: Path) -> bool:
    return path.is_file() and path.suffix not in (".pyc", ".pyo")
