"""One program's two processes: both contained, one runs the program, the other judges it and writes the verdict."""

from __future__ import annotations

import math
import os
import random
import resource
import signal
import socket
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from typing import NoReturn

from eval.sandbox import candidate, judge
from eval.sandbox.levels import Level
from eval.sandbox.programs import Part, Program, parts

if sys.platform == "linux":  # before any fork: a contained child can import nothing of ours
    from eval.sandbox import landlock, linux, namespaces, seccomp

VERDICT, CHANNEL = 3, 4  # the judge's only descriptors besides standard input, output and error, which lead nowhere
FILE_BYTES, FILES, STACK_BYTES, PROCESSES = 4 << 20, 64, 64 << 20, 64


@dataclass(frozen=True)
class Limits:
    """What each of the two processes may use: CPU seconds, rounded up to whole ones, and address space."""

    seconds: float
    memory_bytes: int


@dataclass(frozen=True)
class Cell:
    """Where a program lives: its level, its limits, the folder it starts in, Landlock's rules (-1: none)."""

    level: Level
    limits: Limits
    folder: str
    rules: int


def run(program: Program, writer: int, cell: Cell) -> NoReturn:
    """Contain this process, let another run the program, write ``STATUS DETAIL``, and end, whatever happens."""
    try:
        problem = _contained(cell)
        os.dup2(writer, VERDICT)
        os.closerange(VERDICT + 1, FILES)
        outcome = f"refused containment: {problem}" if problem else _outcome(program, cell)
        os.write(VERDICT, f"{outcome}\n".encode("utf-8", "replace"))
    finally:
        os._exit(0)


def _contained(cell: Cell) -> str:
    """'' once every wall but the filter stands; otherwise why not, and the program must not run."""
    try:
        os.setsid()
        os.chdir(cell.folder)
        if cell.level.namespaces:
            namespaces.scratch()
        if cell.level.filters:
            linux.drop_capabilities()
        if cell.level.landlock:
            landlock.restrict(cell.rules)
        _limit(cell)
    except Exception as error:
        return str(error) or type(error).__name__
    return ""


def _limit(cell: Cell) -> None:
    # Soft and hard are equal: the first process of a namespace ignores the soft limit's signal.
    wanted = {
        resource.RLIMIT_CPU: math.ceil(cell.limits.seconds), resource.RLIMIT_AS: cell.limits.memory_bytes,
        resource.RLIMIT_FSIZE: FILE_BYTES, resource.RLIMIT_NOFILE: FILES, resource.RLIMIT_CORE: 0,
        resource.RLIMIT_STACK: STACK_BYTES,
    }  # fmt: skip
    if cell.level.namespaces:  # elsewhere all processes of the user would count
        wanted[resource.RLIMIT_NPROC] = PROCESSES
    for kind, value in wanted.items():
        _, hard = resource.getrlimit(kind)
        bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (bound, bound))


def _outcome(program: Program, cell: Cell) -> str:
    """Parse, start the program's process, judge, and end it."""
    try:
        found = parts(program)
    except MemoryError:
        return "memory MemoryError"
    except Exception as error:  # the text is none that Python can read
        return candidate.failed(*candidate.described(error))
    here, there = socket.socketpair()
    born = os.fork()
    random.seed(0)  # the same program gets the same numbers, and so do its tests
    if born == 0:
        _program(found, there.detach(), cell)
    os.dup2(here.detach(), CHANNEL)
    os.closerange(CHANNEL + 1, FILES)
    _filter(cell, [os.getpid(), born])
    try:
        outcome = judge.judged(found, judge.Candidate(partial(judge.over, CHANNEL)))
    except judge.Ended:
        outcome = ""
    os.kill(born, signal.SIGKILL)
    _, status, used = os.wait4(born, 0)
    return outcome or _ended(status, used, cell.limits)


def _program(found: Sequence[Part], channel: int, cell: Cell) -> NoReturn:
    """What the program's own process does: it keeps nothing but its end of the channel, and never returns."""
    try:
        os.dup2(channel, VERDICT)  # so this number leads to the judge here, and nowhere else
        os.closerange(VERDICT + 1, FILES)
        if cell.level.filters:
            linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL)
        _filter(cell, [os.getpid()])
        candidate.serve(found, VERDICT)
    finally:
        os._exit(0)


def _filter(cell: Cell, may_signal: Sequence[int]) -> None:
    if cell.level.filters:
        seccomp.install(cell.level.paths, may_signal=may_signal)


def _ended(status: int, used: resource.struct_rusage, limits: Limits) -> str:
    """The outcome of a process that ended without an answer."""
    if not os.WIFSIGNALED(status):
        return "crashed ended without an answer"
    return "timeout" if exhausted(used, limits.seconds) else f"crashed signal {os.WTERMSIG(status)}"


def exhausted(used: resource.struct_rusage, seconds: float) -> bool:
    """Whether a killed process was killed by its CPU limit.

    The kernel counts in ticks: on a busy machine it strikes far ahead of the time that it reports.
    """
    return used.ru_utime + used.ru_stime >= math.ceil(seconds) / 2
