"""Files of test items: JSON lines with checked fields."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from common.rows import read_jsonl

Row = dict[str, Any]


def read(path: Path, fields: Mapping[str, str] | None = None) -> list[Row]:
    """The objects of a JSON-lines file, which may be gzipped. Raises ValueError that names a line that is not one.

    ``fields`` maps a name used here to a column of the file; the column keeps its own name as well.
    """
    rows = read_jsonl(path)
    renamed = (fields or {}).items()
    return [{**row, **{name: row[column] for name, column in renamed if column in row}} for row in rows]


def field(path: Path, number: int, row: Mapping[str, Any], name: str, kind: type | tuple[type, ...]) -> Any:
    """``row[name]``, if it is of type ``kind``. Raises ValueError that names file, row (from 0) and field if not."""
    if name not in row:
        raise ValueError(f"{path}: item {number} has no field {name!r}; it has: {', '.join(row)}")
    if not isinstance(row[name], kind):
        kinds = " or ".join(one.__name__ for one in (kind if isinstance(kind, tuple) else (kind,)))
        raise ValueError(f"{path}: item {number}, field {name!r}: {type(row[name]).__name__} instead of {kinds}")
    return row[name]


def locate(source: Path, file: str) -> Path:
    """The file of items: ``source`` itself, or ``file`` inside it if it is a folder; ValueError for a folder alone."""
    if not source.is_dir():
        return source
    if not file:
        raise ValueError(f"{source} is a folder; name the file of items inside it")
    return source / file
