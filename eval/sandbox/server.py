"""The warm fork server: a bare interpreter that forks a contained child for every program.

Started by the client as ``python -s -S -P`` with an empty environment and an own session. Standard input brings
requests, standard output takes replies, each one JSON object a line. The first reply is {"level"} or {"error"}; a
request is {"code", "tests", "seconds", "memory_bytes"}, its reply {"status", "seconds", "memory_bytes", "detail"}.
"""

from __future__ import annotations

import contextlib
import gc
import importlib
import json
import os
import resource
import select
import shutil
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.sandbox import candidate, child, judge
from eval.sandbox.levels import LEVELS, Level, probe
from eval.sandbox.programs import Program, parts

if sys.platform == "linux":
    from eval.sandbox import landlock, linux, namespaces

# What programs import most: there before the door closes, and paid for once.
MODULES = (
    "array ast base64 binascii bisect calendar cmath collections contextlib copy csv dataclasses datetime decimal "
    "enum fractions functools hashlib heapq io itertools json math numbers operator os pprint queue random re secrets "
    "socket statistics string struct sys textwrap threading time timeit traceback types typing unicodedata unittest "
    "uuid warnings zlib"
)
REPLY = 4096  # bytes of a verdict; a child that writes more is cut off
STATUSES = ("passed", "failed", "timeout", "memory", "refused", "crashed")
GRACE = 3  # wall seconds per CPU second: a busy machine is no fault of the program


@dataclass(frozen=True)
class Host:
    """What all programs of this server share: a level, its process namespace and Landlock's rules (-1: none)."""

    level: Level
    processes: int = -1
    rules: int = -1


def main(name: str) -> None:
    """Serve at the level of that name until standard input ends."""
    requests, replies = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.environ.clear()
    try:
        for module in MODULES.split():
            importlib.import_module(module)
        host = _prepared(next(level for level in LEVELS if level.name == name))
        probed = _execute(Program(probe(host.level), ""), child.Limits(5, 1 << 30), host)
    except OSError as error:
        _reply(replies, {"error": str(error)})
        return
    if probed["status"] != "passed":
        _reply(replies, {"error": f"probe {probed['status']}: {probed['detail']}"})
        return
    _reply(replies, {"level": host.level.number})
    _warm()
    gc.collect()
    gc.freeze()
    with os.fdopen(requests, encoding="utf-8") as lines:
        for line in lines:
            asked = json.loads(line)
            limits = child.Limits(asked["seconds"], asked["memory_bytes"])
            _reply(
                replies,
                _execute(Program(asked["code"], asked["tests"]), limits, host),
            )


def _warm() -> None:
    """Go through the motions once, so that children find warm code and copy fewer pages of memory."""
    example = Program("def f(x):\n    return [x]\n", "def check(f):\n    assert f(1) == [1]\ncheck(f)\n")
    for _ in range(20):
        found = parts(example)
        judge.judged(found, judge.Candidate(candidate.Running(found).answer))
    sys.modules.pop("program")


def _prepared(level: Level) -> Host:
    """Enter what all programs of this server share."""
    processes = namespaces.enter() if level.namespaces else -1
    if level.filters:
        linux.prctl(linux.PR_SET_CHILD_SUBREAPER, 1)  # a program whose judge is killed is left to us
        linux.forgo_capabilities()
    if not level.landlock:
        return Host(level, processes)
    writable = [str(Path(namespaces.SCRATCH).parent)] if level.namespaces else []
    rules = landlock.ruleset(readable=namespaces.libraries(), devices=namespaces.DEVICES, writable=writable)
    return Host(level, processes, rules)


def _reply(replies: int, value: dict[str, Any]) -> None:
    left = (json.dumps(value) + "\n").encode()
    while left:
        left = left[os.write(replies, left) :]


def _execute(program: Program, limits: child.Limits, host: Host) -> dict[str, Any]:
    """Run one program in processes of its own and say how it ended."""
    folder = None if host.level.filters else tempfile.mkdtemp(prefix="dosage-")
    reader, writer = os.pipe()
    started = time.monotonic()
    born = _fork(host)
    if born == 0:
        child.run(program, writer, child.Cell(host.level, limits, folder or "/", host.rules))
    os.close(writer)
    written, late = _listen(reader, born, started + limits.seconds * GRACE)
    status, used = _end(born, host.level)
    os.close(reader)
    if folder:
        shutil.rmtree(folder, ignore_errors=True)
    late = late or (os.WIFSIGNALED(status) and child.exhausted(used, limits.seconds))
    outcome, detail = _outcome(written, status, late)
    seconds = round(time.monotonic() - started, 4)
    return {"status": outcome, "seconds": seconds, "memory_bytes": _peak_bytes(used), "detail": detail}


def _fork(host: Host) -> int:
    """Fork; with namespaces, the child is the first process of a namespace of its own."""
    if not host.level.namespaces:
        return os.fork()
    linux.unshare(linux.CLONE_NEWPID)
    born = os.fork()
    if born:
        # A process may unshare its children's namespace once; coming back allows the next time.
        linux.rejoin(host.processes, linux.CLONE_NEWPID)
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


def _end(born: int, level: Level) -> tuple[int, resource.struct_rusage]:
    """End the judge and the program; the judge's wait status, and what both have used."""
    try:
        os.kill(born, signal.SIGKILL)
        if not level.namespaces:  # there, the first process takes the other along
            os.killpg(born, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass  # it had ended, or no longer leads its group
    _, status, used = os.wait4(born, 0)
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, 0 if level.filters else os.WNOHANG) != (0, 0):
            pass
    return status, used


def _outcome(written: bytes, status: int, late: bool) -> tuple[str, str]:
    """Status and detail: only the judge's whole line is a verdict, whatever any exit status says."""
    outcome, _, detail = written.decode("utf-8", "replace").partition("\n")[0].partition(" ")
    if outcome in STATUSES and b"\n" in written:
        return outcome, detail
    if late:
        return "timeout", ""
    if os.WIFSIGNALED(status):
        return "crashed", f"signal {os.WTERMSIG(status)}"
    return "crashed", "ended without a verdict"


def _peak_bytes(used: resource.struct_rusage) -> int:
    """Peak resident memory; Linux counts it in KiB, macOS in bytes."""
    return used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
