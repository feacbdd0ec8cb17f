"""Rules of ``exclude``: which cells of a sweep are left out."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any

from sweep.config.amount import Amount
from sweep.config.cell import Cell

_ABSENT = object()


def is_excluded(cell: Cell, swept: Mapping[str, Any]) -> bool:
    """Whether the cell has all values of one of its rules, as they were ``swept`` or as its config has them."""
    return any(
        all(_equal(swept.get(key, _ABSENT), value) or _equal(value_at(cell, key), value) for key, value in rule.items())
        for rule in cell.exclude
    )


def has_value(cell: Cell, key: str) -> bool:
    """Whether a dotted key names a value of the cell."""
    return value_at(cell, key) is not _ABSENT


def _equal(one: object, other: object) -> bool:
    """Whether two values are the same text or, as 1/4 and 0.25, the same number."""
    if str(one) == str(other):
        return True
    try:
        return Fraction(str(one)) == Fraction(str(other))
    except (ValueError, ZeroDivisionError):
        return False


def value_at(cell: Cell, key: str) -> object:
    """The value at a dotted key; of a group such as ``model`` its name, of an amount its text."""
    value: Any = cell
    for name in key.split("."):
        value = value.get(name, _ABSENT) if isinstance(value, dict) else getattr(value, name, _ABSENT)
    return value.text if isinstance(value, Amount) else getattr(value, "name", value)
