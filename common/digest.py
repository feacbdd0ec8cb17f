"""Digests that name content: of files and folders, and of plain values."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any


def digest_of(path: Path) -> str:
    """SHA-256 over a file's size and bytes, or over the relative names, sizes and bytes of all files below a folder.

    Returns the first 16 hex digits. The path itself does not count, so a file that was moved keeps its digest.
    """
    total = hashlib.sha256()
    for part in sorted(p for p in path.rglob("*") if p.is_file()) if path.is_dir() else [path]:
        total.update(f"{part.relative_to(path) if path.is_dir() else ''}\0{part.stat().st_size}\0".encode())
        with part.open("rb") as stream:
            while block := stream.read(1 << 22):
                total.update(block)
    return total.hexdigest()[:16]


def key_of(*values: Any) -> str:
    """The first 16 hex digits of SHA-256 over plain values (numbers, texts, lists, dictionaries) as JSON."""
    return hashlib.sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()[:16]
