"""The demo as a user runs it: from a fresh clone, a second time, cell by cell, and under kills."""

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
from tests.sweep.launch.test_local import published
from tests.sweep.stages.processes import family, send, wait_until_gone

KILLS = 20
CLONE = Path(tempfile.gettempdir()) / "dosage-bench"
"""The clone of the last demo, which the measures `again` and `light` use."""


def run(*words: str, store: Path | None = None) -> float:
    """Wall seconds of ``python -m sweep WORDS``."""
    with tempfile.TemporaryDirectory() as folder:
        began = time.monotonic()
        ended = sweep(*words, store=store or Path(folder) / "store", seconds=3600)
        seconds = time.monotonic() - began
    assert ended.returncode == 0, ended.stdout + ended.stderr
    return seconds


def demo() -> str:
    """``make setup`` and ``make demo`` in a fresh clone, and the table that the demo prints."""
    shutil.rmtree(CLONE, ignore_errors=True)
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(CLONE)], check=True)
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV", "DOSAGE_STORE")}
    times = []
    for target in ("setup", "demo"):
        began = time.monotonic()
        ended = subprocess.run(["make", target], cwd=CLONE, env=environment, capture_output=True, text=True, check=True)
        times.append(time.monotonic() - began)
    return f"setup {times[0]:.0f} s, demo {times[1]:.0f} s, together {sum(times) / 60:.1f} min\n{ended.stdout}"


def again() -> str:
    """``make demo`` a second time, after the measure `demo`."""
    assert (CLONE / "store").exists(), "run the measure demo first"
    before = published(CLONE / "store")
    began = time.monotonic()
    subprocess.run(["make", "demo"], cwd=CLONE, capture_output=True, check=True)
    seconds = time.monotonic() - began
    assert published(CLONE / "store") == before
    return f"make demo again: {seconds:.1f} s, nothing built"


def light() -> str:
    """Commands that build nothing: ``dry_run=true`` and ``ls``, best of three."""
    store = CLONE / "store" if CLONE.exists() else None
    dry = min(run("+grid=data_amount", "-m", "dry_run=true", store=store) for _ in range(3))
    listed = min(run("ls", store=store) for _ in range(3))
    return f"dry_run {dry:.2f} s, ls {listed:.2f} s"


def reuse() -> str:
    """The demo's grid in one sweep, beside its distinct cells each in a process and a store of their own.

    The corpus is a ninth of the demo's and the amounts end at 1/16: the separate cells would take half an hour.
    """
    short = "data.world.corpus=5000"
    abilities, fractions = ("math", "code", "general"), ("1/256", "1/64", "1/16")
    cells = [("ability=math", "fraction=0"), *((f"ability={a}", f"fraction={f}") for a in abilities for f in fractions)]
    together = run("+grid=data_amount", "-m", "fraction=0,1/256,1/64,1/16", short)
    separate = sum(run(*cell, "name=cell", short) for cell in cells)
    return f"grid {together:.0f} s, its {len(cells)} cells apart {separate:.0f} s, {separate / together:.1f} times"


def kills() -> str:
    """20 random ``kill -9`` of launcher, server or worker, each followed by the same command; whether the table equals
    that of an undisturbed run.
    """
    words = ["-m", "name=s", "ability=math,code", "fraction=1/4,1", *TINY, "engine.checkpoint_steps=5"]
    chance = random.Random(0)
    with tempfile.TemporaryDirectory() as folder:
        undisturbed, killed = Path(folder) / "undisturbed", Path(folder) / "killed"
        run(*words, store=undisturbed)
        done = 0
        while done < KILLS:
            process = command(*words, store=killed)
            time.sleep(1.0 + 4.0 * chance.random())
            if process.poll() is None:
                pids = family(process.pid)
                send(signal.SIGKILL, [chance.choice(pids), process.pid])
                wait_until_gone([pid for pid in pids if pid != process.pid])
                done += 1
            else:
                _delete_half(killed, chance)
            process.communicate(timeout=300)
        run(*words, store=killed)
        same = all(
            (undisturbed / "sweeps" / "s" / name).read_bytes() == (killed / "sweeps" / "s" / name).read_bytes()
            for name in ("table.csv", "table.parquet")
        )
    return f"{KILLS} kills: table {'identical' if same else 'DIFFERENT'}"


def _delete_half(store: Path, chance: random.Random) -> None:
    """Delete half of the results, so that a sweep that has ended before all kills has work again."""
    for folder in sorted(path.parent for path in store.glob("*/*/stage.json")):
        if chance.random() < 0.5:
            shutil.rmtree(folder)
