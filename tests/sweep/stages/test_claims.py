"""Claims: respected while their process lives, removed after its death wherever it was killed."""

import json
import os
from pathlib import Path

import pytest

import sweep.stages.claims
from sweep.stages import claims
from sweep.stages.claims import EXPIRY_SECONDS, Busy
from sweep.stages.store import Store
from tests.sweep.stages.processes import age, build, hold, kill_at, leave_claim, running, world


def test_a_live_claim_is_respected(store_path: Path):
    store = Store(store_path)
    with running(hold, store_path, "") as pid:
        assert store.owner(world(0))["pid"] == pid
        store.remove_dead_claims()
        with pytest.raises(Busy, match="victim"):
            build(store, world(0), "x", "second")


def test_the_claim_of_a_killed_process_is_taken_over(store_path: Path):
    store = Store(store_path)
    kill_at(hold, store_path, "")
    build(store, world(0), "mine")
    assert store.has(world(0))
    assert not list((store_path / "claims").iterdir())


def publish_and_hang(root: Path, hang) -> None:
    sweep.stages.claims.owner_of = hang  # called between publishing and releasing the claim
    build(Store(root), world(0), "whole")


@pytest.mark.parametrize(
    "meet", [lambda store: store.owner(world(0)), Store.remove_dead_claims], ids=["who asks for it", "who cleans up"]
)
def test_a_kill_between_publishing_and_releasing_leaves_a_claim_that_the_next_process_removes(store_path: Path, meet):
    store = Store(store_path)
    kill_at(publish_and_hang, store_path)
    assert store.has(world(0))
    assert store.claim(world(0)).exists()
    assert meet(store) is None
    assert not list((store_path / "claims").iterdir())


def take_and_hang(root: Path, hang) -> None:
    os.link = hang  # the scratch file is written, the claim is not there yet
    build(Store(root), world(0), "never")


def look_and_hang(root: Path, hang) -> None:
    Path.unlink = hang  # the clock's file is written
    Store(root).owner(world(0))


@pytest.mark.parametrize(("killed", "ending"), [(take_and_hang, ".new"), (look_and_hang, ".clock")])
def test_scratch_files_of_killed_processes_go_once_they_are_stale(store_path: Path, killed, ending: str):
    store = Store(store_path)
    leave_claim(store.claim(world(0)), host="elsewhere")
    kill_at(killed, store_path)
    (scratch,) = store_path.glob(f"claims/*{ending}")
    store.remove_dead_claims()
    assert scratch.exists()  # it might be another host's, written this moment
    age(scratch, EXPIRY_SECONDS + 60)
    store.remove_dead_claims()
    assert [path.name for path in (store_path / "claims").iterdir()] == [world(0).name]


def test_the_claim_of_another_host_expires_when_it_is_no_longer_touched(store_path: Path):
    store = Store(store_path)
    claim = leave_claim(store.claim(world(0)), host="elsewhere")
    with pytest.raises(Busy):
        build(store, world(0), "mine")
    age(claim, EXPIRY_SECONDS + 60)
    build(store, world(0), "mine")
    assert store.has(world(0))


def test_the_end_of_a_process_that_lost_its_claim_leaves_the_new_owners(store_path: Path):
    claim = store_path / "claims" / "world-0"
    with claims.held(claim, "slow"):
        claim.unlink()
        leave_claim(claim, owner="fast")
    assert claims.owner_of(claim) == "fast"


def test_a_live_claim_that_replaced_a_dead_one_in_the_last_moment_is_put_back(store_path: Path, monkeypatch):
    claim = leave_claim(store_path / "claims" / "world-0", owner="dead", host="elsewhere")
    age(claim)

    def replaced(path: Path) -> bool:
        path.unlink()
        leave_claim(path, owner="alive")
        return True

    monkeypatch.setattr(claims, "_is_dead", replaced)
    claims.remove_dead(claim)
    assert claims.owner_of(claim) == "alive"
    assert [path.name for path in claim.parent.iterdir()] == ["world-0"]


@pytest.mark.parametrize("text", ["", "{", "[]", json.dumps({"owner": "x"})])
def test_a_claim_that_cannot_be_read_is_dead(store_path: Path, text: str):
    store = Store(store_path)
    claim = leave_claim(store.claim(world(0)))
    claim.write_text(text)
    build(store, world(0), "mine")
    assert store.has(world(0))
