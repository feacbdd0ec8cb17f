"""Cells of a CSV file that a spreadsheet would take for formulas."""

from __future__ import annotations

from typing import Any

FORMULA = ("=", "+", "-", "@", "\t", "\r")
QUOTE = "'"


def quoted(cell: Any) -> Any:
    """A cell as it is written: a text that begins like a formula gets a quote before it, numbers stay as they are."""
    return QUOTE + cell if isinstance(cell, str) and cell.startswith(FORMULA) and not _is_number(cell) else cell


def unquoted(cell: Any) -> Any:
    """The cell that `quoted` has written."""
    return cell[1:] if isinstance(cell, str) and cell.startswith(QUOTE) and cell[1:].startswith(FORMULA) else cell


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
