"""What tracker=wandb costs: offline, with a server, and with one that fails."""

from __future__ import annotations

import json
import resource
import tempfile
import time
from pathlib import Path

from tests.conftest import TINY, sweep
from tests.wandb_server import WandbServer

WORDS = [*TINY, "-m", "name=s", "ability=math,code", "fraction=1/4,1", "recipe.epochs=8", "workers=1"]
FAULTS = ("", "hang", "hang after init", "error", "refuse")
REPEATS = 2


def mirror() -> str:
    """Seconds of the training stages, of the whole command, and its CPU seconds, each as a ratio to tracker=none.

    The least of two runs each, taken in turn.
    """
    seen: dict[str, list[tuple[float, float, float]]] = {}
    for _ in range(REPEATS):
        seen.setdefault("none", []).append(_run({}, "tracker=none"))
        seen.setdefault("offline", []).append(_run({"WANDB_MODE": "offline"}, "tracker=wandb"))
        for fault in FAULTS:
            server = WandbServer(fault)
            seen.setdefault(fault or "online", []).append(_run(server.start(), "tracker=wandb"))
            server.stop()
    least = {name: [min(values) for values in zip(*runs, strict=True)] for name, runs in seen.items()}
    first = least.pop("none")
    parts = [f"none {first[0]:.1f} s training, {first[1]:.1f} s in all, {first[2]:.1f} s CPU"]
    for name, values in least.items():
        ratios = [value / base for value, base in zip(values, first, strict=True)]
        parts.append(f"{name} {ratios[0]:.2f}, {ratios[1]:.2f}, {ratios[2]:.2f}")
    return "; ".join(parts)


def _run(environment: dict[str, str], word: str) -> tuple[float, float, float]:
    with tempfile.TemporaryDirectory() as folder:
        store = Path(folder) / "store"
        began, before = time.monotonic(), _cpu()
        ended = sweep(*WORDS, word, store=store, **environment)
        seconds = time.monotonic() - began
        assert ended.returncode == 0, ended.stdout + ended.stderr
        trained = sum(json.loads(file.read_bytes())["seconds"] for file in store.glob("train/*/record.json"))
        return trained, seconds, _cpu() - before


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime
