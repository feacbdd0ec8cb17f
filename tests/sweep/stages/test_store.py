"""The store: published whole or not at all, built once, damage noticed, claims that die with their owner."""

import json
import multiprocessing
import os
import signal
import socket
import time
from pathlib import Path

import pytest

import sweep.stages.store
from common.digest import digest_of
from sweep.stages.stage import Stage
from sweep.stages.store import Busy, Damaged, Store
from train.spec import WorldSpec


def world(seed: int) -> Stage:
    return Stage("world", WorldSpec(seed, 1, 1, 1, 1, 1), {})


def build(store: Store, stage: Stage, text: str, owner: str = "me") -> None:
    with store.build(stage, owner) as out:
        (out / "rows.txt").write_text(text)


def test_a_stage_appears_whole_or_not_at_all(store_path: Path):
    store = Store(store_path)
    with pytest.raises(RuntimeError, match="boom"), store.build(world(0), "me") as out:
        (out / "rows.txt").write_text("half")
        raise RuntimeError("boom")
    assert not store.has(world(0))
    assert store.owner(world(0)) is None
    build(store, world(0), "whole")
    assert store.has(world(0))
    assert (store.path(world(0)) / "rows.txt").read_text() == "whole"
    assert not list((store_path / "partial").iterdir())


def test_what_a_dead_attempt_left_is_there_for_the_next(store_path: Path):
    store = Store(store_path)
    with pytest.raises(RuntimeError), store.build(world(0), "first") as out:
        (out / "checkpoint").write_text("step 7")
        raise RuntimeError
    with store.build(world(0), "second") as out:
        assert (out / "checkpoint").read_text() == "step 7"


@pytest.mark.parametrize("harm", ["shorter", "lost", "foreign", "unsealed", "garbled"])
def test_damage_is_an_error_that_names_the_remedy(store_path: Path, harm: str):
    store = Store(store_path)
    build(store, world(0), "abcdef")
    folder = store.path(world(0))
    match harm:
        case "shorter":
            (folder / "rows.txt").write_text("abc")
        case "lost":
            (folder / "rows.txt").unlink()
        case "foreign":
            seal = json.loads((folder / "stage.json").read_text())
            (folder / "stage.json").write_text(json.dumps(seal | {"identity": {"kind": "world"}}))
        case "unsealed":
            (folder / "stage.json").unlink()
        case "garbled":
            (folder / "stage.json").write_text("{")
    with pytest.raises(Damaged, match="gc damaged=true"):
        store.has(world(0))


def test_a_living_claim_is_respected(store_path: Path):
    store = Store(store_path)
    with store.build(world(0), "first"):
        assert store.owner(world(0))["owner"] == "first"
        with pytest.raises(Busy, match="first"):
            build(store, world(0), "x", "second")


def leave_claim(store: Store, **changes) -> Path:
    claim = store.claim(world(0))
    claim.parent.mkdir(parents=True, exist_ok=True)
    claim.write_text(json.dumps({"owner": "gone", "host": socket.gethostname(), "pid": os.getpid()} | changes))
    return claim


def dead_pid() -> int:
    child = multiprocessing.get_context("spawn").Process(target=int)
    child.start()
    child.join()
    return child.pid


def test_the_claim_of_a_dead_process_is_taken_over(store_path: Path):
    store = Store(store_path)
    leave_claim(store, pid=dead_pid())
    assert store.owner(world(0)) is None
    build(store, world(0), "mine")
    assert store.has(world(0))


def test_the_claim_of_another_host_expires_when_it_falls_silent(store_path: Path):
    store = Store(store_path)
    claim = leave_claim(store, host="elsewhere")
    with pytest.raises(Busy):
        build(store, world(0), "mine")
    past = time.time() - sweep.stages.store.EXPIRY_SECONDS - 60
    os.utime(claim, (past, past))
    build(store, world(0), "mine")
    assert store.has(world(0))


def test_a_process_that_lost_its_claim_cannot_publish_or_write(store_path: Path):
    store = Store(store_path)
    with pytest.raises(Busy, match="took the work over"), store.build(world(0), "slow") as mine:
        (mine / "rows.txt").write_text("old")
        store.claim(world(0)).unlink()
        with store.build(world(0), "fast") as theirs:
            assert (theirs / "rows.txt").read_text() == "old"
            (theirs / "rows.txt").write_text("new")
        with pytest.raises(FileNotFoundError):
            (mine / "rows.txt").write_text("zombie")
    assert (store.path(world(0)) / "rows.txt").read_text() == "new"


def racer(root: Path, owner: int, start, executions) -> None:
    store = Store(root)
    start.wait()
    for number in range(8):
        stage = world(number)
        while not store.has(stage):
            try:
                with store.build(stage, f"p{owner}") as out:
                    if store.has(stage):
                        break
                    executions.put(number)
                    (out / "rows.txt").write_text(f"stage {number}")
            except Busy:
                time.sleep(0.005)


def test_sixteen_processes_race_for_eight_stages(store_path: Path):
    context = multiprocessing.get_context("fork")
    start, executions = context.Event(), context.Queue()
    racers = [context.Process(target=racer, args=(store_path, n, start, executions)) for n in range(16)]
    for process in racers:
        process.start()
    start.set()
    done = [executions.get(timeout=60) for _ in range(8)]
    for process in racers:
        process.join(60)
        assert process.exitcode == 0
    assert sorted(done) == list(range(8))
    assert executions.empty()


def hold(root: Path, ready) -> None:
    with Store(root).build(world(0), "victim") as out:
        (out / "checkpoint").write_text("step 3")
        ready.set()
        time.sleep(60)


def test_a_killed_owner_frees_the_stage_and_leaves_its_work(store_path: Path):
    context = multiprocessing.get_context("fork")
    ready = context.Event()
    victim = context.Process(target=hold, args=(store_path, ready))
    victim.start()
    assert ready.wait(30)
    os.kill(victim.pid, signal.SIGKILL)
    victim.join()
    with Store(store_path).build(world(0), "heir") as out:
        assert (out / "checkpoint").read_text() == "step 3"


def test_digest_sees_names_contents_and_nothing_else(tmp_path: Path):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").write_text("1")
    assert digest_of(tmp_path / "a") == digest_of(tmp_path / "b")
    (tmp_path / "b" / "x").rename(tmp_path / "b" / "y")
    assert digest_of(tmp_path / "a") != digest_of(tmp_path / "b")
