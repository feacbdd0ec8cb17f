"""Rules of ``exclude``: which cells of a sweep are left out."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from fractions import Fraction
from typing import Any

from common.options import near
from sweep.config.amount import Amount
from sweep.config.cell import Cell

LISTED = 12
"""Values of an axis that an error lists at most."""

_ABSENT = object()
_PLAIN = (str, int, float, bool, type(None))


def is_excluded(cell: Cell, swept: Mapping[str, Any]) -> bool:
    """Whether the cell has all values of one of its rules, as they were ``swept`` or as its config has them."""
    return any(
        all(_equal(swept.get(key, _ABSENT), value) or _equal(value_at(cell, key), value) for key, value in rule.items())
        for rule in cell.exclude
    )


def check_exclude(cells: Sequence[tuple[str, Cell, Mapping[str, Any]]], known: Collection[str]) -> None:
    """Raise a ValueError for a key in a rule that is not ``known`` and that no cell has, and for a value of no cell.

    The cells come with their labels and swept values.
    """
    for key, value in {(key, str(value)): None for rule in cells[0][1].exclude for key, value in rule.items()}:
        pairs = ((swept.get(key, _ABSENT), value_at(cell, key)) for _, cell, swept in cells)
        present = [own for pair in pairs for own in pair if own is not _ABSENT]
        if not present and key not in known:
            raise ValueError(f"exclude: {key} is not in the config{near(key, known)}")
        if not any(_equal(own, value) for own in present):
            values = list(dict.fromkeys(str(own) for own in present if isinstance(own, _PLAIN)))
            others = f"; the cells have {', '.join(values[:LISTED])}" if values else ""
            raise ValueError(f"exclude: no cell has {key}={value}{others}{near(value, values)}")


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
