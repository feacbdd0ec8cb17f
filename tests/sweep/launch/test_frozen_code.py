"""A running sweep builds with one copy of the code, whatever happens to the files that it was started from."""

import json
import shutil
from pathlib import Path

from sweep.launch import states
from sweep.launch.workers import Server
from sweep.results import garbage
from sweep.results.saved_sweep import save, sweeps
from sweep.stages import snapshot
from sweep.stages.claims import EXPIRY_SECONDS
from sweep.stages.store import Store
from tests.conftest import HANG_SECONDS, MATH_ALONE, ROOT, TINY, command, sweep
from tests.sweep.composing import cell, plan
from tests.sweep.launch.test_hanging import wait_for, worker
from tests.sweep.stages.processes import age

SOURCE = ("common", "sweep", "train", "eval", "analysis", "hydra_plugins", "conf")


def test_edits_in_mid_sweep_reach_no_stage(store_path: Path, tmp_path: Path):
    """Every module of the stages is replaced by one that fails, as soon as the first stage is being built."""
    checkout = tmp_path / "check out"
    for name in SOURCE:
        shutil.copytree(ROOT / name, checkout / name, ignore=shutil.ignore_patterns("__pycache__"))
    running = command(
        *TINY, *MATH_ALONE, "fraction=1/4", "name=s", store=store_path, folder=checkout, PYTHONPATH=str(checkout)
    )
    wait_for(lambda: worker(store_path, "world") or running.poll() is not None)
    for package in ("train", "eval"):
        for module in (checkout / package).rglob("*.py"):
            module.write_text("raise RuntimeError('edited')\n")
    out, err = running.communicate(timeout=HANG_SECONDS)
    assert running.returncode == 0, out + err
    (copy,) = (store_path / "code").iterdir()
    records = [json.loads(path.read_bytes()) for path in store_path.glob("*/*/record.json")]
    assert {record["code"] for record in records} == {copy.name} == {snapshot.digest()}


def test_a_copy_is_made_once_for_each_code(store_path: Path, tmp_path: Path, monkeypatch):
    store = Store(store_path)
    first = snapshot.take(store.code)
    assert snapshot.take(store.code) == first
    assert list(store.code.iterdir()) == [first]
    for package in snapshot.PACKAGES:
        shutil.copytree(ROOT / package, tmp_path / package)
    (tmp_path / "train" / "loop.py").write_text("changed = 1\n")
    monkeypatch.setattr(snapshot, "ROOT", tmp_path)
    second = snapshot.take(store.code)
    assert second.name != first.name
    assert (second / "train" / "loop.py").read_text() == "changed = 1\n"
    assert (first / "train" / "loop.py").read_text() == (ROOT / "train" / "loop.py").read_text()


def old_copy(store: Store) -> Path:
    """A copy that another version of the code made long ago."""
    copy = store.code / "0123456789abcdef"
    shutil.copytree(snapshot.take(store.code), copy)
    age(copy)
    return copy


def test_gc_removes_copies_that_nothing_runs(store_path: Path):
    store = Store(store_path)
    copy = old_copy(store)
    own = snapshot.take(store.code)
    age(own)
    earlier = store.root / "sweeps" / "s" / "code" / copy.name  # where earlier versions kept them
    earlier.mkdir(parents=True)
    assert garbage.unused(store, queued=False).paths == (copy,)
    age(earlier)
    assert garbage.unused(store, queued=True).paths == ()
    garbage.remove(store, garbage.unused(store, queued=False))
    assert (own.exists(), copy.exists(), earlier.exists()) == (True, False, False)


def test_a_running_server_keeps_its_copy_from_gc(store_path: Path):
    store = Store(store_path)
    server = Server(store_path / "server.log", old_copy(store))
    try:
        wait_for(lambda: server.ended_within(0.2) or garbage.unused(store, queued=False).paths == ())
    finally:
        server.close()


def test_taking_a_copy_tells_gc_that_it_is_in_use(store_path: Path):
    copy = snapshot.take(store_path)
    age(copy)
    before = copy.stat().st_mtime
    assert snapshot.take(store_path).stat().st_mtime > before + EXPIRY_SECONDS


def test_copies_stay_while_slurm_does_not_say_what_is_queued(store_path: Path, tmp_path: Path, monkeypatch):
    """And nobody asks SLURM about a store that never submitted anything: it may be installed without a cluster."""
    squeue = tmp_path / "bin" / "squeue"
    squeue.parent.mkdir()
    squeue.write_text("#!/bin/sh\necho 'squeue: error: no cluster' >&2\nexit 1\n")
    squeue.chmod(0o755)
    store = Store(store_path)
    path = {"PATH": f"{squeue.parent}:/usr/bin:/bin"}
    monkeypatch.setenv("PATH", path["PATH"])
    assert not states.may_be_queued(store)
    save(plan(cell(), store=store_path), store)
    assert sweep("ls", store=store_path, **path).stderr == ""
    (name,) = sweeps(store)
    (store.sweep(name) / "jobs").mkdir()
    (store.sweep(name) / "jobs" / "0.json").write_text("{}")
    assert states.may_be_queued(store)
    assert "squeue failed (squeue: error: no cluster)" in sweep("ls", store=store_path, **path).stderr
