"""The demo as a user meets it: from a fresh clone, again, in pieces, under kills."""

from __future__ import annotations

import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from tests.conftest import ROOT, TINY, command, sweep
from tests.sweep.launch.test_local import published, tree, wait_until_gone

KILLS = 20
KEPT = Path(tempfile.gettempdir()) / "dosage-bench"
"""The clone of the last demo, for the measures that follow it."""


def run(*words: str, store: Path | None = None) -> float:
    """Wall seconds of ``python -m sweep WORDS``."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        ended = sweep(*words, store=store or Path(folder) / "store", seconds=3600)
        seconds = time.monotonic() - began
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return seconds


def demo() -> str:
    """``make demo`` from a fresh clone, installation included, and its table."""
    shutil.rmtree(KEPT, ignore_errors=True)
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(KEPT)], check=True)
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV", "DOSAGE_STORE")}
    times = []
    for target in ("setup", "demo"):
        began = time.monotonic()
        ended = subprocess.run(["make", target], cwd=KEPT, env=environment, capture_output=True, text=True, check=True)
        times.append(time.monotonic() - began)
    return f"setup {times[0]:.0f} s, demo {times[1]:.0f} s, together {sum(times) / 60:.1f} min\n{ended.stdout}"


def again() -> str:
    """The demo's two commands a second time; needs `demo` before it."""
    assert (KEPT / "store").exists(), "run the measure demo first"
    before = published(KEPT / "store")
    began = time.monotonic()
    subprocess.run(["make", "demo"], cwd=KEPT, capture_output=True, check=True)
    seconds = time.monotonic() - began
    assert published(KEPT / "store") == before
    return f"make demo again: {seconds:.1f} s, nothing built"


def light() -> str:
    """Commands that only look."""
    store = KEPT / "store" if KEPT.exists() else None
    dry = min(run("+grid=data_amount", "-m", "dry_run=true", store=store) for _ in range(3))
    listed = min(run("ls", store=store) for _ in range(3))
    return f"dry_run {dry:.2f} s, ls {listed:.2f} s"


def reuse() -> str:
    """The demo's grid in one sweep, against its distinct cells in a process and a store of their own each.

    The corpus is a ninth of the demo's and the amounts end at 1/16, so that the cells apart do not take half an hour.
    """
    short = "data.world.corpus=5000"
    abilities, fractions = ("math", "code", "general"), ("1/256", "1/64", "1/16")
    cells = [("ability=math", "fraction=0"), *((f"ability={a}", f"fraction={f}") for a in abilities for f in fractions)]
    together = run("+grid=data_amount", "-m", "fraction=0,1/256,1/64,1/16", short)
    apart = sum(run(*cell, "name=cell", short) for cell in cells)
    return f"grid {together:.0f} s, its {len(cells)} cells apart {apart:.0f} s, {apart / together:.1f} times"


def kills() -> str:
    """Random ``kill -9`` of launcher, server or worker, the same command after each, against an undisturbed run."""
    words = ["-m", "name=s", "ability=math,code", "fraction=1/4,1", *TINY, "engine.checkpoint_steps=5"]
    chance = random.Random(0)
    with tempfile.TemporaryDirectory() as folder:
        calm, stormy = Path(folder) / "calm", Path(folder) / "stormy"
        run(*words, store=calm)
        done = 0
        while done < KILLS:
            process = command(*words, store=stormy)
            time.sleep(1.0 + 4.0 * chance.random())
            if process.poll() is None:
                pids = tree(process.pid)
                os.kill(chance.choice(pids), signal.SIGKILL)
                os.kill(process.pid, signal.SIGKILL)
                wait_until_gone([pid for pid in pids if pid != process.pid])
                done += 1
            else:
                _forget_some(stormy, chance)
            process.communicate(timeout=300)
        run(*words, store=stormy)
        same = all(
            (calm / "sweeps" / "s" / name).read_bytes() == (stormy / "sweeps" / "s" / name).read_bytes()
            for name in ("table.csv", "table.parquet")
        )
    return f"{KILLS} kills: table {'identical' if same else 'DIFFERENT'}"


def _forget_some(store: Path, chance: random.Random) -> None:
    """A sweep that came through before all kills were spent: take half of its results away."""
    for folder in sorted(path.parent for path in store.glob("*/*/stage.json")):
        if chance.random() < 0.5:
            shutil.rmtree(folder)
