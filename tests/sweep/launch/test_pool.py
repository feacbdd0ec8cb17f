"""The pool of workers, called directly: what it says of killed workers, and when it removes models."""

from __future__ import annotations

import json
import signal
from pathlib import Path

import pytest
from rich.console import Console

from sweep.launch import local
from sweep.launch.local import Pool, Running
from sweep.launch.progress import Progress
from sweep.plan.files import Files
from sweep.plan.plan import make
from sweep.results import removed_models
from sweep.results.saved_sweep import save
from sweep.stages.store import Store
from sweep.stages.worker import Job
from tests.conftest import MATH_ALONE, TINY
from tests.sweep.composing import cell
from tests.sweep.stages.processes import world

pytestmark = pytest.mark.slow


def test_workers_that_the_kernel_kills_for_memory_end_in_one_line_with_the_estimate(store_path: Path, monkeypatch):
    """Whatever the other ranks of the job say of their lost peer."""
    store, stage = Store(store_path), world(0)
    job = Job(stage, None, store_path, 1.0, gib=84.0)
    pool = Pool({stage.key: job}, store, 1)
    kills = iter(range(10))
    monkeypatch.setattr(local, "oom_kills", lambda: next(kills))
    with Progress([job], store, Console()) as progress:
        for number in range(3):
            ranks = [number, number + 10]
            running = Running(job, ranks, [pool.free["cpu"].pop()], oom_kills=local.oom_kills())
            pool.running |= dict.fromkeys(ranks, running)
            pool._ended(ranks[0], 1, progress)
            pool._ended(ranks[1], -signal.SIGKILL, progress)
    told = json.loads(store.failure(stage).read_bytes())["error"]
    assert told.startswith("out of memory on the host: stopped 3 times") and "the plan's estimate is 84 GiB" in told
    assert pool.outcome.failed == [job]


def test_models_go_while_the_rest_is_built(store_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(removed_models, "REST", 0.0)
    store = Store(store_path)
    cells = [(f, cell(*TINY, *MATH_ALONE, f"fraction={f}", "keep=scores"), {}) for f in ("1/4", "1/2")]
    saved = save(make("s", cells, Files(store)), store)
    removal = removed_models.Removal(saved, store)
    pool = Pool(saved.jobs, store, 1, removal)
    with Progress(pool.queue.missing.values(), store, Console()) as progress:
        assert not pool.run(progress).failed
    assert len(removal.removed) == 2
    gone = sorted(path.stat().st_mtime_ns for path in store_path.glob("spent/train/*"))
    assert len(gone) == 2 and gone[0] < max(path.stat().st_mtime_ns for path in store_path.glob("score/*/stage.json"))
