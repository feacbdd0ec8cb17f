"""What a sweep has measured and a new plan of its name lacks: kept beside the sweep, with its table."""

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

    ``file`` is its sweep.json. The stages of the sweep then stay in use. A file that cannot be read says nothing of
    them and is left to be written anew.
    """
    try:
        scores = {job["key"] for job in json.loads(file.read_bytes())["jobs"] if job["kind"] == "score"}
    except (OSError, ValueError, KeyError, TypeError):
        return
    store = file.parents[2]
    if not any((store / "score" / key).exists() for key in scores - set(keys)):
        return
    earlier = file.parent / FOLDER
    number = 1 + max((int(path.name) for path in earlier.glob("*") if path.name.isdecimal()), default=0)
    aside = earlier / str(number)
    aside.mkdir(parents=True)
    for path in (*(file.with_name(name) for name in KEPT), file):
        if path.exists():
            path.rename(aside / path.name)
