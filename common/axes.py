"""The axes of a sweep's cells as typed values, for places that group and plot by them.

They are read from the columns of the sweep's table that describe a cell.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

Value = bool | int | float | str

COMMAND = ("overrides", "settings")
"""Columns that say how to run a cell again; they are no axes."""

WHOLE = re.compile(r"[+-]?\d+")
NUMBER = re.compile(r"[+-]?(\d+/0*[1-9]\d*|(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?)")
"""Texts that are numbers: a fraction, a decimal, or one with an exponent."""


def swept(cells: Sequence[Mapping[str, Any]]) -> list[str]:
    """The config keys whose values differ between cells, in the order in which their overrides name them.

    A key that a cell leaves at its default differs from one that is given.
    """
    words = [_overrides(cell) for cell in cells]
    keys = dict.fromkeys(key for own in words for key in own)
    return [key for key in keys if len({own.get(key) for own in words}) > 1]


def typed_axes(cell: Mapping[str, Any], keys: Sequence[str] = ()) -> dict[str, Value]:
    """The axes of a cell, given the columns that describe it, with the swept ``keys`` among its overrides.

    Numbers, also those written as text, are numbers, and true and false are truth values; an amount such as 1/64 is
    its value, and its text stands beside it under the name with ``_text``. What a cell lacks is left out. A dot in a
    name becomes an underscore: places such as W&B read it as a key within a key.
    """
    words = _overrides(cell)
    columns = {name: value for name, value in cell.items() if name not in COMMAND}
    swept_columns = {key: words[key] for key in keys if key in words and key not in columns}
    axes: dict[str, Value] = {}
    for name, value in {**columns, **swept_columns}.items():
        plain = typed_name(name)
        typed = value if plain.endswith("_text") else _typed(value)
        if typed is not None:
            axes[plain] = typed
            if isinstance(value, str) and "/" in value and not isinstance(typed, str):
                axes.setdefault(f"{plain}_text", value)
    return axes


def typed_name(key: str) -> str:
    """The name of an axis among `typed_axes`."""
    return key.replace(".", "_")


def tags(cell: Mapping[str, Any], keys: Sequence[str]) -> list[str]:
    """The values of the swept ``keys`` in a cell's overrides, as KEY=VALUE."""
    words = _overrides(cell)
    return [f"{key}={words[key]}" for key in keys if key in words]


def _overrides(cell: Mapping[str, Any]) -> dict[str, str]:
    """The cell's overrides by key, without the marks that Hydra puts before a key."""
    words = (word.partition("=") for word in json.loads(cell.get("overrides") or "[]"))
    return {key.lstrip("+~"): value for key, _, value in words}


def _typed(value: Any) -> Value | None:
    """A value of a column as a number or truth value where it is or reads as one, else as text; None for a missing."""
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    text = str(value)
    if text in ("true", "false"):
        return text == "true"
    if WHOLE.fullmatch(text):
        return int(text)
    return float(Fraction(text)) if NUMBER.fullmatch(text) else text
