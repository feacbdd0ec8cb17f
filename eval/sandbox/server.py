"""The warm fork server: a bare interpreter that forks a contained child for every program.

Started by the client as ``python -s -S -P`` with an empty environment and an own session. Standard input brings
requests, standard output takes replies, each one JSON object a line. The first reply is {"level"} or {"error"}; a
request is {"program", "seconds", "memory_bytes"}, its reply {"status", "seconds", "memory_bytes", "detail"}.
"""

from __future__ import annotations

import gc
import importlib
import json
import math
import os
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
from typing import Any

from eval.sandbox import child
from eval.sandbox.levels import LEVELS, PROBES, Level

if sys.platform == "linux":
    from eval.sandbox import linux, namespaces

# What programs import most: there before the door closes, and paid for once.
MODULES = (
    "array ast base64 binascii bisect calendar cmath collections contextlib copy csv dataclasses datetime decimal "
    "enum fractions functools hashlib heapq io itertools json math numbers operator os pprint queue random re secrets "
    "socket statistics string struct sys textwrap threading time timeit traceback types typing unicodedata unittest "
    "uuid warnings zlib"
)
REPLY = 4096  # bytes of a verdict; a child that writes more is cut off
GRACE = 3  # wall seconds per CPU second: a busy machine is no fault of the program


def main(number: int) -> None:
    """Serve at the level of that number until standard input ends."""
    requests, replies = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.environ.clear()
    level = next(level for level in LEVELS if level.number == number)
    try:
        for name in MODULES.split():
            importlib.import_module(name)
        processes = _contained(level)
        probed = _execute({"program": PROBES[number], "seconds": 5, "memory_bytes": 1 << 30}, level, processes)
        hello = (
            {"level": number}
            if probed["status"] == "passed"
            else {"error": f"probe {probed['status']}: {probed['detail']}"}
        )
    except OSError as error:
        hello = {"error": str(error)}
    _reply(replies, hello)
    if "error" in hello:
        return
    gc.collect()
    gc.freeze()
    with os.fdopen(requests, encoding="utf-8") as lines:
        for line in lines:
            _reply(replies, _execute(json.loads(line), level, processes))


def _contained(level: Level) -> int:
    """Enter what all programs of this server share; a descriptor of the process namespace, or -1."""
    return namespaces.enter() if level.namespaces else -1


def _reply(replies: int, value: dict[str, Any]) -> None:
    left = (json.dumps(value) + "\n").encode()
    while left:
        left = left[os.write(replies, left) :]


def _execute(request: dict[str, Any], level: Level, processes: int) -> dict[str, Any]:
    """Run one program in a child and say how it ended."""
    nonce = os.urandom(16).hex()
    folder = None if level.refuses else tempfile.mkdtemp(prefix="dosage-")
    reader, writer = os.pipe()
    started = time.monotonic()
    born = _fork(level, processes)
    if born == 0:
        limits = child.Limits(request["seconds"], request["memory_bytes"])
        child.run(request["program"], nonce, writer, level=level, limits=limits, folder=folder or "/")
    os.close(writer)
    written, late = _listen(reader, born, started + request["seconds"] * GRACE)
    _end(born, level)
    _, status, used = os.wait4(born, 0)
    os.close(reader)
    if folder:
        shutil.rmtree(folder, ignore_errors=True)
    # The kernel ends a program at its CPU limit, counted in ticks: on a busy machine far ahead of the time it reports.
    exhausted = os.WIFSIGNALED(status) and used.ru_utime + used.ru_stime >= math.ceil(request["seconds"]) / 2
    outcome, detail = _outcome(written, nonce, status, late or exhausted)
    seconds = round(time.monotonic() - started, 4)
    return {"status": outcome, "seconds": seconds, "memory_bytes": _peak_bytes(used), "detail": detail}


def _fork(level: Level, processes: int) -> int:
    """Fork; with namespaces, the child is the first process of a namespace of its own."""
    if not level.namespaces:
        return os.fork()
    linux.unshare(linux.CLONE_NEWPID)
    born = os.fork()
    if born:
        # A process may unshare its children's namespace once; coming back allows the next time.
        linux.rejoin(processes, linux.CLONE_NEWPID)
    return born


def _listen(reader: int, born: int, deadline: float) -> tuple[bytes, bool]:
    """What the child writes until its line is whole, it has ended, or time is up; and whether time was up."""
    os.set_blocking(reader, False)
    # Without pidfd, a grandchild that holds the pipe open can only be waited for.
    ended = os.pidfd_open(born) if hasattr(os, "pidfd_open") else -1
    sources = [reader] if ended < 0 else [reader, ended]
    written = b""
    try:
        while (left := deadline - time.monotonic()) > 0:
            ready, _, _ = select.select(sources, [], [], left)
            part = _available(reader)
            written += part or b""
            if part == b"" or b"\n" in written or len(written) > REPLY or ended in ready:
                return written, False
        return written, True
    finally:
        if ended >= 0:
            os.close(ended)


def _available(reader: int) -> bytes | None:
    """What can be read now: b'' at the end of the pipe, None when there is nothing yet."""
    try:
        return os.read(reader, REPLY)
    except BlockingIOError:
        return None


def _end(born: int, level: Level) -> None:
    """End the child and all it started. As first process of its namespace it takes the others along."""
    try:
        os.kill(born, signal.SIGKILL)
        if not level.namespaces:
            os.killpg(born, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass  # it had ended, or no longer leads its group


def _outcome(written: bytes, nonce: str, status: int, late: bool) -> tuple[str, str]:
    """Status and detail: only a line that begins with the nonce is a verdict, whatever the exit status says."""
    text = written.decode("utf-8", "replace")
    if text.startswith(nonce) and text.endswith("\n"):
        outcome, _, detail = text[len(nonce) :].strip().partition(" ")
        return outcome, detail
    if late:
        return "timeout", ""
    if os.WIFSIGNALED(status):
        return "crashed", f"signal {os.WTERMSIG(status)}"
    return "crashed", "ended without a verdict"


def _peak_bytes(used: resource.struct_rusage) -> int:
    """Peak resident memory; Linux counts it in KiB, macOS in bytes."""
    return used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
