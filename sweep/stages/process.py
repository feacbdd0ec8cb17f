"""Processes of this machine, as other processes can recognise them: alive or not, and ended with all their children."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, NoReturn

STATE, PARENT, STARTED = 0, 1, 19
"""Positions in /proc/PID/stat, counted after the command's name (proc(5), fields 3, 4 and 22)."""

ENDED = ("Z", "X")
"""States of a process that has ended but is still listed, since its parent has not yet asked for its status."""


STOPPED = ("T", "t")


@cache
def table() -> str | None:
    """The table in which this process's number is listed: the boot of the machine and its namespace of processes.

    The same number means the same process only within one table. None where that cannot be told: without /proc, or
    where /proc belongs to another namespace.
    """
    try:
        if Path("/proc/self").readlink().name != str(os.getpid()):
            return None
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return None


def started(pid: int) -> int | None:
    """When a process of this table was started, in clock ticks since boot; None when there is no such process.

    Numbers are used again, so number and start together identify a process.
    """
    facts = _stat(pid)
    return None if facts is None or facts[STATE] in ENDED else int(facts[STARTED])


def is_stopped(pid: int) -> bool:
    """Whether a process of this table has been stopped, as by SIGSTOP or a debugger."""
    facts = _stat(pid)
    return facts is not None and facts[STATE] in STOPPED


def has_ended(pid: int, start: int | None) -> bool:
    """Whether the process of this table that had number ``pid`` and was `started` at ``start`` is known to have ended.

    False for one that /proc hides because it is another user's.
    """
    present = started(pid)
    if present is not None or _stat(pid) is not None:
        return present != start
    with contextlib.suppress(PermissionError):
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
    return False


def identity() -> dict[str, Any]:
    """What tells others whether this process still lives, as JSON: ``host``, ``pid``, `table` and when it `started`."""
    pid = os.getpid()
    return {"host": socket.gethostname(), "pid": pid, "table": table(), "started": started(pid)}


def is_over(other: Mapping[str, Any]) -> bool:
    """Whether the process with this `identity` is known to have ended: the table it was listed in lacks it."""
    own = table()
    if own is None or other.get("table") != own:  # claims of earlier versions name none
        return False
    return has_ended(int(other["pid"]), other["started"])


def descendants(pid: int) -> list[int]:
    """The children of a process, their children, and so on."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*"):
        if facts := _stat(int(entry.name)):
            children.setdefault(int(facts[PARENT]), []).append(int(entry.name))
    family = children.get(pid, [])
    for child in family:
        family += children.get(child, [])
    return family


def end_now(sentence: str, status: int) -> NoReturn:
    """Print ``sentence`` and end this process and its descendants at once, from any thread, without any clean-up."""
    with contextlib.suppress(OSError, ValueError):
        print(sentence, file=sys.stderr, flush=True)
    for pid in descendants(os.getpid()):
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.kill(pid, signal.SIGKILL)
    os._exit(status)


def _stat(pid: int) -> list[str] | None:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except OSError:
        return None
