"""Row counts and digests of users' files."""

import gzip
import json
import os
import subprocess
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from sweep.plan.files import Files
from sweep.stages.store import Store

ROWS = [{"q": "one\ntwo", "a": 1}, {"q": 'quo"te, comma', "a": 2}, {"q": "three", "a": 3}]


def write(path: Path) -> Path:
    match path.name.split(".", 1)[1]:
        case "jsonl":
            path.write_text("\n".join(map(json.dumps, ROWS)) + "\n\n")
        case "jsonl.gz":
            path.write_bytes(gzip.compress("\n".join(map(json.dumps, ROWS)).encode()))
        case "json":
            path.write_text(json.dumps(ROWS))
        case "csv":
            path.write_text('q,a\n"one\ntwo",1\n"quo""te, comma",2\nthree,3\n')
        case "parquet":
            parquet.write_table(pa.Table.from_pylist(ROWS), path)
    return path


@pytest.mark.parametrize("name", ["r.jsonl", "r.jsonl.gz", "r.json", "r.csv", "r.parquet"])
def test_rows_are_counted_in_every_format(tmp_path: Path, name: str):
    assert Files(Store(tmp_path / "store")).rows("data", str(write(tmp_path / name))) == 3


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("r.txt", "x", "the ending '.txt' is unknown"),
        ("r.json", "{", "not JSON"),
        ("r.json", "{}", "expected a list of rows"),
    ],
)
def test_what_cannot_be_counted_is_named(tmp_path: Path, name: str, text: str, message: str):
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=message) as problem:
        Files(Store(tmp_path / "store")).rows("data.sources.mine.path", str(tmp_path / name))
    assert "data.sources.mine.path" in str(problem.value)


def test_a_missing_file_is_named_with_its_place_in_the_config(tmp_path: Path):
    with pytest.raises(ValueError, match=r"data\.sources\.mine\.path=.*nowhere.* does not exist"):
        Files(Store(tmp_path)).file("data.sources.mine.path", str(tmp_path / "nowhere.jsonl"))


def test_a_file_replaced_by_an_older_one_of_equal_size_is_another(tmp_path: Path):
    """As ``cp -p`` would replace the weights of a model folder."""
    model = tmp_path / "model"
    model.mkdir()
    (model / "weights").write_text("old")
    (model / "config.json").write_text("{}")
    past = (model / "weights").stat().st_mtime - 1000
    os.utime(model / "weights", (past, past))  # so that the newest file of the folder stays the same
    store = Store(tmp_path / "store")
    files = Files(store)
    before = files.file("model.path", str(model)).digest
    files.save()
    other = tmp_path / "weights"
    other.write_text("new")
    os.utime(other, (past - 1000, past - 1000))
    other.replace(model / "weights")
    assert Files(store).file("model.path", str(model)).digest != before


def _in_place(weights: Path, other: Path) -> None:
    subprocess.run(["cp", "-p", other, weights], check=True)


def _by_rename(weights: Path, other: Path) -> None:
    other.replace(weights)


def _through_another_link(weights: Path, other: Path) -> None:
    link = other.with_name("link")
    os.link(weights, link)
    subprocess.run(["cp", "-p", other, link], check=True)


def _by_a_symlink(weights: Path, other: Path) -> None:
    weights.unlink()
    weights.symlink_to(other)


def _by_swapping_names(weights: Path, other: Path) -> None:
    (weights.parent / "config.json").rename(other.parent / "aside")
    weights.rename(weights.parent / "config.json")
    (other.parent / "aside").rename(weights)


REPLACEMENTS = [_in_place, _by_rename, _through_another_link, _by_a_symlink, _by_swapping_names]


@pytest.mark.parametrize("single", [True, False], ids=["file", "folder"])
@pytest.mark.parametrize("replace", REPLACEMENTS, ids=lambda function: function.__name__)
def test_whatever_way_content_of_equal_size_is_replaced_the_digest_changes(tmp_path: Path, replace, single: bool):
    """All files have the same size and the same time in nanoseconds, so that only the rest can tell them apart."""
    model = tmp_path / "model"
    model.mkdir()
    weights, other = model / "weights", tmp_path / "other"
    for path, text in ((weights, "old"), (model / "config.json", "new"), (other, "new")):
        path.write_text(text)
        os.utime(path, ns=(10**18, 10**18))
    store = Store(tmp_path / "store")
    files = Files(store)
    read = str(weights if single else model)
    before = files.file("model.path", read)
    files.save()
    replace(weights, other)
    assert weights.read_text() == "new"
    assert weights.stat().st_mtime_ns == 10**18
    after = Files(store).file("model.path", read)
    assert (after.digest != before.digest, after.stamp != before.stamp) == (True, True)


def test_a_symlink_that_points_to_other_content_is_another_file(tmp_path: Path):
    """As the files of a hub snapshot, which are links to blobs."""
    for name in ("a", "b"):
        (tmp_path / name).write_text(name)
        os.utime(tmp_path / name, ns=(10**18, 10**18))
    link = tmp_path / "weights"
    link.symlink_to(tmp_path / "a")
    store = Store(tmp_path / "store")
    files = Files(store)
    before = files.file("model.path", str(link)).digest
    files.save()
    link.unlink()
    link.symlink_to(tmp_path / "b")
    assert Files(store).file("model.path", str(link)).digest != before


def test_facts_are_remembered_until_the_file_changes(tmp_path: Path):
    path = write(tmp_path / "r.jsonl")
    store = Store(tmp_path / "store")
    first = Files(store)
    before = first.file("data", str(path)).digest
    first.rows("data", str(path))
    first.save()
    again = Files(store)
    assert again.rows("data", str(path)) == 3
    assert not again.fresh
    path.write_text(json.dumps(ROWS[0]) + "\n")
    changed = Files(store)
    assert changed.rows("data", str(path)) == 1
    assert changed.file("data", str(path)).digest != before
