"""JSON lines: how items are read and records written. Torch-free."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

Row = dict[str, Any]

GZIP = b"\x1f\x8b"  # how a gzipped file begins, whatever its name


def read(path: Path, fields: Mapping[str, str] | None = None) -> list[Row]:
    """The objects of a JSON-lines file, which may be gzipped; a bad line is a ValueError that names it.

    ``fields`` gives a name of ours to a column of the file; its own name stays as well.
    """
    if not path.is_file():
        raise ValueError(f"{path} does not exist; give a JSON-lines file of test items")
    data = path.read_bytes()
    text = (gzip.decompress(data) if data.startswith(GZIP) else data).decode()
    found = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            row = _parsed(path, number, line)
            found.append({**row, **{ours: row[theirs] for ours, theirs in (fields or {}).items() if theirs in row}})
    return found


def _parsed(path: Path, number: int, line: str) -> Row:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise ValueError(f"{path}:{number} is not JSON: {error}") from None
    if not isinstance(row, dict):
        raise ValueError(f"{path}:{number} holds {type(row).__name__}, not an object")
    return row


def field(path: Path, number: int, row: Mapping[str, Any], name: str, kind: type | tuple[type, ...]) -> Any:
    """``row[name]``, of type ``kind``; otherwise a ValueError that names file, row (from 0) and field."""
    if name not in row:
        raise ValueError(f"{path}: item {number} has no field {name!r}; it has: {', '.join(row)}")
    if not isinstance(row[name], kind):
        wanted = " or ".join(one.__name__ for one in (kind if isinstance(kind, tuple) else (kind,)))
        raise ValueError(f"{path}: item {number}, field {name!r}: {type(row[name]).__name__} instead of {wanted}")
    return row[name]


def locate(source: Path, file: str) -> Path:
    """The file of items: ``source`` itself, or ``file`` inside it when it is a folder."""
    if not source.is_dir():
        return source
    if not file:
        raise ValueError(f"{source} is a folder; name the file of items inside it")
    return source / file


def write(path: Path, rows: Iterable[Mapping[str, Any]]) -> None:
    """Write one object a line, through a temporary name, so that the file is whole or absent."""
    partial = path.with_name(path.name + ".writing")
    with partial.open("w", encoding="utf-8") as file:
        file.writelines(line(row) for row in rows)
    partial.replace(path)


def line(row: Mapping[str, Any]) -> str:
    """One record as its line of the file."""
    return json.dumps(row, ensure_ascii=False) + "\n"


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write one indented object."""
    path.write_text(json.dumps(value, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
