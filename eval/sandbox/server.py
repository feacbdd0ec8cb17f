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
import random
import resource
import select
import signal
import sys
import time
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from eval.sandbox import candidate, child, run_tests
from eval.sandbox.levels import LEVELS, Level, probe
from eval.sandbox.programs import Program

if sys.platform == "linux":
    from eval.sandbox import landlock, linux, namespaces, seccomp

# What programs import most, paid for once; and the rest of it, for where a program can open no file later on. Every
# fork copies the tables of what is here.
MODULES = (
    "ast bisect collections contextlib copy dataclasses datetime decimal enum fractions functools heapq io itertools "
    "json math numbers operator os random re string sys textwrap time types typing warnings"
)
RARE = (
    "array base64 binascii calendar cmath csv hashlib pprint queue secrets socket statistics struct threading timeit "
    "traceback unicodedata unittest uuid zlib"
)
GARBAGE = 50_000  # new objects after which a program looks for those that hold one another
REPLY = 4096  # bytes of a verdict; a child that writes more is cut off
STATUSES = ("passed", "failed", "timeout", "memory", "refused", "crashed")
GRACE = 3  # wall seconds per CPU second: a busy machine is no fault of the program


@dataclass(frozen=True)
class Host:
    """What all programs of this server share: the process namespace they are born from (-1: none) and their cell."""

    processes: int
    cell: child.Cell


def main(name: str, seconds: str, memory_bytes: str) -> None:
    """Serve at the level of that name, each program within these limits, until standard input ends."""
    requests, replies = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    os.environ.clear()
    random.seed(0)  # programs go on from here: the same one gets the same numbers, and so do its tests
    os.register_at_fork(after_in_child=partial(random.seed, 0))  # where a fork draws new ones
    try:
        level = next(level for level in LEVELS if level.name == name)
        for module in f"{MODULES} {RARE if level.paths == 'none' else ''}".split():
            importlib.import_module(module)
        processes, rules = _prepared(level)
        probing = Host(processes, child.cell(level, child.Limits(5, 1 << 30), rules))
        for limit in child.lasting(level, int(memory_bytes)):
            limit()
        host = Host(processes, child.cell(level, child.Limits(float(seconds), int(memory_bytes)), rules))
        probed = _execute(Program(probe(level), ""), probing)
    except OSError as error:
        _reply(replies, {"error": str(error)})
        return
    if probed["status"] != "passed":
        _reply(replies, {"error": f"probe {probed['status']}: {probed['detail']}"})
        return
    _reply(replies, {"level": level.number})
    _warm(level)
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE)  # few programs make so much of it, and a search touches much memory
    with os.fdopen(requests, encoding="utf-8") as lines:
        for line in lines:
            asked = json.loads(line)
            _reply(replies, _execute(Program(asked["code"], asked["tests"]), host))


def _warm(level: Level) -> None:
    """Go through the motions once, so that children find warm code and copy fewer pages of memory."""
    example = Program("def f(x):\n    return [x]\n", "def check(f):\n    assert f(1) == [1]\ncheck(f)\n")
    for _ in range(20):
        run_tests.judged(example, run_tests.Candidate(candidate.Running(example).answer))
    sys.modules.pop("program")
    for may_signal in ((1, 2), (2,)) if level.namespaces else ():  # the two have the same numbers every time
        seccomp.filtering(level.paths, may_signal)


def _prepared(level: Level) -> tuple[int, int]:
    """Enter what all programs of this server share; its process namespace and Landlock's rules (-1: none)."""
    processes = namespaces.enter() if level.namespaces else -1
    if level.filters:
        linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)()
        linux.prctl(linux.PR_SET_CHILD_SUBREAPER, 1)()  # a program whose judge is killed is left to us
        linux.forgo_capabilities()
    if not level.landlock:
        return processes, -1
    writable = [str(Path(namespaces.SCRATCH).parent)] if level.namespaces else []
    rules = landlock.ruleset(readable=namespaces.libraries(), devices=namespaces.DEVICES, writable=writable)
    return processes, rules


def _reply(replies: int, value: dict[str, Any]) -> None:
    left = (json.dumps(value) + "\n").encode()
    while left:
        left = left[os.write(replies, left) :]


def _execute(program: Program, host: Host) -> dict[str, Any]:
    """Run one program in processes of its own and say how it ended."""
    level, limits = host.cell.level, host.cell.limits
    folder = "" if level.filters else _folder()
    reader, writer = os.pipe()
    started = time.monotonic()
    born = _fork(host)
    if born == 0:
        child.run(program, writer, host.cell, folder or "/")
    os.close(writer)
    written, late = _listen(reader, born, started + limits.seconds * GRACE)
    status, used = _end(born, level)
    os.close(reader)
    if folder:
        _remove(folder)
    late = late or (os.WIFSIGNALED(status) and child.exhausted(used, limits.seconds))
    outcome, detail = _outcome(written, status, late)
    seconds = round(time.monotonic() - started, 4)
    return {"status": outcome, "seconds": seconds, "memory_bytes": _peak_bytes(used), "detail": detail}


def _folder() -> str:
    import tempfile  # here, because it brings libraries whose tables every fork would copy

    return tempfile.mkdtemp(prefix="dosage-")


def _remove(folder: str) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)


def _fork(host: Host) -> int:
    """Fork; with namespaces, the child is the first process of a namespace of its own."""
    if host.processes < 0:
        return child.fork()
    linux.unshare(linux.CLONE_NEWPID)()
    born = linux.fork()
    if born:
        # A process may unshare its children's namespace once; coming back allows the next time.
        linux.rejoin(host.processes, linux.CLONE_NEWPID)()
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
