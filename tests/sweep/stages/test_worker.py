"""What a worker checks before and after a stage: the user's files as planned, the store's as published."""

import json
import os
from dataclasses import replace
from pathlib import Path

import pytest

from common.digest import digest_of
from eval.spec.scores import OverlapSpec
from eval.stages import overlap
from sweep.stages import disk, worker
from sweep.stages.claims import TRY_AGAIN, Busy
from sweep.stages.stage import File, Stage, StageRef
from sweep.stages.store import Store
from sweep.stages.worker import InputChanged, Job, build_stage
from tests.sweep.stages.processes import hold, kill_at, running, world
from train.spec import WorldSpec

QUESTION = "how many apples are left when nine of twelve are eaten by bears"


def write_rows(path: Path, word: str) -> Path:
    path.write_text(json.dumps({"question": f"{QUESTION} {word}", "answer": "#### 3"}) + "\n")
    return path


@pytest.fixture
def job(tmp_path: Path, store_path: Path) -> Job:
    """An overlap of two files of the user's."""
    inputs = {name: write_rows(tmp_path / f"{name}.jsonl", "sir") for name in ("data", "source")}
    files = {name: File(path, digest_of(path)) for name, path in inputs.items()}
    return Job(Stage("overlap", OverlapSpec("gsm8k", "", ""), files), None, store_path, 1.0)


def source(job: Job) -> Path:
    return job.stage.inputs["source"].path


def test_a_record_names_the_files_and_their_digests(job: Job):
    assert build_stage(job, "me") == 0
    record = json.loads((Store(job.store).path(job.stage) / "record.json").read_bytes())
    assert record["files"]["source"] == str(source(job))
    assert record["digests"] == {name: digest_of(node.path) for name, node in job.stage.inputs.items()}


def assert_refused(job: Job, planned: str, message: str) -> None:
    """Nothing is published, and one sentence names file, planned and present digest, and remedy."""
    store = Store(job.store)
    assert not store.has(job.stage)
    sentence = (
        f"{source(job)} has changed since the sweep was planned: its digest was {planned} and is "
        f"{digest_of(source(job))} now; run the sweep's command again to plan with the file as it is\n"
    )
    assert message == sentence
    assert json.loads(store.failure(job.stage).read_bytes())["error"] == f"InputChanged: {sentence.strip()}"
    assert not list(store.partial(job.stage, "me").iterdir())


def test_a_file_that_changed_before_the_stage_started_is_refused(job: Job, capsys, monkeypatch):
    planned, started = digest_of(source(job)), []
    monkeypatch.setattr(overlap, "run", lambda *_: started.append(1))
    left = Store(job.store).partial(job.stage, "killed") / "items.jsonl"
    left.parent.mkdir(parents=True)
    left.write_text("made from the file in between")
    write_rows(source(job), "mam")
    assert build_stage(job, "me") == 1
    assert_refused(job, planned, capsys.readouterr().err)
    assert not started
    monkeypatch.undo()
    write_rows(source(job), "sir")
    assert build_stage(job, "me") == 0
    assert "made from" not in (Store(job.store).path(job.stage) / "items.jsonl").read_text()


@pytest.mark.parametrize("end", [None, RuntimeError("a row has no answer"), SystemExit(TRY_AGAIN)], ids=repr)
def test_a_file_that_changed_while_the_stage_ran_is_refused(job: Job, capsys, monkeypatch, end):
    planned, run = digest_of(source(job)), overlap.run

    def edited_meanwhile(spec, inputs, out):
        write_rows(inputs["source"], "mam")
        run(spec, inputs, out)
        if end:
            raise end

    monkeypatch.setattr(overlap, "run", edited_meanwhile)
    assert build_stage(job, "me") == 1
    assert_refused(job, planned, capsys.readouterr().err)
    monkeypatch.setattr(overlap, "run", run)
    write_rows(source(job), "sir")
    assert build_stage(job, "me") == 0


def test_a_file_that_is_gone_is_refused(job: Job, capsys):
    source(job).unlink()
    assert build_stage(job, "me") == 1
    assert "and is missing now; run the sweep's command again" in capsys.readouterr().err


def test_every_rank_refuses_a_changed_file(job: Job, capsys):
    """So that no rank waits for one that has ended."""
    write_rows(source(job), "mam")
    Store(job.store).partial(job.stage, "me").mkdir(parents=True)
    assert build_stage(job, "me", rank=1) == 1
    assert InputChanged.__name__ in Store(job.store).failure(job.stage).read_text()
    assert "has changed since" in capsys.readouterr().err


def test_a_damaged_input_of_equal_size_is_refused_before_use(job: Job, capsys):
    store = Store(job.store)
    base = Job(Stage("world", WorldSpec(0, 20, 20, 20, 5, 20), {}), None, job.store, 1.0)
    assert build_stage(base, "me") == 0
    inputs = {"data": StageRef("world", base.stage.key), "source": job.stage.inputs["source"]}
    stage = Stage("overlap", OverlapSpec("gsm8k", "test/math.jsonl", ""), inputs)
    child = Job(stage, None, job.store, 1.0)
    file = store.path(base.stage) / "test" / "math.jsonl"
    content = file.read_bytes()
    file.write_bytes(content.replace(b"question", b"qvestion"))
    assert store.has(base.stage)
    assert build_stage(child, "me") == 1
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    assert f"{file}: its digest was" in message and "gc damaged=true" in message
    file.write_bytes(content)
    assert build_stage(child, "me") == 0


def test_a_stage_that_another_process_builds_is_to_be_tried_again(job: Job, capsys):
    with running(hold, job.store, ""):
        assert build_stage(Job(world(0), None, job.store, 1.0), "me") == TRY_AGAIN
    assert "victim" in capsys.readouterr().err


def test_a_failing_stage_leaves_its_traceback_and_a_record(job: Job, capsys, monkeypatch):
    def fail(*_):
        raise RuntimeError("boom")

    monkeypatch.setattr(overlap, "run", fail)
    assert build_stage(job, "me") == build_stage(job, "me") == 1
    failure = json.loads(Store(job.store).failure(job.stage).read_bytes())
    assert (failure["error"], failure["attempts"]) == ("RuntimeError: boom", 2)
    assert "Traceback" in capsys.readouterr().err
    monkeypatch.undo()
    assert build_stage(job, "me") == 0
    assert not Store(job.store).failure(job.stage).exists()


def test_a_rank_whose_first_rank_never_claims_gives_up(job: Job):
    from sweep.stages.worker import _wait_for

    with pytest.raises(Busy, match="rank 0 has not claimed"):
        _wait_for(Store(job.store).partial(job.stage, "me"), seconds=0.1)


def kill_in_the_middle(job: Job, hang) -> None:
    overlap.run = lambda spec, inputs, out: (out / "items.jsonl").write_text("made from what was read") and hang()
    build_stage(job, "killed")


def keep_times(path: Path, change) -> None:
    """Change a file and put its times back, as ``cp -p`` of a backup would."""
    status = path.stat()
    change(path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


@pytest.mark.parametrize("edited", [True, False])
def test_work_of_a_killed_attempt_is_kept_unless_a_file_was_touched_since(job: Job, monkeypatch, edited: bool):
    """Edited and put back exactly: the killed attempt may have read what stood there in between."""
    kill_at(kill_in_the_middle, job)
    if edited:
        keep_times(source(job), lambda path: write_rows(path, "mam") and write_rows(path, "sir"))
    seen = []
    monkeypatch.setattr(overlap, "run", lambda spec, inputs, out: seen.append(sorted(p.name for p in out.iterdir())))
    assert build_stage(job, "me") == 0
    assert seen == [["stamps.json"] if edited else ["items.jsonl", "stamps.json"]]
    assert not (Store(job.store).path(job.stage) / "stamps.json").exists()


def test_a_file_whose_stamp_is_as_planned_is_not_read_again(job: Job, monkeypatch):
    planned = {name: replace(node, stamp=disk.stamp(node.path)) for name, node in job.stage.inputs.items()}
    again = Job.from_json(replace(job, stage=replace(job.stage, inputs=planned)).to_json())
    reads = []
    monkeypatch.setattr(worker, "cached_digest", lambda path: reads.append(path) or digest_of(path))
    worker.check_files(again.stage)
    assert reads == []
    keep_times(source(job), lambda path: write_rows(path, "mam"))
    with pytest.raises(InputChanged, match="has changed since"):
        worker.check_files(again.stage)
    assert reads == [source(job)]
