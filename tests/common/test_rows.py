"""Rows of files in every format, whole and damaged."""

from __future__ import annotations

import csv
import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from common.rows import READERS, count_rows, data_files, read_jsonl, read_rows, write_jsonl

RECORDS = [{"q": "one\ntwo", "a": "1"}, {"q": 'quo"te, comma', "a": "2"}, {"q": "drei Äpfel", "a": "3"}]


def write(path: Path, records: list[dict[str, Any]]) -> Path:
    """A file of the records in the format of its ending."""
    ending = Path(path.name.removesuffix(".gz")).suffix
    if ending == ".parquet":
        parquet.write_table(pa.Table.from_pylist(records), path)
        return path
    plain = path.with_name("plain")
    if ending == ".csv":
        with plain.open("w", newline="", encoding="utf-8") as stream:
            writer = csv.DictWriter(stream, list(records[0]))
            writer.writeheader()
            writer.writerows(records)
    else:
        lines = "\n".join(map(json.dumps, records)) + "\n\n"
        plain.write_text(lines if ending == ".jsonl" else json.dumps(records), encoding="utf-8")
    data = plain.read_bytes()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)
    plain.unlink()
    return path


NAMES = [f"rows{ending}{gz}" for ending in READERS for gz in ("", ".gz") if ending + gz != ".parquet.gz"]


@pytest.mark.parametrize("name", NAMES)
def test_every_format_gives_the_same_records_and_count(tmp_path: Path, name: str):
    path = write(tmp_path / name, RECORDS)
    assert [row.record for row in read_rows(path)] == RECORDS
    assert count_rows(path) == len(RECORDS)


@pytest.mark.parametrize(("name", "line"), [("r.jsonl", 2), ("r.json", 2), ("r.parquet", 2), ("r.csv", 4)])
def test_a_row_says_where_it_stands(tmp_path: Path, name: str, line: int):
    second = list(read_rows(write(tmp_path / name, RECORDS)))[1]
    assert (second.file, second.line) == (name, line)


def test_a_bad_line_is_a_row_with_a_problem_for_readers_and_an_error_for_objects(tmp_path: Path):
    path = tmp_path / "bad.jsonl"
    path.write_text('{"a": 1}\nnot json\n[3]\n')
    assert [bool(row.problem) for row in read_rows(path)] == [False, True, False]
    with pytest.raises(ValueError, match=r"bad\.jsonl:2 is not JSON"):
        read_jsonl(path)
    path.write_text('{"a": {"b": 1, "b": 2}}\n')
    with pytest.raises(ValueError, match=r"bad\.jsonl:1 has the key 'b' more than once; keep one"):
        read_jsonl(path)
    path.write_text('{"a": 1}\n[3]\n')
    with pytest.raises(ValueError, match=r"bad\.jsonl:2 holds \[3\], not an object"):
        read_jsonl(path)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("r.txt", "x", "the ending '.txt' is unknown; use one of"),
        ("r.json", "{", "line 1: is not JSON"),
        ("r.json", "{}", "holds dict, expected a list"),
        ("r.csv", 'a,b\n"x,1\n', "is not CSV"),
        ("r.csv", "a,b,a\n1,2,3\n", "two columns have the name 'a'; rename one"),
        ("r.csv", "a;b\n1;2\n", "its columns are separated by ';'; separate them by commas"),
        ("r.csv", "a\tb\n1\t2\n", "its columns are separated by '.t'; separate them by commas"),
        ("r.json", '[{"a": 1, "b": 2, "a": 3}]', "an object has the key 'a' more than once; keep one"),
    ],
)
def test_a_file_that_cannot_be_parsed_is_named(tmp_path: Path, name: str, text: str, message: str):
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=message):
        list(read_rows(tmp_path / name))


def test_a_missing_file_is_an_error_before_the_first_row(tmp_path: Path):
    with pytest.raises(ValueError, match="there is no such file"):
        read_rows(tmp_path / "none.csv")


def test_gzip_is_recognised_by_content_not_by_name(tmp_path: Path):
    (tmp_path / "r.jsonl").write_bytes(gzip.compress(b'{"a": 1}\n'))
    assert read_jsonl(tmp_path / "r.jsonl") == [{"a": 1}]


@given(st.lists(st.dictionaries(st.text(), st.none() | st.booleans() | st.integers() | st.text())))
def test_what_is_written_is_read_back(tmp_path_factory: pytest.TempPathFactory, records: list[dict[str, Any]]):
    path = tmp_path_factory.mktemp("rows") / "r.jsonl"
    write_jsonl(path, records)
    assert read_jsonl(path) == records
    assert [file.name for file in path.parent.iterdir()] == ["r.jsonl"]


def test_folders_give_the_files_that_can_be_read(tmp_path: Path):
    (tmp_path / "deep").mkdir()
    for name in ("a.jsonl", "deep/b.json.gz", "c.txt", "d.csv"):
        (tmp_path / name).touch()
    assert [file.name for file in data_files(tmp_path)] == ["a.jsonl", "d.csv", "b.json.gz"]
