"""What gc removes, and what it must never remove."""

import json
import shutil
from pathlib import Path

import pytest

from common.json_file import write_json
from sweep.results import garbage
from sweep.stages.claims import EXPIRY_SECONDS
from sweep.stages.store import Damaged, Store
from tests.sweep.stages.processes import age, build, hold, kill_at, leave_claim, running, world


@pytest.fixture
def store(store_path: Path) -> Store:
    """Two published stages; the sweep s uses `world(0)` alone."""
    store = Store(store_path)
    for seed in (0, 1):
        build(store, world(seed), "abcdef")
    save(store, "s", 0)
    return store


def save(store: Store, name: str, *seeds: int) -> Path:
    """A sweep.json that uses worlds of these seeds, as far as gc reads it."""
    folder = store.root / "sweeps" / name  # also names that only older versions allowed
    folder.mkdir(parents=True, exist_ok=True)
    jobs = [{"kind": "world", "key": world(seed).key, "spec": {"of": "another version"}} for seed in seeds]
    write_json(folder / "sweep.json", {"cells": [], "jobs": jobs})
    return folder / "sweep.json"


def collect(store: Store) -> garbage.Garbage:
    doomed = garbage.unused(store, queued=False)
    garbage.remove(store, doomed)
    return doomed


def test_stages_that_no_sweep_uses_go_and_the_others_stay(store: Store):
    doomed = collect(store)
    assert doomed.paths == (store.path(world(1)),)
    assert doomed.size > len("abcdef")
    assert (store.has(world(0)), store.has(world(1))) == (True, False)
    assert collect(store).paths == ()


def test_a_sweep_below_another_folder_counts(store: Store):
    """Earlier versions accepted a slash in a sweep's name."""
    save(store, "llama/seed 0", 1)
    doomed = collect(store)
    assert (doomed.paths, doomed.kept) == ((), ())


def _lose(file: Path) -> None:
    (file.parent / "table.csv").write_text("cell\n")
    file.unlink()


SPOILED = {
    "cut off": lambda file: file.write_text(file.read_text()[:-20]),
    "empty": lambda file: file.write_text(""),
    "no object": lambda file: file.write_text("[1]"),
    "no jobs": lambda file: file.write_text('{"cells": []}'),
    "no keys": lambda file: file.write_text('{"cells": [], "jobs": [{"kind": "world"}]}'),
    "binary": lambda file: file.write_bytes(b"\xff\xfe\x00"),
    "a folder": lambda file: (file.unlink(), file.mkdir()),
    "lost": _lose,
}


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED.keys())
def test_while_a_sweep_cannot_be_read_no_stage_goes_and_a_sentence_says_why(store: Store, spoil):
    spoil(save(store, "t", 1))
    young, old = partial_work(store, 2, 6), partial_work(store, 3, 30)
    doomed = collect(store)
    assert doomed.paths == (old,) and young.exists()
    assert store.has(world(0)) and store.has(world(1))
    (sentence,) = doomed.kept
    assert str(store.sweep("t")) in sentence
    assert "run that sweep's command again" in sentence and "remove its folder" in sentence


def test_a_sweep_whose_file_is_lost_is_named_though_what_it_replaced_is_there(store: Store):
    _lose(save(store, "t", 1))
    save(store, "t/replaced/1", 1)
    (sentence,) = collect(store).kept
    assert f"{store.sweep('t')} has lost its sweep.json" in sentence


def test_an_empty_folder_of_a_sweep_killed_while_it_was_saved_does_not_count(store: Store):
    store.sweep("t").mkdir()
    (store.sweep("t") / "sweep.json.77.tmp").write_text("{")
    doomed = collect(store)
    assert store.path(world(1)) in doomed.paths and not doomed.kept


def test_sealed_folders_that_are_not_published_are_not_counted_as_stages(store: Store):
    save(store, "s", 0, 1, 2)
    killed = store.partial(world(2), "victim")  # between its seal and the rename
    shutil.copytree(store.path(world(0)), killed)
    (killed / "rows.txt").write_text("abcdeg")
    assert garbage.unused(store, queued=False).paths == garbage.damaged(store).paths == ()


def partial_work(store: Store, seed: int, days: float) -> Path:
    folder = store.partial(world(seed), "victim")
    (folder / "resume").mkdir(parents=True)
    (folder / "resume" / "state").write_text("x" * 1000)
    age(folder, days * 86400)
    return folder


def test_old_work_of_a_killed_owner_goes_with_its_claim(store: Store):
    save(store, "s", 0, 2)
    kill_at(hold, store.root, "step 3")  # of world(0), which is published: nobody can use its work
    old = partial_work(store, 2, 30)
    leave_claim(store.claim(world(2)), host="elsewhere")
    age(store.claim(world(2)))
    garbage.unused(store, queued=False)  # a dry run
    assert old.exists() and store.claim(world(2)).exists()
    assert set(collect(store).paths) == {store.path(world(1)), store.partial(world(0), "victim"), old}
    assert not list((store.root / "partial").iterdir()) and not list((store.root / "claims").iterdir())


def test_young_work_of_a_sweep_waits_to_be_resumed(store: Store):
    save(store, "s", 0, 1, 2)
    young, other = partial_work(store, 2, 6), partial_work(store, 3, 6)
    leave_claim(store.claim(world(2)), host="elsewhere")
    age(store.claim(world(2)))
    assert collect(store).paths == (other,)  # which no sweep uses
    assert young.exists()
    touched = partial_work(store, 4, 30)
    save(store, "s", 0, 1, 2, 4)
    (touched / "resume" / "state").touch()
    assert collect(store).paths == ()


def test_work_of_a_live_owner_stays_however_old(store: Store):
    (store.path(world(0)) / "stage.json").unlink()
    garbage.remove(store, garbage.damaged(store))
    with running(hold, store.root, "step 3"):
        age(store.partial(world(0), "victim"))
        assert collect(store).paths == (store.path(world(1)),)
        assert (store.partial(world(0), "victim") / "checkpoint").exists()


def test_claims_of_published_stages_go(store: Store):
    leave_claim(store.claim(world(0)), host="elsewhere")
    age(store.claim(world(0)))
    collect(store)
    assert not list((store.root / "claims").iterdir())


def test_leftovers_of_killed_writers_go_once_they_are_stale(store: Store):
    save(store, "s", 0, 1)
    places = ("files.json.7.tmp", "sweeps/s/table.tmp", "sweeps/s/jobs/a.json.7.tmp", "failed/world-0.json.7.tmp")
    scratch = [store.root / place for place in places]
    for path in scratch:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{")
    code = store.root / "sweeps" / "s" / "code" / "abc.7.tmp"
    (code / "sweep").mkdir(parents=True)
    (code / "sweep" / "a.py").write_text("")
    trash = store.root / "trash" / "world-1.0123456789ab"
    trash.mkdir(parents=True)
    published = store.path(world(0)) / "old.json.7.tmp"  # adopted by an earlier version, and part of its seal
    published.write_text("{")
    age(published)
    assert collect(store).paths == (trash,)
    for path in (*scratch, code):
        age(path, EXPIRY_SECONDS + 60)
    assert set(collect(store).paths) == {*scratch, code}
    assert published.exists()


def test_damaged_stages_are_found_by_content_whoever_uses_them(store: Store):
    build(store, world(2), "abcdef")
    (store.path(world(0)) / "rows.txt").write_text("abcdeg")
    (store.path(world(1)) / "rows.txt").unlink()
    store.path(world(3)).mkdir()  # without a stage.json
    store.path(world(4)).write_text("what a process may not read is not damaged")
    store.sweep("s").joinpath("sweep.json").write_text("{")
    doomed = garbage.damaged(store)
    assert set(doomed.paths) == {store.path(world(seed)) for seed in (0, 1, 3)}
    garbage.remove(store, doomed)
    assert store.has(world(2)) and not store.has(world(0))
    assert garbage.damaged(store).paths == ()


def test_a_stage_that_cannot_be_read_is_named_and_kept(store: Store):
    folder = store.path(world(0))
    (folder / "stage.json").unlink()
    (folder / "stage.json").mkdir()
    doomed = garbage.damaged(store)
    assert doomed.paths == ()
    (sentence,) = doomed.kept
    assert str(folder) in sentence and "check its permissions" in sentence
    with pytest.raises(Damaged):
        store.has(world(0))


def test_a_seal_of_an_earlier_version_without_digests_is_no_damage(store: Store):
    seal = json.loads((store.path(world(0)) / "stage.json").read_text())
    write_json(store.path(world(0)) / "stage.json", {name: seal[name] for name in ("identity", "files")})
    assert garbage.damaged(store).paths == ()


def test_folders_that_no_store_made_are_never_touched(tmp_path: Path):
    """A store may by mistake be a folder of other work, whose folders may have the names of stage kinds."""
    others = [
        tmp_path / place for place in ("train/mydata", "score/keep", "trash/precious", "tokens/a", "partial/mine")
    ]
    for folder in others:
        folder.mkdir(parents=True)
        (folder / "file").touch()
    store = Store(tmp_path)
    assert garbage.unused(store, queued=False).paths == () and garbage.damaged(store).paths == ()
    garbage.remove(store, garbage.unused(store, queued=False))
    assert all((folder / "file").exists() for folder in others)
