"""What a sweep has measured and a new plan of its name lacks, or may lack: kept beside the sweep, with its table."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

FOLDER = "replaced"
"""The folder in that of a sweep which holds what was replaced, in numbered folders."""

KEPT = ("table.csv", "table.parquet", "items.parquet", "overlap.csv", "cells")
"""What is kept with the file of the replaced sweep."""


def keep(file: Path, keys: Collection[str]) -> None:
    """Move a saved sweep aside, with its table, where it has scores whose keys are not among the new plan's ``keys``.

    ``file`` is its sweep.json. The stages of the sweep then stay in use. So do those of a sweep whose file is lost or
    cannot be read: nobody knows which they are, and ``gc`` removes none until the sweep is given up.
    """
    present = [path for path in (*(file.with_name(name) for name in KEPT), file) if path.exists()]
    if not present or _is_within(file, keys):
        return
    earlier = file.parent / FOLDER
    number = 1 + max((int(path.name) for path in earlier.glob("*") if path.name.isdecimal()), default=0)
    aside = earlier / str(number)
    aside.mkdir(parents=True)
    for path in present:
        path.rename(aside / path.name)


def _is_within(file: Path, keys: Collection[str]) -> bool:
    """Whether every score that the sweep in ``file`` has measured is among ``keys``; False where it cannot be read."""
    try:
        scores = {job["key"] for job in json.loads(file.read_bytes())["jobs"] if job["kind"] == "score"}
    except (OSError, ValueError, KeyError, TypeError):
        return False
    return not any((file.parents[2] / "score" / key).exists() for key in scores - set(keys))
