"""Rows of .jsonl, .json, .csv and .parquet files: read, count and write them. The text formats may be gzipped.

Text is UTF-8, with or without a byte order mark.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from common.wording import no_file

GZIP = b"\x1f\x8b"
"""The first two bytes of a gzip file (RFC 1952), whatever the file's name."""

SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
"""The JSON escape of half a character beyond U+FFFF; without its other half it is no text."""

NOT_UTF8 = "is not UTF-8 text; save the file as UTF-8, for example with iconv -f LATIN1 -t UTF-8"
HALF_CHARACTER = "holds half of a character (a lone surrogate such as \\ud83d); give its other half, or remove it"


@dataclass(frozen=True)
class Row:
    """One row of a file: its position (line 7 or row 7, from 1), and its record or the reason why there is none."""

    file: str
    unit: str
    line: int
    record: Any
    problem: str = ""


def read_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a .jsonl, .json, .csv (each also .gz) or .parquet file in order, or those of a folder's files.

    A .jsonl line that is not JSON, a .csv line with too many values, or a row that holds no text that UTF-8 can hold is
    a row with a `problem`; the caller decides what to do with it. Raises ValueError for a missing file, an unknown
    ending, and a file that cannot be parsed.
    """
    files = _files(path)
    return (row for file in files for row in READERS[_ending(file)](file))


def count_rows(path: Path) -> int:
    """The number of rows that `read_rows` yields. Raises the same errors."""
    return sum(_count_rows(file) for file in _files(path))


def _count_rows(path: Path) -> int:
    match _ending(path):
        case ".jsonl":
            with open_text(path, errors="replace") as lines:  # counting needs no parsing
                return sum(1 for line in lines if line.strip())
        case ".parquet":
            from pyarrow import parquet  # slow to import

            return int(parquet.read_metadata(path).num_rows)
    return sum(1 for _ in READERS[_ending(path)](path))


def _files(path: Path) -> list[Path]:
    """The file, or the files of a folder in order; all must have one ending, so that no other file is taken for data.

    Raises ValueError for a missing or empty folder or file, and for an unknown ending.
    """
    if path.is_dir():
        files = data_files(path)
        endings = sorted({_ending(file) for file in files})
        if len(endings) != 1:
            contents = f"files that end in {', '.join(endings)}" if endings else "no file of rows"
            raise ValueError(
                f"{path} is a folder with {contents}; name a file, or a folder whose files have one ending"
            )
        return files
    if _ending(path) not in READERS:
        raise ValueError(f"{path}: the ending {_ending(path)!r} is unknown; use one of: {', '.join(READERS)} (or .gz)")
    if not path.is_file():
        raise ValueError(f"{path}: there is no such file; check the path")
    return [path]


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """The objects of a JSON-lines file of any name. Raises ValueError that names the first line that is not one."""
    if not path.is_file():
        raise ValueError(f"{no_file(path)}; give a file of JSON lines")
    records = []
    for row in _jsonl(path):
        if row.problem:
            raise ValueError(f"{path}:{row.line} {row.problem}")
        if not isinstance(row.record, dict):
            raise ValueError(f'{path}:{row.line} holds {row.record!r:.40}, not an object such as {{"id": 1}}')
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


def open_text(path: Path, errors: str = "strict") -> IO[str]:
    """Open a UTF-8 text file, gzipped or not, with its newlines untouched; ``errors`` is that of `open`."""
    with path.open("rb") as start:
        gzipped = start.read(2) == GZIP
    if gzipped:
        return io.TextIOWrapper(gzip.open(path), encoding="utf-8-sig", errors=errors, newline="")
    return path.open(encoding="utf-8-sig", errors=errors, newline="")


@contextmanager
def _utf8(path: Path) -> Iterator[IO[str]]:
    """The file as strict UTF-8 text. Raises ValueError that names it where it is not."""
    try:
        with open_text(path) as stream:
            yield stream
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: {NOT_UTF8} (byte 0x{error.object[error.start]:02x})") from None


def _ending(path: Path) -> str:
    return Path(path.name.removesuffix(".gz")).suffix


def _jsonl(path: Path) -> Iterator[Row]:
    with open_text(path, errors="surrogateescape") as lines:  # bytes that are not UTF-8 concern their line alone
        for number, line in enumerate(lines, start=1):
            if line.strip():
                yield _json_line(path, number, line)


def _json_line(path: Path, number: int, line: str) -> Row:
    if not _is_text(line):
        return Row(path.name, "line", number, None, NOT_UTF8)
    try:
        record = json.loads(line, object_pairs_hook=_object)
    except json.JSONDecodeError as error:
        return Row(
            path.name,
            "line",
            number,
            None,
            f"is not JSON ({error.msg} at column {error.colno}); write one object a line",
        )
    except _KeyTwice as error:
        return Row(path.name, "line", number, None, str(error))
    if SURROGATE.search(line) and not _is_text(json.dumps(record, ensure_ascii=False)):
        return Row(path.name, "line", number, None, HALF_CHARACTER)
    return Row(path.name, "line", number, record)


class _KeyTwice(Exception):
    pass


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A JSON object. Raises _KeyTwice for one with two values for a key, of which Python would keep the last."""
    made = dict(pairs)
    if len(made) < len(pairs):
        keys = [key for key, _ in pairs]
        raise _KeyTwice(f"has the key {max(keys, key=keys.count)!r} more than once; keep one")
    return made


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _json(path: Path) -> Iterator[Row]:
    with _utf8(path) as stream:
        text = stream.read()
    lines = "give it the ending .jsonl if it holds one object per line"
    try:
        records = json.loads(text, object_pairs_hook=_object)
    except _KeyTwice as error:
        raise ValueError(f"{path}: an object {error}") from None
    except json.JSONDecodeError as error:
        raise ValueError(
            f"{path}, line {error.lineno}: is not JSON ({error.msg} at column {error.colno}); "
            f"correct the file, or {lines}"
        ) from error
    if not isinstance(records, list):
        raise ValueError(f"{path}: holds {type(records).__name__}, expected a list of rows; {lines}")
    has_escapes = SURROGATE.search(text) is not None
    for number, record in enumerate(records, start=1):
        broken = has_escapes and not _is_text(json.dumps(record, ensure_ascii=False))
        yield Row(path.name, "row", number, None if broken else record, HALF_CHARACTER if broken else "")


def _csv(path: Path) -> Iterator[Row]:
    with _utf8(path) as stream:
        reader = csv.DictReader(stream, strict=True)
        _check_header(path, reader.fieldnames or [])
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


def _check_header(path: Path, names: Sequence[str]) -> None:
    """Raise ValueError for a CSV file whose columns cannot be told apart."""
    if twice := [name for number, name in enumerate(names) if name in names[:number]]:
        raise ValueError(f"{path}: two columns have the name {twice[0]!r}; rename one")
    if len(names) == 1 and (other := re.search(r"[;\t|]", names[0])):
        raise ValueError(f"{path}: its columns are separated by {other[0]!r}; separate them by commas")


def _parquet(path: Path) -> Iterator[Row]:
    from pyarrow import ArrowException, parquet  # slow to import

    try:
        file = parquet.ParquetFile(path)
    except ArrowException as problem:
        raise ValueError(f"{path}: not a Parquet file: {problem}") from None
    number = 0
    for batch in file.iter_batches():
        for place in range(0, batch.num_rows):
            number += 1
            try:
                yield Row(path.name, "row", number, batch.slice(place, 1).to_pylist()[0])
            except UnicodeDecodeError:
                yield Row(path.name, "row", number, None, NOT_UTF8)


Reader = Callable[[Path], Iterator[Row]]
READERS: dict[str, Reader] = {".jsonl": _jsonl, ".json": _json, ".csv": _csv, ".parquet": _parquet}
