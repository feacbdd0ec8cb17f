"""What a running sweep says of its progress: the bar on a terminal, lines elsewhere, and the time left."""

import io
import json
import re
from pathlib import Path

import pytest
from rich.console import Console

from sweep.launch.progress import LINES, Progress
from sweep.launch.time_left import TimeLeft
from sweep.stages.store import Store
from sweep.stages.worker import Job
from tests.sweep.stages.processes import world

PLANNED, TAKEN = 100.0, 300.0


def stored(store: Store, *jobs: Job) -> None:
    """Let jobs be done, each in `TAKEN` seconds."""
    for job in jobs:
        store.own(job.stage).mkdir(parents=True)
        (store.own(job.stage) / "record.json").write_text(json.dumps({"seconds": TAKEN}))


def some(store: Store, number: int) -> list[Job]:
    return [Job(world(seed), None, store.root, PLANNED) for seed in range(number)]


@pytest.mark.parametrize("width", [80, 120])
def test_counts_and_times_are_whole_beside_names(width: int, tmp_path: Path):
    store, text = Store(tmp_path), io.StringIO()
    jobs = some(store, 100)
    stored(store, jobs[0])
    console = Console(file=text, force_terminal=True, width=width, color_system=None)
    names = {job.stage.key: f"answer task {number}" for number, job in enumerate(jobs)}
    with Progress(jobs, store, console, names, slots=2) as progress:
        progress.done(jobs[0])
        for job in jobs[1:9]:
            progress.started(job)
        progress.looked -= 60
        progress.tick()
    assert re.search(r"  1/100 stages 0:00:\d\d \d+\.\d h left answer task", text.getvalue())


def test_without_a_terminal_a_large_sweep_says_few_lines(tmp_path: Path):
    store, text = Store(tmp_path), io.StringIO()
    jobs = some(store, 200)
    with Progress(jobs, store, Console(file=text, width=80), slots=2) as progress:
        for job in jobs:
            progress.done(job)
    lines = text.getvalue().splitlines()
    assert len(lines) == LINES and lines[0].startswith("13/200 stages") and lines[-1] == "200/200 stages"


def test_the_time_left_follows_what_stages_have_taken(tmp_path: Path):
    store = Store(tmp_path)
    jobs = some(store, 40)
    stored(store, *jobs[:20])
    left = TimeLeft(jobs, store, slots=4)
    assert left.seconds(0.0) is None
    for job in jobs[:20]:
        left.done(job)
    assert left.seconds(1500.0) == pytest.approx(20 * TAKEN / 4, rel=0.1)
    for job in jobs[20:24]:
        left.started(job, 1500.0)
    assert left.seconds(1500.0 + TAKEN / 2) == pytest.approx(20 * TAKEN / 4 - TAKEN / 2, rel=0.1)


def test_a_stage_that_overruns_its_plan_moves_the_time_left(tmp_path: Path):
    store = Store(tmp_path)
    jobs = some(store, 11)
    store.own(jobs[0].stage).mkdir(parents=True)
    (store.own(jobs[0].stage) / "record.json").write_text(json.dumps({"seconds": PLANNED}))
    left = TimeLeft(jobs, store, slots=1)
    left.done(jobs[0])
    as_planned = left.seconds(PLANNED)
    left.started(jobs[1], PLANNED)
    assert as_planned == pytest.approx(10 * PLANNED, rel=0.01)
    assert left.seconds(PLANNED + 1000.0) > 1.5 * as_planned


def test_on_a_cluster_the_time_left_counts_the_waiting_in_the_queue(tmp_path: Path):
    store = Store(tmp_path)
    jobs = some(store, 20)
    stored(store, *jobs[:10])
    left = TimeLeft(jobs, store, slots=None)
    for job in jobs[:10]:
        left.done(job)
    assert left.seconds(6000.0) == pytest.approx(6000.0, rel=0.1)


def test_messages_are_printed_as_they_are(tmp_path: Path):
    """Names may hold brackets, as of lists, which would be read as a style."""
    store, text = Store(tmp_path), io.StringIO()
    (job,) = some(store, 1)
    name = "answer task, model.layers=[a,b]"
    with Progress([job], store, Console(file=text, width=80), {job.stage.key: name}) as progress:
        progress.note(f"{name}: waiting")
        progress.failed(job, "out of [memory]")
        store.log(job.stage).parent.mkdir(parents=True)
        store.log(job.stage).write_text("no more")
        progress.failed(job, "out of [memory]")
    assert f"{name}: waiting\n" in text.getvalue()
    assert f"failed {name}: out of [memory]\n" in text.getvalue(), "a log that is not there is not named"
    assert f"failed {name}: out of [memory]; log: " in text.getvalue()
