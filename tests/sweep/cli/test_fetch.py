"""``python -m sweep fetch``: what a saved sweep still reads from a hub comes into the cache, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.start import packaged_store
from sweep.plan.files import Files
from sweep.plan.plan import make
from sweep.plan.preflight import fetch_all
from sweep.results.saved_sweep import SavedSweep, save
from sweep.stages.store import Store
from tests.conftest import sweep
from tests.hub import Repository, serving
from tests.sweep.composing import cell

COMMIT = "0123456789abcdef0123456789abcdef01234567"
MODEL = next(file.parent for file in sorted(packaged_store().glob("train/*/model.safetensors")))
HUB = {
    "org/base": Repository(COMMIT, {file.name: file.read_bytes() for file in MODEL.iterdir()}),
    "org/rows": Repository(COMMIT, {"code_alpaca_20k.json": b"[]", "other.json": b"[]"}),
    "org/items": Repository(COMMIT, {"data/test.jsonl": b"{}", "README.md": b"card"}),
}


@pytest.fixture
def saved(store_path: Path) -> SavedSweep:
    """A sweep that reads a model, one file of a data set, and a whole data set."""
    place = "data=paper", "suite=base", "model=llama_7b", "recipe=paper", "ability=code"
    without = "~data.sources.sharegpt", "~data.sources.gsm8k_rft", "~suite.tasks.gsm8k", "~suite.tasks.mbpp"
    nodes = {"model": "base", "data.sources.code_alpaca": "rows", "suite.tasks.humaneval": "items"}
    hub = [f"{node}.{word}" for node, name in nodes.items() for word in (f"hub=org/{name}", f"revision={COMMIT}")]
    store = Store(store_path)
    return save(make("s", [("one", cell(*place, *without, *hub), {})], Files(store)), store)


def test_a_sweeps_repositories_are_fetched_once(saved: SavedSweep, store_path: Path, monkeypatch: pytest.MonkeyPatch):
    home = store_path.parent / "home"
    with serving(HUB) as hub:
        ended = sweep("fetch", "name=s", store=store_path, HF_ENDPOINT=hub, HF_HOME=str(home), HF_HUB_OFFLINE="0")
    assert ended.returncode == 0, ended.stderr
    *_, told = ended.stdout.splitlines()
    assert told == "s: 3 repositories fetched"
    assert f"fetching data set org/rows, revision {COMMIT}, file code_alpaca_20k.json" in ended.stdout
    cache = {
        repository.name: {str(file.relative_to(snapshot)) for file in snapshot.rglob("*.*")}
        for repository in (home / "hub").glob("*--*")
        for snapshot in repository.glob("snapshots/*")
    }
    assert cache["datasets--org--rows"] == {"code_alpaca_20k.json"}
    assert cache["datasets--org--items"] == {"data/test.jsonl", "README.md"}
    assert {"config.json", "model.safetensors", "tokenizer.json"} <= cache["models--org--base"]
    assert "metrics.jsonl" not in cache["models--org--base"]
    monkeypatch.setenv("HF_HOME", str(home))
    monkeypatch.delenv("HF_HUB_CACHE", raising=False)
    assert fetch_all((job.stage for job in saved.jobs.values()), pytest.fail) == 0


def test_a_repository_that_is_not_there_ends_fetch_in_one_line(saved: SavedSweep, store_path: Path):
    home = str(store_path.parent / "home")
    with serving({"org/rows": HUB["org/rows"]}) as hub:
        ended = sweep("fetch", store=store_path, HF_ENDPOINT=hub, HF_HOME=home, HF_HUB_OFFLINE="0")
    assert ended.returncode == 2 and "Traceback" not in ended.stderr
    assert ended.stderr.splitlines()[-1].startswith(
        f"error: the model 'org/base' at revision '{COMMIT}' could not be read"
    )
