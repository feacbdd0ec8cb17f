"""The texts of a training file, whatever its format: every string in every row."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from common.rows import read_rows


def rows(path: Path) -> Iterator[list[str]]:
    """The texts of each row of a file that `read_rows` can read, in order.

    Rows with a problem are passed over: the training that uses the file decides about them by its own setting.
    """
    for row in read_rows(path):
        if not row.problem:
            yield list(strings(row.record))


def strings(value: Any) -> Iterator[str]:
    """Every string in a record, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        # Keys are left out: they are the same in every row.
        for item in value.values() if isinstance(value, dict) else value:
            yield from strings(item)
