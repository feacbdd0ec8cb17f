"""The warm fork server: a bare interpreter that forks a contained child for every program.

The client starts it as ``python -s -S -P`` with an empty environment and a session of its own. Requests come through
standard input, replies leave through standard output, each a JSON object on one line. The first reply is {"level"} or
{"error"}; a request is an empty line, its reply has the fields of `ProgramVerdict`. What to run lies in a
file that the client has opened, and the detail of a verdict is written there (here it is then null): all later programs
are forked from this process, so it must hold nothing of any test.
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
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

from eval.sandbox import child, run_program, run_tests
from eval.sandbox.levels import LEVELS, Level, probe
from eval.sandbox.programs import Limits, Program

if sys.platform == "linux":
    from eval.sandbox import landlock, linux, namespaces, seccomp

# Modules that programs import often are imported once, before any fork. Rare ones are not, since every fork copies the
# page tables of whatever is here.
MODULES = (
    "ast bisect collections contextlib copy dataclasses datetime decimal enum fractions functools heapq io itertools "
    "json math numbers operator os random re string sys textwrap time types typing warnings"
)
GARBAGE = 50_000  # new objects after which a program's garbage collector runs
MAX_VERDICT_BYTES = 64  # a child that writes more is cut off
MAX_DETAIL_BYTES = 4096
PROBE_LIMITS = Limits(5, 1 << 30)
STATUSES = ("passed", "failed", "timeout", "memory", "refused", "crashed")
WALL_PER_SECOND = 3  # of CPU time: a program is not to blame for a busy machine


@dataclass(frozen=True)
class Host:
    """What all programs of this server share: their containment, and the process namespace that they start from.

    ``processes`` is the descriptor of that namespace (-1: none), ``text`` that of the file with the program.
    """

    processes: int
    text: int
    contained: child.Containment


def main(name: str, text: str, seconds: str, memory_bytes: str, packages: str) -> None:
    """Serve at the level called ``name``, with these limits for each program, until standard input ends.

    ``text`` is the descriptor of the file with the program; ``packages``, as JSON, the folders of each package that is
    offered.
    """
    requests, replies = os.dup(0), os.dup(1)
    file = child.FILES - 1  # above every number that a child gives another meaning
    os.dup2(int(text), file)
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)
    try:
        level = next(level for level in LEVELS if level.name == name)
        folders = _import(json.loads(packages))
        # Programs inherit nothing from the user: no keys, no paths; nor what the client tells libraries.
        os.environ.clear()
        random.seed(0)  # programs continue from here, so each gets the same numbers in every run, as do its tests
        os.register_at_fork(after_in_child=partial(random.seed, 0))  # a fork through Python draws a new seed
        processes, rules = _prepared(level, folders)
        probing = Host(processes, file, child.containment(level, PROBE_LIMITS, rules))
        for limit in child.inherited_limits(level, int(memory_bytes)):
            limit()
        limits = Limits(float(seconds), int(memory_bytes), tuple(json.loads(packages)))
        host = Host(processes, file, child.containment(level, limits, rules))
        problem = _probed(level, probing)
    except OSError as error:
        problem = str(error)
    if problem:
        _reply(replies, {"error": problem})
        return
    _reply(replies, {"level": level.number})
    _warm(level)
    gc.collect()
    gc.freeze()
    gc.set_threshold(GARBAGE)  # few programs make that much garbage, and collecting it touches much memory
    while os.read(requests, 1):
        _reply(replies, _execute(host))


def _import(packages: Mapping[str, Sequence[str]]) -> list[str]:
    """Import what programs often need, and these packages; return the folders of the latter."""
    for module in MODULES.split():
        importlib.import_module(module)
    folders = sorted({folder for several in packages.values() for folder in several})
    sys.path += sorted({str(Path(folder).parent) for folder in folders})
    for package in packages:
        importlib.import_module(package)
    if "numpy" in packages:
        sys.modules["numpy"].random.seed(0)
    return folders


def _probed(level: Level, host: Host) -> str:
    """Run the level's probe; how it failed, or ''.

    The kernel may accept every call and still not contain, so a program has to run into the walls.
    """
    os.pwrite(host.text, json.dumps(asdict(Program(probe(level), ""))).encode(), 0)
    verdict = _execute(host)
    detail = verdict["detail"] or os.pread(host.text, MAX_DETAIL_BYTES, 0).decode()
    return "" if verdict["status"] == "passed" else f"probe {verdict['status']}: {detail}"


def _warm(level: Level) -> None:
    """Test an example a few times, so that children inherit specialised code and copy fewer pages of memory."""
    code, tests = "def f(x):\n    return [x]\n", "def check(f):\n    assert f([1]) == [[1]]\ncheck(f)\n"
    for example in [Program(code, tests), Program(f"{code}assert f([1]) == [[1]]\n")] * 10:
        loaded, answers = run_program.LoadedProgram(), list[bytes]()
        remote = run_tests.RemoteProgram(partial(_answer, loaded, answers), answers.pop)
        assert run_tests.outcome(example, remote) == "passed"
    sys.modules.pop("program")
    for may_signal in ((1, 2), (2,)) if level.namespaces else ():  # process numbers are the same every time there
        seccomp.filtering(level.paths, may_signal)


def _answer(loaded: run_program.LoadedProgram, answers: list[bytes], order: bytes) -> None:
    answers.append(loaded.answer(order))


def _prepared(level: Level, folders: list[str]) -> tuple[int, int]:
    """Set up what all programs share; return descriptors of the process namespace and Landlock's rules (-1: none)."""
    processes = namespaces.enter(folders) if level.namespaces else -1
    if level.filters:
        linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)()
        linux.prctl(linux.PR_SET_CHILD_SUBREAPER, 1)()  # this process inherits a program whose test process was killed
        linux.forgo_capabilities()
    if not level.landlock:
        return processes, -1
    writable = [str(Path(namespaces.SCRATCH).parent)] if level.namespaces else []
    rules = landlock.ruleset(readable=namespaces.libraries(folders), devices=namespaces.DEVICES, writable=writable)
    return processes, rules


def _reply(replies: int, value: dict[str, Any]) -> None:
    left = (json.dumps(value) + "\n").encode()
    # A pipe may take only part of a line.
    while left:
        left = left[os.write(replies, left) :]


def _execute(host: Host) -> dict[str, Any]:
    """Run the program of the file in processes of its own; how it ended, as the fields of `ProgramVerdict`.

    The detail is None where the file holds it.
    """
    level, limits = host.contained.level, host.contained.limits
    folder = "" if level.filters else _folder()
    reader, writer = os.pipe()
    started = time.monotonic()
    test_process = _fork(host)
    if test_process == 0:
        child.run(host.text, writer, host.contained, folder or "/")
    os.close(writer)
    written, late = _listen(reader, test_process, started + limits.seconds * WALL_PER_SECOND)
    status, used = _end(test_process, level)
    os.close(reader)
    if folder:
        _remove(folder)
    late = late or (os.WIFSIGNALED(status) and child.exhausted(used, limits.seconds))
    outcome, detail = _outcome(written, status, late)
    seconds = round(time.monotonic() - started, 4)
    cpu = round(used.ru_utime + used.ru_stime, 4)
    memory = _peak_bytes(used)
    return {"status": outcome, "seconds": seconds, "memory_bytes": memory, "detail": detail, "cpu_seconds": cpu}


def _folder() -> str:
    import tempfile  # imported here, as it brings libraries whose page tables every fork would copy

    return tempfile.mkdtemp(prefix="dosage-")


def _remove(folder: str) -> None:
    import shutil

    shutil.rmtree(folder, ignore_errors=True)


def _fork(host: Host) -> int:
    """Fork; with namespaces, the child is the first process of a namespace of its own."""
    if host.processes < 0:
        return child.fork()
    linux.unshare(linux.CLONE_NEWPID)()
    test_process = linux.fork()
    if test_process:
        # A process may unshare its children's namespace only once, unless it rejoins the first one in between.
        linux.rejoin(host.processes, linux.CLONE_NEWPID)()
    return test_process


def _listen(reader: int, test_process: int, deadline: float) -> tuple[bytes, bool]:
    """What the test process writes until its line is whole, it has ended, or time is up; and whether time was up."""
    os.set_blocking(reader, False)
    # Without pidfd, a grandchild that holds the pipe open can only be waited for.
    ended = os.pidfd_open(test_process) if hasattr(os, "pidfd_open") else -1
    sources = [reader] if ended < 0 else [reader, ended]
    written = b""
    try:
        while (left := deadline - time.monotonic()) > 0:
            ready, _, _ = select.select(sources, [], [], left)
            part = _available(reader)
            written += part or b""
            if part == b"" or b"\n" in written or len(written) > MAX_VERDICT_BYTES or ended in ready:
                return written, False
        return written, True
    finally:
        if ended >= 0:
            os.close(ended)


def _available(reader: int) -> bytes | None:
    """What can be read now; b'' at the end of the pipe, None when there is nothing yet."""
    try:
        return os.read(reader, MAX_VERDICT_BYTES)
    except BlockingIOError:
        return None


def _end(test_process: int, level: Level) -> tuple[int, resource.struct_rusage]:
    """Kill both processes; the wait status of the test process, and the resources that both have used."""
    try:
        os.kill(test_process, signal.SIGKILL)
        if not level.namespaces:  # with namespaces the other one ends with the first of its namespace
            os.killpg(test_process, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass  # it had ended, or no longer leads its group
    _, status, used = os.wait4(test_process, 0)
    # Orphans of the test process are inherited by this one and must be reaped.
    with contextlib.suppress(ChildProcessError):
        while os.waitpid(-1, 0 if level.filters else os.WNOHANG) != (0, 0):
            pass
    return status, used


def _outcome(written: bytes, status: int, late: bool) -> tuple[str, str | None]:
    """Status and detail. Only a whole line of the test process is a verdict; an exit status of 0 proves nothing."""
    outcome, whole, _ = written.decode("utf-8", "replace").partition("\n")
    if outcome in STATUSES and whole:
        return outcome, None
    # Checked after a verdict: a program that passed in time has passed.
    if late:
        return "timeout", ""
    if os.WIFSIGNALED(status):
        return "crashed", f"signal {os.WTERMSIG(status)}"
    return "crashed", "ended without a verdict"


def _peak_bytes(used: resource.struct_rusage) -> int:
    """Peak resident memory; Linux counts it in KiB, macOS in bytes."""
    return used.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
