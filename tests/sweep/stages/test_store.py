"""The store: published whole or not at all, built once, damage noticed, killed work taken over."""

import json
import multiprocessing
import os
import time
from pathlib import Path

import pytest

import sweep.stages.store
from common.json_file import write_json
from sweep.stages import disk
from sweep.stages.claims import Busy
from sweep.stages.store import Damaged, Store, Unreadable
from tests.conftest import HANG_SECONDS
from tests.sweep.stages.processes import age, build, hold, kill_at, world


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


def test_the_newest_of_several_attempts_is_taken_over_and_the_others_go(store_path: Path):
    store = Store(store_path)
    for owner, seconds in (("b", 200.0), ("c", 100.0), ("a", 300.0)):
        folder = store.partial(world(0), owner)
        folder.mkdir(parents=True)
        (folder / "checkpoint").write_text(owner)
        age(folder, seconds)
    with store.build(world(0), "heir") as out:
        assert (out / "checkpoint").read_text() == "c"
        assert list(out.parent.iterdir()) == [out]


HARMS = {
    "shorter": lambda folder: (folder / "rows.txt").write_text("abc"),
    "lost": lambda folder: (folder / "rows.txt").unlink(),
    "foreign": lambda folder: _reseal(folder, identity={"kind": "world"}),
    "unsealed": lambda folder: (folder / "stage.json").unlink(),
    "garbled": lambda folder: (folder / "stage.json").write_text("{"),
    "no object": lambda folder: (folder / "stage.json").write_text("[]"),
    "no sizes": lambda folder: _reseal(folder, files=None),
}


def _reseal(folder: Path, **changes) -> None:
    seal = json.loads((folder / "stage.json").read_text())
    (folder / "stage.json").write_text(json.dumps(seal | changes))


@pytest.mark.parametrize("harm", HARMS.values(), ids=HARMS.keys())
def test_damage_is_an_error_that_names_the_folder_and_the_remedy(store_path: Path, harm):
    store = Store(store_path)
    build(store, world(0), "abcdef")
    harm(store.path(world(0)))
    with pytest.raises(Damaged, match="gc damaged=true") as problem:
        store.has(world(0))
    assert str(store.path(world(0))) in str(problem.value)


def test_damage_of_equal_size_is_found_by_reading(store_path: Path):
    store = Store(store_path)
    for seed in (0, 1):
        build(store, world(seed), "abcdef")
        store.verify(store.path(world(seed)))
    (store.path(world(0)) / "rows.txt").write_text("abcdeg")
    assert store.has(world(0))  # a look at sizes alone
    with pytest.raises(Damaged, match=r"rows\.txt: its digest was \w{16} .* and is \w{16} now.*gc damaged=true"):
        store.verify(store.path(world(0)))
    store.verify(store.path(world(1)))


def test_a_stage_published_before_digests_were_recorded_is_checked_by_size(store_path: Path):
    store = Store(store_path)
    build(store, world(0), "abcdef")
    folder = store.path(world(0))
    seal = json.loads((folder / "stage.json").read_text())
    (folder / "stage.json").write_text(json.dumps({name: seal[name] for name in ("identity", "files")}))
    store.verify(folder)
    assert store.has(world(0))
    (folder / "rows.txt").write_text("abc")
    with pytest.raises(Damaged):
        store.verify(folder)


def test_what_cannot_be_read_is_not_called_damaged_by_gc(store_path: Path):
    store = Store(store_path)
    store.path(world(0)).parent.mkdir(parents=True)
    store.path(world(0)).write_text("a file where a folder should be")
    with pytest.raises(Unreadable, match="Not a directory") as problem:
        store.has(world(0))
    assert "gc damaged=true" not in str(problem.value)


def test_a_process_reads_a_file_once_until_it_changes(tmp_path: Path, monkeypatch):
    path = tmp_path / "rows.txt"
    path.write_text("abc")
    reads = []
    digest_of = disk.digest_of
    monkeypatch.setattr(disk, "digest_of", lambda one: reads.append(one) or digest_of(one))
    first = disk.cached_digest(path)
    assert disk.cached_digest(path) == first
    assert reads == [path]
    status = path.stat()
    path.write_text("abd")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))  # as an editor that keeps times would
    assert disk.cached_digest(path) != first


def half_write(root: Path, hang) -> None:
    with Store(root).build(world(0), "victim") as out:
        (out / "checkpoint").write_text("step 3")
        (out / "engine").mkdir()
        Path.replace = hang
        write_json(out / "engine" / "state.json", {"step": 3})


def test_half_written_files_of_a_killed_process_are_never_published(store_path: Path):
    store = Store(store_path)
    kill_at(half_write, store_path)
    assert len(list(store_path.rglob("*.tmp"))) == 1
    with store.build(world(0), "heir") as out:
        assert (out / "checkpoint").read_text() == "step 3"
        assert not list(out.rglob("*.tmp"))
        (out / "rows.json.77.tmp").write_text("of a child that was killed")
    assert sorted(json.loads((store.path(world(0)) / "stage.json").read_text())["files"]) == ["checkpoint"]
    assert not list(store_path.rglob("*.tmp"))


def test_everything_is_on_disk_before_the_stage_appears_and_the_rename_after(store_path: Path, monkeypatch):
    """The order of real calls: an fsync of each file and folder, then the rename, then an fsync of its parent."""
    store = Store(store_path)
    calls: list[tuple[str, Path]] = []
    fsync, rename = os.fsync, Path.rename

    def spied_fsync(handle: int) -> None:
        fsync(handle)
        calls.append(("fsync", Path(f"/proc/self/fd/{handle}").readlink()))

    def spied_rename(path: Path, target: Path) -> Path:
        calls.append(("rename", path))
        return rename(path, target)

    with store.build(world(0), "me") as out:
        (out / "model").mkdir()
        (out / "model" / "weights").write_text("w")
        (out / "rows.txt").write_text("r")
        monkeypatch.setattr(os, "fsync", spied_fsync)
        monkeypatch.setattr(Path, "rename", spied_rename)
    before = calls[: calls.index(("rename", out))]
    whole = {out, out / "model", out / "model" / "weights", out / "rows.txt", out / "stage.json"}
    assert whole <= {path for call, path in before if call == "fsync"}
    assert ("fsync", store.path(world(0)).parent) in calls[len(before) :]


def test_work_that_cannot_be_published_is_kept(store_path: Path):
    store = Store(store_path)
    store_path.mkdir()
    (store_path / "world").write_text("a file where the stages should be")
    with pytest.raises(OSError, match="world"):
        build(store, world(0), "hours of work")
    assert (store.partial(world(0), "me") / "rows.txt").read_text() == "hours of work"


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


def test_a_process_that_fails_because_it_lost_its_claim_is_busy_not_failed(store_path: Path):
    store = Store(store_path)
    with pytest.raises(Busy, match="took the work over"), store.build(world(0), "slow") as mine:
        store.claim(world(0)).unlink()
        with store.build(world(0), "fast"):
            (mine / "rows.txt").write_text("zombie")


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
    done = [executions.get(timeout=HANG_SECONDS) for _ in range(8)]
    for process in racers:
        process.join(60)
        assert process.exitcode == 0
    assert sorted(done) == list(range(8))
    assert executions.empty()


def test_a_killed_owner_frees_the_stage_and_leaves_its_work(store_path: Path):
    kill_at(hold, store_path, "step 3")
    with Store(store_path).build(world(0), "heir") as out:
        assert (out / "checkpoint").read_text() == "step 3"


def discard_and_hang(root: Path, hang) -> None:
    sweep.stages.store.remove = hang
    store = Store(root)
    store.discard(store.path(world(0)))


def test_a_stage_whose_removal_is_killed_is_gone_and_not_damaged(store_path: Path):
    store = Store(store_path)
    build(store, world(0), "whole")
    kill_at(discard_and_hang, store_path)
    assert not store.has(world(0))
    build(store, world(0), "again")
    assert store.has(world(0))
