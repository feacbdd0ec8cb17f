"""What names a file or folder: its content."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

CHUNK = 1 << 22


def digest(path: Path) -> str:
    """SHA-256 of a file, or of the names and contents of the files right inside a folder."""
    if path.is_dir():
        files = sorted(file for file in path.iterdir() if file.is_file())
        return key(*(f"{file.name} {digest(file)}" for file in files))
    found = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(CHUNK):
            found.update(part)
    return found.hexdigest()


def key(*parts: Any) -> str:
    """16 hex digits of plain values."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
