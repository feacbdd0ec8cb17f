"""The local launcher on the real thing: failures, Ctrl-C, kills, second runs."""

import csv
import json
import random
import shutil
import signal
import time
from pathlib import Path

import pytest
from rich.console import Console

from sweep.launch.local import Pool, Running
from sweep.launch.progress import Progress
from sweep.stages.store import Store
from sweep.stages.worker import Job
from tests.conftest import HANG_SECONDS, MATH_ALONE, TINY, command, sweep
from tests.sweep.stages.processes import (
    age,
    build,
    family,
    hold,
    kill_at,
    leave_claim,
    send,
    wait_until_gone,
    world,
)

pytestmark = pytest.mark.slow
GRID = [
    "-m", "name=s", "ability=math,code", "fraction=1/4,1", "engine.checkpoint_steps=5", *TINY,
    "~suite.tasks.ifeval", "~suite.tasks.code_loss", "~suite.tasks.general_loss",
]  # fmt: skip


def published(store: Path, kind: str = "*") -> dict[str, int]:
    """Finished stages of a kind, with the time (ns) of their sealing."""
    seals = [path for path in store.glob(f"{kind}/*/stage.json") if path.parent.parent.name != "partial"]
    return {str(path.parent.relative_to(store)): path.stat().st_mtime_ns for path in seals}


def table(store: Path) -> bytes:
    return (store / "sweeps" / "s" / "table.csv").read_bytes()


def wait_for(condition, seconds: float = HANG_SECONDS) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "what was waited for never came"
        time.sleep(0.05)


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The store of an undisturbed sweep."""
    store = tmp_path_factory.mktemp("reference") / "store"
    ended = sweep(*GRID, store=store)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return store


def test_every_stage_is_built_once_and_the_second_run_builds_nothing(reference: Path):
    before = published(reference)
    assert len(before) == 46
    assert len(published(reference, "train")) == 5
    first = table(reference)
    ended = sweep(*GRID, store=reference)
    assert ended.returncode == 0
    assert "0 to run" in ended.stdout
    assert published(reference) == before
    assert table(reference) == first


def test_a_wider_sweep_costs_only_what_is_new(reference: Path):
    grid = [word for word in GRID if word != "name=s"]
    ended = sweep(*grid, "name=wider", "ability=math,code,general", "dry_run=true", store=reference)
    assert ended.returncode == 0
    assert "to run: 15 of 61 stages" in ended.stdout  # the tokens of general, two trainings, their answers and scores


def test_the_table_is_complete(reference: Path):
    saved = json.loads((reference / "sweeps" / "s" / "sweep.json").read_text())
    lines = table(reference).decode().splitlines()
    assert len(saved["cells"]) == 4
    for one in saved["cells"]:
        for ability, metric in (("math", "gsm8k,accuracy"), ("math", "math_loss,loss"), ("code", "humaneval,accuracy")):
            assert any(f'"{one["label"]}",{ability},{metric},' in line for line in lines)


def test_ls_and_logs_know_the_sweep(reference: Path):
    listed = sweep("ls", "name=s", store=reference)
    assert "s: 4 cells, 4 done" in listed.stdout
    assert listed.stdout.count("fraction=1/4") == 2
    assert sweep("logs", "name=s", "cell=code", store=reference).returncode == 0
    unknown = sweep("ls", "name=nope", store=reference)
    assert unknown.returncode == 2
    assert "sweeps there: s" in unknown.stderr


def test_one_failing_cell_stops_no_other(store_path: Path):
    """At a learning rate of 1e30 the loss is soon no number, which a stage refuses."""
    words = ["-m", "name=s", "ability=math", "fraction=1/4", "recipe.learning_rate=0.003,1e30", *TINY, *MATH_ALONE]
    ended = sweep(*words, store=store_path)
    assert ended.returncode == 1
    assert "failed" in ended.stdout
    log = next(line.split("log: ")[1] for line in ended.stdout.splitlines() if "log: " in line)
    assert "lower recipe.learning_rate" in Path(log).read_text()
    assert len(published(store_path, "train")) == 2  # the base and the cell of the other learning rate
    rows = list(csv.DictReader(table(store_path).decode().splitlines()))
    assert {row["recipe.learning_rate"] for row in rows if row["value"]} == {"0.003"}
    assert "1 failed" in sweep("ls", store=store_path).stdout
    assert sweep("retry", store=store_path).returncode == 1  # the rate is still too high; nothing else is left to do
    assert len(published(store_path, "train")) == 2


def test_a_row_that_no_stage_could_use_ends_the_command_before_any_training(store_path: Path, tmp_path: Path):
    bad = tmp_path / "bad.json"
    rows = [{"instruction": f"say {n}", "input": "", "output": f"{n}"} for n in range(60)]
    del rows[40]["output"]
    bad.write_text(json.dumps(rows))
    words = [*GRID, "data.sources.code.world=null", f"data.sources.code.path={bad}"]
    refused = sweep(*words, store=store_path)
    assert refused.returncode == 2
    assert "error: data.sources.code: bad.json, row 41, field 'output': is missing" in refused.stderr
    assert published(store_path, "train") == {}


def test_ctrl_c_stops_cleanly_and_two_commands_at_once_share_the_rest(store_path: Path, reference: Path):
    process = command(*GRID, store=store_path)
    wait_for(lambda: len(published(store_path)) > 12)
    pids = family(process.pid)
    process.send_signal(signal.SIGINT)
    out, _ = process.communicate(timeout=HANG_SECONDS)
    assert process.returncode == 130
    assert "the same command continues" in out
    wait_until_gone(pids)
    before = published(store_path)
    for process in [command(*GRID, f"workers={n}", store=store_path) for n in (1, 2)]:
        out, err = process.communicate(timeout=HANG_SECONDS)
        assert process.returncode == 0, out + err
    after = published(store_path)
    assert {name: after[name] for name in before} == before
    assert table(store_path) == table(reference)


def test_kills_anywhere_leave_the_same_table(store_path: Path, reference: Path):
    """kill -9 of the launcher, its server or a worker, chosen by chance, then the same command."""
    chance = random.Random(7)
    for _ in range(3):
        process = command(*GRID, store=store_path)
        count = len(published(store_path))
        wait_for(lambda c=count, p=process: len(published(store_path)) >= c + 2 or p.poll() is not None)
        time.sleep(chance.random())
        pids = family(process.pid)
        victim = chance.choice(pids)
        send(signal.SIGKILL, [victim, process.pid] if chance.random() < 0.5 else [victim])
        process.communicate(timeout=HANG_SECONDS)
        wait_until_gone([pid for pid in pids if pid != process.pid])
    ended = sweep(*GRID, store=store_path)
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert table(store_path) == table(reference)
    assert not list((store_path / "claims").glob("*-*"))


def test_damage_is_found_before_any_work_and_gc_mends_it(reference: Path, tmp_path: Path):
    store = tmp_path / "store"
    shutil.copytree(reference, store, ignore=shutil.ignore_patterns("answer", "score"))  # so the models are used again
    victim = next(store.glob("train/*/model.safetensors"))
    victim.write_bytes(victim.read_bytes()[:-1])
    refused = sweep(*GRID, store=store)
    assert refused.returncode == 2
    assert "model.safetensors" in refused.stderr
    assert "gc damaged=true" in refused.stderr
    assert "in 1 folder\n" in sweep("gc", "damaged=true", store=store).stdout
    assert "/train/" not in sweep("gc", store=store).stdout
    ended = sweep(*GRID, store=store)
    assert ended.returncode == 0
    assert table(store) == table(reference)


def test_one_damaged_stage_and_one_unreadable_sweep_are_named_and_stop_no_other(reference: Path, tmp_path: Path):
    store = tmp_path / "store"
    shutil.copytree(reference, store)
    for name in ("cut", "other"):
        shutil.copytree(store / "sweeps" / "s", store / "sweeps" / name)
    cut = store / "sweeps" / "cut" / "sweep.json"
    cut.write_text(cut.read_text()[:1000])
    scores = sorted(store.glob("score/*/scores.jsonl"))
    scores[0].unlink()
    listed = sweep("ls", store=store)
    assert listed.returncode == 1
    assert listed.stdout.splitlines() == [f"{name}: 4 cells, 3 done, 1 damaged" for name in ("other", "s")]
    assert listed.stderr.splitlines()[-1].startswith(f"cut: {cut} cannot be read")
    detailed = sweep("ls", "name=s", store=store)
    assert detailed.returncode == 0
    assert f"damaged  {scores[0]} is missing" in detailed.stdout
    assert sweep("ls", "name=cut", store=store).returncode == 2
    before = published(store)
    kept = sweep("gc", store=store)
    assert kept.returncode == 1
    assert f"stages that no sweep uses are kept: {cut} cannot be read" in kept.stderr
    assert published(store) == before
    scores[1].write_bytes(scores[1].read_bytes().replace(b"e", b"E", 1))
    assert "in 2 folders\n" in sweep("gc", "damaged=true", "dry_run=true", store=store).stdout
    assert published(store) == before
    assert sweep("gc", "damaged=true", store=store).returncode == 0
    assert before.keys() - published(store).keys() == {str(path.parent.relative_to(store)) for path in scores[:2]}


def test_the_claim_of_a_killed_process_goes_with_the_next_command(reference: Path, tmp_path: Path):
    store = tmp_path / "store"
    shutil.copytree(reference, store)
    stage = next(store.glob("train/*"))
    claim = leave_claim(store / "claims" / f"train-{stage.name}", host="elsewhere")
    age(claim)
    assert "0 to run" in sweep(*GRID, store=store).stdout
    assert not list((store / "claims").iterdir())


def test_the_claim_of_a_worker_killed_after_publishing_goes_when_its_end_is_reported(store_path: Path):
    store, stage = Store(store_path), world(0)
    job = Job(stage, None, store_path, 1.0)
    pool = Pool({stage.key: job}, store, 1)
    pool.running[1] = Running(job, [1], [pool.free["cpu"].pop()])
    kill_at(hold, store_path, "")
    claim = store.claim(stage).read_text()
    build(store, stage, "whole")
    store.claim(stage).write_text(claim)
    with Progress([job], store, Console()) as progress:
        pool._ended(1, -signal.SIGKILL, progress)
    assert pool.outcome.built == [job]
    assert not store.claim(stage).exists()


def test_retry_runs_what_is_missing_without_hydra(reference: Path, tmp_path: Path):
    store = tmp_path / "store"
    shutil.copytree(reference, store)
    for folder in list(store.glob("score/*"))[:2]:
        shutil.rmtree(folder)
    assert "waiting" in sweep("ls", store=store).stdout
    ended = sweep("retry", "name=s", "workers=1", store=store)
    assert ended.returncode == 0, ended.stderr
    assert "2 to run" in ended.stdout
    assert table(store) == table(reference)


def test_a_plain_run_is_one_cell(reference: Path):
    words = [word for word in GRID if word not in ("-m", "name=s", "ability=math,code", "fraction=1/4,1")]
    ended = sweep(*words, "ability=code", "fraction=1/4", store=reference)
    assert ended.returncode == 0
    assert "1 cell, " in ended.stdout
    assert "0 to run" in ended.stdout


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["+grid=data_amount"], "add -m"),
        (["lss"], "is not a verb"),
        (["ls", "nam=x"], "did you mean 'name'?"),
        (["-m", "+grid=data_amount", "fractoin=1"], "did you mean fraction"),
        (
            ["-m", "+grid=data_amount", "fraction=1/4,1/0"],
            "cell fraction=1/0: fraction: 1/0",
        ),
        (["-m", "ability=math,law"], "cell ability=law"),
        (["-m", "+grid=nope"], "data_amount"),
    ],
)
def test_mistakes_end_before_any_work(words: list[str], message: str, store_path: Path):
    ended = sweep(*words, store=store_path)
    assert ended.returncode == 2, ended.stdout + ended.stderr
    assert message in ended.stderr
    assert ended.stderr.count("\n") == 1
    assert not store_path.exists() or not list(store_path.rglob("stage.json"))
