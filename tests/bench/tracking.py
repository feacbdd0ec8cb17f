"""What tracker=wandb costs: offline, with a server, and with one that fails."""

from __future__ import annotations

import json
import resource
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.conftest import TINY, sweep
from tests.wandb_server import WandbServer

WORDS = [*TINY, "-m", "name=s", "ability=math,code", "fraction=1/4,1", "recipe.epochs=8", "workers=1"]
FAULTS = ("hang", "hang after init", "error", "error after init", "refuse", "refuse after init")
NONE, OFFLINE, ONLINE, KILLED = "none", "offline", "online", "killed"
WAYS = (NONE, OFFLINE, ONLINE, KILLED, *FAULTS)
ROUNDS = 3


def mirror() -> str:
    """Seconds of the training stages, of the whole command, and its CPU seconds, each as a ratio to tracker=none.

    The least of three runs each, taken in turn. The table of every run must be that without a tracker, and a server
    that fails must be told of in one line.
    """
    seen: dict[str, list[tuple[float, float, float]]] = {way: [] for way in WAYS}
    tables = set()
    for _ in range(ROUNDS):
        for way in WAYS:
            with tempfile.TemporaryDirectory() as folder:
                store = Path(folder) / "store"
                seen[way].append(_run(way, store))
                table = (store / "sweeps" / "s" / "table.csv").read_bytes()
                tables.add(table.replace(b"tracker=none", b"tracker=wandb"))  # the override is a column
    assert len(tables) == 1, "a tracker has changed the table"
    least = {way: [min(values) for values in zip(*runs, strict=True)] for way, runs in seen.items()}
    first = least.pop(NONE)
    parts = [f"{NONE} {first[0]:.1f} s training, {first[1]:.1f} s in all, {first[2]:.1f} s CPU"]
    for way, values in least.items():
        ratios = [value / base for value, base in zip(values, first, strict=True)]
        parts.append(f"{way} {ratios[0]:.2f}, {ratios[1]:.2f}, {ratios[2]:.2f}")
    return "; ".join(parts)


def _run(way: str, store: Path) -> tuple[float, float, float]:
    with _served(way, store) as environment:
        began, before = time.monotonic(), _cpu()
        ended = sweep(*WORDS, f"tracker={NONE if way == NONE else 'wandb'}", store=store, **environment)
        seconds, cpu = time.monotonic() - began, _cpu() - before
    assert ended.returncode == 0, ended.stdout + ended.stderr
    told = [line for line in (ended.stdout + ended.stderr).splitlines() if "W&B" in line]
    assert len(told) == (way != NONE), told
    trained = sum(json.loads(file.read_bytes())["seconds"] for file in store.glob("train/*/record.json"))
    return trained, seconds, cpu


@contextmanager
def _served(way: str, store: Path) -> Iterator[dict[str, str]]:
    """The environment of a way, with the server that it takes."""
    if way in (NONE, OFFLINE):
        yield {"WANDB_MODE": "offline"}
        return
    server = WandbServer(way if way in FAULTS else "")
    environment = server.start()
    ended = threading.Event()
    watch = threading.Thread(target=_kill_in_the_middle, args=(server, store, ended))
    if way == KILLED:
        watch.start()
    yield environment
    ended.set()
    if way == KILLED:
        watch.join()
    else:
        server.stop()


def _kill_in_the_middle(server: WandbServer, store: Path, ended: threading.Event) -> None:
    """Stop the server once it has rows of a training, with others to come."""
    while not any(run.history for run in list(server.runs.values())) and not ended.wait(0.05):
        pass
    assert not ended.is_set(), "the server was sent nothing before the end"
    server.stop()


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
