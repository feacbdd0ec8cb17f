"""What the overrides of a sweep's cells say: which of them differ, and which run a cell again."""

from __future__ import annotations

import json
import shlex
from collections.abc import Collection, Sequence

OF_THE_COMMAND = ("name", "store", "workers", "dry_run", "replace", "exclude")
"""Keys that say nothing about a cell."""


def swept_keys(all_overrides: Sequence[Sequence[str]]) -> set[str]:
    """Keys whose values differ between the cells."""
    values: dict[str, set[str]] = {}
    for overrides in all_overrides:
        for override in overrides:
            key, _, value = override.partition("=")
            values.setdefault(key, set()).add(value)
    return {key for key, seen in values.items() if len(seen) > 1}


def without_grid(overrides: Sequence[str]) -> list[str]:
    """All overrides but the grid, whose swept values each cell has as overrides of its own."""
    return [text for text in overrides if text.partition("=")[0].lstrip("+") != "grid"]


def columns(overrides: Sequence[str], swept: Collection[str]) -> dict[str, str]:
    """The table's columns that say how to run a cell again.

    ``overrides`` is a JSON list of ``key=value`` texts. ``settings``, which goes with the next release, is a line of
    those that all cells share.
    """
    task = [text for text in overrides if _key(text) not in OF_THE_COMMAND and not _key(text).startswith("hydra")]
    shared = [text for text in without_grid(task) if text.partition("=")[0] not in swept]
    return {"overrides": json.dumps(task, ensure_ascii=False), "settings": shlex.join(shared)}


def _key(override: str) -> str:
    return override.partition("=")[0].lstrip("+~")
