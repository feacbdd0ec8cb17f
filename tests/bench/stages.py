"""The time that the pool of workers adds to a stage, and a race of processes for the same stages."""

from __future__ import annotations

import json
import multiprocessing
import tempfile
import time
from pathlib import Path

from tests.conftest import TINY, sweep
from tests.sweep.stages.test_store import racer


def overhead() -> str:
    """Seconds that a stage costs beyond its own work: wall time of one worker less the stages' own seconds."""
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "store"
        words = ["-m", "name=s", "ability=math,code", *TINY, "workers=1"]
        few, many = _timed(store, *words, "fraction=1"), _timed(store, *words, "fraction=1,1/2,1/4,1/8")
        (wall, count, own) = (b - a for a, b in zip(few, many, strict=True))
    # Each run starts the server and the command once, so the difference of the two has no start in it.
    return f"{(wall - own) / count:.3f} s a stage beyond its own work ({count:.0f} stages, {own / count:.3f} s each)"


def _timed(store: Path, *words: str) -> tuple[float, float, float]:
    """Wall seconds of the sweep ``words`` in a store of its own, the number of its stages, and their own seconds."""
    target = store.with_name(f"store{len(words)}-{abs(hash(words))}")
    began = time.monotonic()
    ended = sweep(*words, store=target)
    wall = time.monotonic() - began
    assert ended.returncode == 0, ended.stdout + ended.stderr
    records = [json.loads(path.read_text()) for path in target.glob("*/*/record.json")]
    return wall, float(len(records)), sum(record["seconds"] for record in records)


def race() -> str:
    """How often 8 stages are executed when 16 processes need all of them."""
    context = multiprocessing.get_context("fork")
    start, executions = context.Event(), context.Queue()
    with tempfile.TemporaryDirectory() as folder:
        racers = [context.Process(target=racer, args=(Path(folder), n, start, executions)) for n in range(16)]
        for process in racers:
            process.start()
        start.set()
        for process in racers:
            process.join(120)
        count = executions.qsize()
    return f"16 processes, 8 stages: {count} executions"
