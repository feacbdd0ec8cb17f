"""What verbs say of a sweep that has stopped, and of one whose models were removed."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.json_file import write_json
from sweep.cli import verbs
from sweep.cli.options import List, Named
from sweep.plan.files import Files
from sweep.plan.plan import make
from sweep.results.saved_sweep import SavedSweep, save
from sweep.stages import claims
from sweep.stages.store import Store
from tests.conftest import MATH_ALONE
from tests.sweep.composing import cell


def saved(store: Store, *words: str) -> SavedSweep:
    one = cell("upstream=[]", *MATH_ALONE, *words)
    return save(make("s", [("one", one, {})], Files(store)), store)


@pytest.fixture
def store(store_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    monkeypatch.setattr("sweep.stages.store.sync", list)  # not what is tested here, and slow
    return Store(store_path)


def test_what_was_stopped_is_called_interrupted_with_what_goes_on(store: Store):
    sweep = saved(store)
    stage = next(job.stage for job in sweep.jobs.values() if not job.stage.inputs)
    assert verbs.ls(List(store=str(store.root))).text == "s: 1 cell, 1 waiting", "a sweep that has just begun"
    store.partial(stage, "me").mkdir(parents=True)
    listed = verbs.ls(List(store=str(store.root), name="s"))
    first, cells = listed.text.splitlines()
    assert first == f"s: 1 cell, 1 interrupted; go on with: python -m sweep retry name=s store={store.root}"
    assert f"interrupted {stage.kind}: stopped before its end, by Ctrl-C or a kill; retry goes on from there" in cells
    assert listed.record["states"]["interrupted"] == 1
    with claims.held(store.claim(stage), "me"):
        assert verbs.ls(List(store=str(store.root))).text == "s: 1 cell, 1 running"


def test_collect_says_which_models_it_removed(store: Store):
    sweep = saved(store, "keep=scores")
    for job in sweep.jobs.values():
        with store.build(job.stage, "me") as out:
            metric = {"metric": "accuracy", "value": 0.5, "n_items": 4, "stderr": 0.25}
            counts = dict.fromkeys(("items", "flagged", "whole", "any_13", "short"), 0)
            write_json(out / "summary.json", {"metrics": [metric], "sources": {}, **counts})
    trained = sweep.jobs[sweep.cells[0].trained[-1]].stage
    assert verbs.collect(Named(store=str(store.root))).record["removed"] == [trained.name]
    assert verbs.collect(Named(store=str(store.root))).record["removed"] == []
