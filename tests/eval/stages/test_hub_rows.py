"""Items by hub id and revision: read through `datasets` from a repository's folder and from the cache, offline."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from eval.items.jsonl import read
from eval.spec.answers import ROWS
from eval.tasks import gsm8k
from tests.hub import Repository, serving

ROOT = Path(__file__).parents[3]
SHA = "0123456789abcdef0123456789abcdef01234567"
CARD = """---
configs:
- config_name: main
  data_files: [{split: train, path: main/train.jsonl}, {split: test, path: main/test.jsonl}]
- config_name: other
  data_files: [{split: test, path: other/test.jsonl}]
---
"""


def repository(folder):
    for config, split, count in (("main", "train", 4), ("main", "test", 3), ("other", "test", 1)):
        path = folder / config / f"{split}.jsonl"
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = [{"question": f"{config} {split} {number}?", "answer": f"#### {number}"} for number in range(count)]
        path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "README.md").write_text(CARD)
    return folder


def fetched(tmp_path, repo, revision, split, file="", **environment):
    """Run the stage in a process of its own, whose caches lie in ``tmp_path``; its folder and what it complained of."""
    out = tmp_path / "out"
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    code = (
        "import sys; from pathlib import Path\n"
        "from eval.stages import hub_rows; from eval.spec.answers import HubRows\n"
        "repo, revision, split, file, out = sys.argv[1:]; config = 'main' if split else None\n"
        "hub_rows.run(HubRows(repo, revision, config, split, file), {}, Path(out))"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code, str(repo), revision, split, file, str(out)], capture_output=True, text=True,
        env={**os.environ, "HF_HOME": str(tmp_path / "home"), "PYTHONPATH": str(ROOT), **environment},
    )  # fmt: skip
    return out, ended.stderr


def test_a_split_of_a_config_becomes_rows_that_tasks_read(tmp_path):
    out, _ = fetched(tmp_path, repository(tmp_path / "data"), "main", "test")
    assert [item["question"] for item in gsm8k.items(out / ROWS)] == [f"main test {number}?" for number in range(3)]


@pytest.mark.parametrize(("revision", "split", "count"), [("main", "train", 4), (SHA, "test", 3)])
def test_a_cached_revision_is_read_without_a_network(revision, split, count, tmp_path):
    """A hub cache as it is laid out after a download, and a process that may not ask the hub."""
    cache = tmp_path / "home" / "hub" / "datasets--openai--gsm8k"
    repository(cache / "snapshots" / SHA)
    (cache / "refs").mkdir()
    (cache / "refs" / "main").write_text(SHA)
    out, _ = fetched(tmp_path, "openai/gsm8k", revision, split, HF_HUB_OFFLINE="1")
    assert len(read(out / ROWS)) == count


def test_a_cached_data_set_without_the_config_names_those_that_it_has(tmp_path):
    cache = tmp_path / "home" / "hub" / "datasets--openai--gsm8k"
    repository(cache / "snapshots" / SHA)
    out, said = fetched(tmp_path, "openai/gsm8k", SHA, "dev", HF_HUB_OFFLINE="1")
    assert "'openai/gsm8k'" in said and "split 'dev', could not be read" in said
    assert not list(out.iterdir())


def test_a_file_is_downloaded_alone_and_read_from_the_cache_afterwards(tmp_path):
    files = {"data/talk.json": b"[{}]", "other.json": b"[]", "README.md": b"card"}
    with serving({"org/talk": Repository(SHA, files)}) as hub:
        out, _ = fetched(tmp_path, "org/talk", SHA, "", "data/talk.json", HF_ENDPOINT=hub)
        assert (out / "talk.json").read_bytes() == b"[{}]"
        out, said = fetched(tmp_path, "org/talk", SHA, "", "talk.json", HF_ENDPOINT=hub)
        assert f"'org/talk' at revision '{SHA}' has no file 'talk.json'" in said and not list(out.iterdir())
        out, said = fetched(tmp_path, "org/none", SHA, "", "talk.json", HF_ENDPOINT=hub)
        assert f"'org/none' at revision '{SHA}' could not be read (" in said and not list(out.iterdir())
    assert not list((tmp_path / "home").rglob("other.json"))
    out, _ = fetched(tmp_path, "org/talk", SHA, "", "data/talk.json", HF_HUB_OFFLINE="1")
    assert (out / "talk.json").read_bytes() == b"[{}]"


def test_a_file_of_a_local_folder_is_read_as_one_of_the_hub(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "talk.json").write_bytes(b"[1]")
    out, _ = fetched(tmp_path, tmp_path / "folder", "main", "", "talk.json")
    assert (out / "talk.json").read_bytes() == b"[1]"


def test_what_cannot_be_read_names_the_data_set_and_the_remedy(tmp_path):
    out, said = fetched(tmp_path, repository(tmp_path / "data"), "main", "dev")
    assert "config 'main', split 'dev', could not be read" in said and "give the path of a local copy" in said
    assert not list(out.iterdir())
