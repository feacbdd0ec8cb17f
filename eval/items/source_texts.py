"""The texts of a training file, whatever its format: every string in every row counts."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

ENDINGS = (".jsonl", ".json", ".csv", ".parquet")


def rows(path: Path) -> Iterator[list[str]]:
    """The texts of each row of a .jsonl, .json, .csv (each also .gz) or .parquet file, in order.

    A line that is not JSON is passed over: whoever trains on the file has a rule for it. ValueError for other endings.
    """
    for record in _records(path):
        yield list(strings(record))


def strings(value: Any) -> Iterator[str]:
    """Every string in a record, however deep."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for item in value.values() if isinstance(value, dict) else value:
            yield from strings(item)


def files(path: Path) -> list[Path]:
    """The file itself, or the readable files below a folder, in order."""
    if not path.is_dir():
        return [path]
    return sorted(file for file in path.rglob("*") if file.name.removesuffix(".gz").endswith(ENDINGS))


def _records(path: Path) -> Iterator[Any]:
    match Path(path.name.removesuffix(".gz")).suffix:
        case ".jsonl":
            with _text(path) as lines:
                for line in lines:
                    try:
                        yield json.loads(line) if line.strip() else None
                    except ValueError:
                        continue
        case ".json":
            with _text(path) as stream:
                yield from json.load(stream)
        case ".csv":
            with _text(path) as stream:
                yield from csv.DictReader(stream)
        case ".parquet":
            from pyarrow import parquet  # slow to import, and only needed here

            for batch in parquet.ParquetFile(path).iter_batches():
                yield from batch.to_pylist()
        case ending:
            raise ValueError(f"{path}: the ending {ending!r} is unknown; use one of: {', '.join(ENDINGS)} (or .gz)")


def _text(path: Path) -> IO[str]:
    if path.suffix == ".gz":
        return io.TextIOWrapper(gzip.open(path), encoding="utf-8", newline="")
    return path.open(encoding="utf-8", newline="")
