"""What the overrides of a sweep's cells say: which of them differ, and which run a cell again."""

from __future__ import annotations

import json
import shlex
from collections.abc import Collection, Mapping, Sequence
from typing import Any

OF_THE_COMMAND = ("name", "store", "upstream", "workers", "dry_run", "json", "replace", "keep", "exclude")
"""Keys that say nothing about a cell."""

DESIGN = ("model", "strategy", "ability", "ratio_arm", "ratio", "fraction", "replay", "seed")
"""Keys that a cell's label begins with, in this order."""

UNSAID = ("engine", "tracker")
"""Beginnings of keys that say how a cell runs. They do not enter its label."""


def swept_keys(all_overrides: Sequence[Sequence[str]]) -> set[str]:
    """Keys whose values differ between the cells."""
    values: dict[str, set[tuple[str, ...]]] = {}
    for overrides in all_overrides:
        own: dict[str, list[str]] = {}
        for override in overrides:
            key, _, value = override.partition("=")
            own.setdefault(key, []).append(value)
        for key, listed in own.items():
            values.setdefault(key, set()).add(tuple(listed))
    return {key for key, seen in values.items() if len(seen) > 1}


def label_of(overrides: Sequence[str]) -> str:
    """A cell's label: its overrides, those of `DESIGN` first, the others in alphabetical order.

    It is the same in every sweep that has the cell by these overrides, whichever of them the sweep varies.
    """
    return ",".join(_label_words(overrides)) or "default"


Given = Sequence[str] | str
"""What is known of a cell: its overrides, or else its label."""


def given(label: str, factors: Mapping[str, Any]) -> Given:
    """The overrides of a cell, from its columns; its label where they do not hold them."""
    return json.loads(factors["overrides"]) if "overrides" in factors else label  # type: ignore[no-any-return]


def short_labels(cells: Sequence[Given], between: str = ",") -> tuple[str, list[str]]:
    """The part of the labels that all cells share, and what is left of each; ``between`` stands between overrides."""
    words = [[own] if isinstance(own, str) else _label_words(own) for own in cells]
    shared = {word for word in words[0] if len(words) > 1 and all(word in own for own in words)}
    return between.join(word for word in words[0] if word in shared), [
        between.join(word for word in own if word not in shared) or "default" for own in words
    ]


def at_cell(cells: Sequence[Given], number: int) -> str:
    """``cell LABEL: ``, the beginning of an error on one of these cells; nothing where it is the only one."""
    return f"cell {short_labels(cells)[1][number]}: " if len(cells) > 1 else ""


def _label_words(overrides: Sequence[str]) -> list[str]:
    own = [word for word in without_grid(overrides) if _is_of_the_cell(word) and not word.startswith(UNSAID)]
    place = {key: number for number, key in enumerate(DESIGN)}
    return sorted(own, key=lambda word: (place.get(_key(word), len(DESIGN)), _key(word)))


def _is_of_the_cell(override: str) -> bool:
    return _key(override) not in OF_THE_COMMAND and not _key(override).startswith("hydra")


def without_grid(overrides: Sequence[str]) -> list[str]:
    """All overrides but the grid, whose swept values each cell has as overrides of its own."""
    return [text for text in overrides if text.partition("=")[0].lstrip("+") != "grid"]


def columns(overrides: Sequence[str], swept: Collection[str]) -> dict[str, str]:
    """The table's columns that say how to run a cell again.

    ``overrides`` is a JSON list of ``key=value`` texts. ``settings``, which goes with the next release, is a line of
    those that all cells share.
    """
    task = [text for text in overrides if _is_of_the_cell(text)]
    shared = [text for text in without_grid(task) if text.partition("=")[0] not in swept]
    return {"overrides": json.dumps(task, ensure_ascii=False), "settings": shlex.join(shared)}


def _key(override: str) -> str:
    return override.partition("=")[0].lstrip("+~")
