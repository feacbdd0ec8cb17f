"""What verbs say of a sweep that has stopped, and of one whose models were removed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from common.json_file import write_json
from sweep.cli import verbs
from sweep.cli.options import List, Named
from sweep.launch import slurm, slurm_logs
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


def test_a_sweep_that_was_on_slurm_is_told_by_where_it_last_ran(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """SLURM does not answer; then it does, and no job is left. Then the sweep runs here, and is stopped."""
    sweep = saved(store)
    squeue = tmp_path / "bin" / "squeue"
    squeue.parent.mkdir()
    squeue.write_text("#!/bin/bash\necho the controller is away >&2\nexit 1\n")
    squeue.chmod(0o755)
    monkeypatch.setenv("PATH", f"{squeue.parent}:{os.environ['PATH']}")
    job = next(job for job in sweep.jobs.values() if not job.stage.inputs)
    folder = store.sweep("s")
    (folder / "jobs").mkdir()
    write_json(folder / "jobs" / "a.json", {"step": {}, "tasks": [[job.to_json()]]})
    write_json(folder / slurm_logs.REQUEST, {"settings": [{"submitit_folder": None}], "stages": {}})
    asked = List(store=str(store.root), name="s")
    assert f"waiting  {job.stage.kind}: submitted; SLURM does not answer" in verbs.ls(asked).text
    assert "the controller is away" in capsys.readouterr().err
    squeue.write_text("#!/bin/bash\n")
    assert f"dead     {job.stage.kind}: its SLURM job never started; retry submits it again" in verbs.ls(asked).text
    log = folder / "slurm" / "a" / "7_0_log.err"
    log.parent.mkdir(parents=True)
    log.write_text("stopped: cancelled\n")
    told = f"its SLURM job ended without a result; cancelled; SLURM's log: {log}; retry submits it again"
    assert told in verbs.ls(asked).text
    slurm.forget_request(store, "s")
    store.partial(job.stage, "me").mkdir(parents=True)
    assert f"interrupted {job.stage.kind}: stopped before its end" in verbs.ls(asked).text


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
