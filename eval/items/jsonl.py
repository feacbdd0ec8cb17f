"""Files of test items: JSON lines, a JSON array, or the rows of a table, with checked fields."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from common.options import near
from common.rows import READERS, Reader, open_text, read_jsonl

Row = dict[str, Any]

WORDS = {
    str: "a text",
    int: "a whole number",
    float: "a number",
    list: "a list",
    dict: "an object",
    bool: "true or false",
}
"""What a value of each type is called in an error."""


def read(path: Path, fields: Mapping[str, str] | None = None) -> list[Row]:
    """The objects of a JSON-lines file, a JSON array, .csv or .parquet; text may be gzipped.

    Raises ValueError that names a line or row that is no object. ``fields`` maps a name used here to a column of the
    file; the column keeps its own name as well. Raises ValueError for a column that no row has.
    """
    reader = _reader(path) if path.is_file() else None
    rows = _objects(path, reader) if reader else read_jsonl(path)
    renamed = (fields or {}).items()
    for name, column in renamed:
        if rows and not any(column in row for row in rows):
            raise ValueError(
                f"{path} has no column {column!r}, which columns gives for {name!r}{near(column, rows[0])}; "
                f"it has: {', '.join(rows[0])}"
            )
    return [{**row, **{name: row[column] for name, column in renamed if column in row}} for row in rows]


def _reader(path: Path) -> Reader | None:
    """What reads a file that is not JSON lines; None for JSON lines."""
    ending = Path(path.name.removesuffix(".gz")).suffix
    if ending in (".csv", ".parquet"):
        return READERS[ending]
    with open_text(path, errors="replace") as text:
        # A line of JSON lines is an object.
        return READERS[".json"] if text.read(1 << 12).lstrip().startswith("[") else None


def _objects(path: Path, reader: Reader) -> list[Row]:
    rows = []
    for row in reader(path):
        if row.problem or not isinstance(row.record, dict):
            problem = row.problem or f'holds {row.record!r:.40}, not an object such as {{"id": 1}}'
            raise ValueError(f"{path}: {row.unit} {row.line} {problem}")
        rows.append(row.record)
    return rows


def field(path: Path, number: int, row: Mapping[str, Any], name: str, kind: type | tuple[type, ...]) -> Any:
    """``row[name]``, if it is of type ``kind``. Raises ValueError that names file, row (from 0) and field if not."""
    if name not in row:
        listed = ", ".join(row) or "none"
        raise ValueError(f"{path}: item {number} has no field {name!r}{near(name, row)}; it has: {listed}")
    if row[name] is None:
        raise ValueError(f"{path}: item {number}, field {name!r} is empty; give a value")
    if not isinstance(row[name], kind):
        kinds = " or ".join(WORDS[one] for one in (kind if isinstance(kind, tuple) else (kind,)))
        raise ValueError(f"{path}: item {number}, field {name!r}: {row[name]!r} is not {kinds}")
    return row[name]


def locate(source: Path, file: str) -> Path:
    """The file of items: ``source`` itself, or ``file`` inside it if it is a folder; ValueError for a folder alone."""
    if not source.is_dir():
        return source
    if not file:
        raise ValueError(f"{source} is a folder; name the file of items inside it")
    return source / file
