"""Real processes that hold, build or are killed, for the tests of the store."""

from __future__ import annotations

import contextlib
import json
import multiprocessing
import os
import signal
import socket
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from sweep.stages import process
from sweep.stages.stage import Stage
from sweep.stages.store import Store
from tests.conftest import HANG_SECONDS
from train.spec import WorldSpec

LONG_AGO = 30 * 86400.0


def world(seed: int) -> Stage:
    return Stage("world", WorldSpec(seed, 1, 1, 1, 1, 1), {})


def build(store: Store, stage: Stage, text: str, owner: str = "me") -> None:
    with store.build(stage, owner) as out:
        (out / "rows.txt").write_text(text)


@contextlib.contextmanager
def running(function: Callable[..., None], *arguments: Any) -> Iterator[int]:
    """Run ``function(*arguments, hang)`` in a process of its own, until it calls ``hang()``; yield its pid.

    When the block ends the process is killed with signal 9, at the place where it hangs.
    """
    context = multiprocessing.get_context("fork")
    reached = context.Event()

    def hang(*_: Any, **__: Any) -> None:
        reached.set()
        time.sleep(600)

    child = context.Process(target=function, args=(*arguments, hang))
    child.start()
    try:
        assert reached.wait(60), "the process never came to the place where it is to be killed"
        assert child.pid is not None
        yield child.pid
    finally:
        child.kill()
        child.join()


def family(pid: int) -> list[int]:
    """A process and all its descendants."""
    return [pid, *process.descendants(pid)]


def send(sent: signal.Signals, pids: Iterable[int], kill: Callable[[int, int], None] = os.kill) -> None:
    """Send a signal to those of these processes that still live: some may have ended since they were listed."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            kill(pid, sent)


def wait_until_gone(pids: Iterable[int]) -> None:
    deadline = time.monotonic() + HANG_SECONDS
    while left := [pid for pid in pids if Path(f"/proc/{pid}").exists()]:
        assert time.monotonic() < deadline, f"these processes never ended: {left}"
        time.sleep(0.05)


def kill_at(function: Callable[..., None], *arguments: Any) -> int:
    """Kill -9 a process at the place where ``function`` hangs; return its pid."""
    with running(function, *arguments) as pid:
        pass
    return pid


def hold(root: Path, text: str, hang: Callable[[], None]) -> None:
    """Be in the middle of building `world(0)`."""
    with Store(root).build(world(0), "victim") as out:
        (out / "checkpoint").write_text(text)
        hang()


def leave_claim(claim: Path, **changes: Any) -> Path:
    """Write a claim by hand, as this process would."""
    claim.parent.mkdir(parents=True, exist_ok=True)
    claim.write_text(json.dumps({"owner": "gone", "host": socket.gethostname(), "pid": os.getpid()} | changes))
    return claim


def age(path: Path, seconds: float = LONG_AGO) -> None:
    """Set back the time of the last change of a file, or of a folder and all that is in it."""
    then = time.time() - seconds
    for part in (*path.rglob("*"), path) if path.is_dir() else (path,):
        os.utime(part, (then, then))
