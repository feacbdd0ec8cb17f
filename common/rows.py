"""Rows of .jsonl, .json, .csv and .parquet files: read, count and write them. The text formats may be gzipped."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

GZIP = b"\x1f\x8b"
"""The first two bytes of a gzip file (RFC 1952), whatever the file's name."""


@dataclass(frozen=True)
class Row:
    """One row of a file: its position (line 7 or row 7, from 1), and its record or the reason why there is none."""

    file: str
    unit: str
    line: int
    record: Any
    problem: str = ""


def read_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a .jsonl, .json, .csv (each also .gz) or .parquet file in order.

    A .jsonl line that is not JSON, or a .csv line with too many values, is a row with a `problem`; the caller decides
    what to do with it. Raises ValueError for a missing file, an unknown ending, and a file that cannot be parsed.
    """
    ending = _ending(path)
    if ending not in READERS:
        raise ValueError(f"{path}: the ending {ending!r} is unknown; use one of: {', '.join(READERS)} (or .gz)")
    if not path.is_file():
        raise ValueError(f"{path}: there is no such file; check the path")
    return READERS[ending](path)


def count_rows(path: Path) -> int:
    """The number of rows that `read_rows` yields. Raises the same errors."""
    match _ending(path):
        case ".jsonl":
            with open_text(path) as lines:  # counting needs no parsing
                return sum(1 for line in lines if line.strip())
        case ".parquet":
            from pyarrow import parquet  # slow to import

            return int(parquet.read_metadata(path).num_rows)
    return sum(1 for _ in read_rows(path))


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSON-lines file of any name. Raises ValueError that names the first line that is not one."""
    if not path.is_file():
        raise ValueError(f"{path} does not exist; give an existing JSON-lines file")
    records = []
    for row in _jsonl(path):
        if row.problem:
            raise ValueError(f"{path}:{row.line} {row.problem}")
        if not isinstance(row.record, dict):
            raise ValueError(f"{path}:{row.line} holds {type(row.record).__name__}, not an object")
        records.append(row.record)
    return records


def write_jsonl(path: Path, records: Iterable[Mapping[str, Any]]) -> None:
    """Write one JSON object a line. The file appears whole or not at all."""
    scratch = path.with_name(path.name + ".tmp")
    with scratch.open("w", encoding="utf-8") as file:
        file.writelines(jsonl_line(record) for record in records)
    scratch.replace(path)


def jsonl_line(record: Mapping[str, Any]) -> str:
    """A record as its line of a JSON-lines file, with the newline."""
    return json.dumps(record, ensure_ascii=False) + "\n"


def data_files(path: Path) -> list[Path]:
    """``path`` itself, or if it is a folder the files below it that `read_rows` can read, in order."""
    if not path.is_dir():
        return [path]
    return sorted(file for file in path.rglob("*") if _ending(file) in READERS)


def open_text(path: Path) -> IO[str]:
    """Open a UTF-8 text file, gzipped or not, with its newlines untouched."""
    with path.open("rb") as start:
        gzipped = start.read(2) == GZIP
    if gzipped:
        return io.TextIOWrapper(gzip.open(path), encoding="utf-8", newline="")
    return path.open(encoding="utf-8", newline="")


def _ending(path: Path) -> str:
    return Path(path.name.removesuffix(".gz")).suffix


def _jsonl(path: Path) -> Iterator[Row]:
    with open_text(path) as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                yield Row(path.name, "line", number, json.loads(line))
            except json.JSONDecodeError as error:
                yield Row(path.name, "line", number, None, f"is not JSON ({error.msg} at column {error.colno})")


def _json(path: Path) -> Iterator[Row]:
    with open_text(path) as stream:
        try:
            records = json.load(stream)
        except json.JSONDecodeError as error:
            raise ValueError(
                f"{path}, line {error.lineno}: is not JSON ({error.msg} at column {error.colno}); "
                "correct the file, or give it the ending .jsonl if it holds one object per line"
            ) from error
    if not isinstance(records, list):
        raise ValueError(f"{path}: holds {type(records).__name__}, expected a list of rows")
    for number, record in enumerate(records, start=1):
        yield Row(path.name, "row", number, record)


def _csv(path: Path) -> Iterator[Row]:
    with open_text(path) as stream:
        reader = csv.DictReader(stream, strict=True)
        while True:
            line = reader.line_num + 1
            try:
                record: dict[Any, Any] = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                raise ValueError(f"{path}, line {line}: is not CSV ({error}); correct the quotes") from error
            extra = record.pop(None, None)
            problem = f"has {len(extra)} value(s) more than the header has columns" if extra else ""
            yield Row(path.name, "line", reader.line_num, record, problem)


def _parquet(path: Path) -> Iterator[Row]:
    from pyarrow import parquet  # slow to import

    records = (record for batch in parquet.ParquetFile(path).iter_batches() for record in batch.to_pylist())
    for number, record in enumerate(records, start=1):
        yield Row(path.name, "row", number, record)


Reader = Callable[[Path], Iterator[Row]]
READERS: dict[str, Reader] = {".jsonl": _jsonl, ".json": _json, ".csv": _csv, ".parquet": _parquet}
