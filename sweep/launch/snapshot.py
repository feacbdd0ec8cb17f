"""A copy of the code for SLURM jobs, so that editing the checkout while they wait does not change what they run."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGES = ("common", "sweep", "train", "eval")


def take(folder: Path) -> Path:
    """Copy the packages into ``folder``, under a name that is the hash of their content; return the copy's path."""
    files = [path for package in PACKAGES for path in sorted((ROOT / package).rglob("*")) if _is_code(path)]
    total = hashlib.sha256()
    for path in files:
        total.update(f"{path.relative_to(ROOT)}\0{path.stat().st_size}\0".encode() + path.read_bytes())
    final = folder / total.hexdigest()[:16]
    if not final.exists():
        scratch = folder / f"{final.name}.{os.getpid()}.tmp"
        for path in files:
            target = scratch / path.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, target)
        with contextlib.suppress(OSError):  # another command made the same copy first
            scratch.rename(final)
        shutil.rmtree(scratch, ignore_errors=True)
    return final


def _is_code(path: Path) -> bool:
    return path.is_file() and path.suffix not in (".pyc", ".pyo")
