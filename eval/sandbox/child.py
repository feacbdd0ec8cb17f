"""One program's two processes: both contained, one runs the program, the other judges it and writes the verdict."""

from __future__ import annotations

import math
import os
import resource
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import NoReturn

from eval.sandbox import candidate, run_tests
from eval.sandbox.levels import Level
from eval.sandbox.programs import Program

if sys.platform == "linux":  # before any fork: a contained child can import nothing of ours
    from eval.sandbox import landlock, linux, namespaces, seccomp

    FOLLOW, fork = linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL), linux.fork
else:
    fork = os.fork

# Standard input, output and error lead nowhere. What comes after them: at the judge the way of the verdict, in the
# program's process the orders it gets and the answers it gives.
VERDICT, ORDERS, ANSWERS = 3, 3, 4
FILE_BYTES, FILES, STACK_BYTES, PROCESSES = 4 << 20, 64, 64 << 20, 64

Step = Callable[[], object]


@dataclass(frozen=True)
class Limits:
    """What each of the two processes may use: CPU seconds, rounded up to whole ones, and address space."""

    seconds: float
    memory_bytes: int


@dataclass(frozen=True)
class Cell:
    """Where programs live: a level, limits, and the steps that put up every wall but the filter, in their order.

    Steps are made once, with their arguments: a child that looks up little copies few pages of its parent's memory.
    """

    level: Level
    limits: Limits
    walls: tuple[Step, ...]


def cell(level: Level, limits: Limits, rules: int) -> Cell:
    """The cell of a level; ``rules`` are Landlock's (-1: none)."""
    walls: list[Step] = [os.setsid]
    if level.namespaces:
        walls += namespaces.scratch()
    if level.filters:
        walls.append(linux.drop_capabilities())
    if level.landlock:
        walls.append(landlock.restrict(rules))
    return Cell(level, limits, (*walls, *_bounds({resource.RLIMIT_CPU: math.ceil(limits.seconds)})))


def lasting(level: Level, memory_bytes: int) -> list[Step]:
    """To set the limits that the server itself can live with, and hands down."""
    wanted = {
        resource.RLIMIT_AS: memory_bytes, resource.RLIMIT_FSIZE: FILE_BYTES, resource.RLIMIT_NOFILE: FILES,
        resource.RLIMIT_CORE: 0, resource.RLIMIT_STACK: STACK_BYTES,
    }  # fmt: skip
    if level.namespaces:  # elsewhere all processes of the user would count
        wanted[resource.RLIMIT_NPROC] = PROCESSES
    return _bounds(wanted)


def _bounds(wanted: Mapping[int, int]) -> list[Step]:
    """To set each limit, unless there is a lower one."""
    # Soft and hard are equal: the first process of a namespace ignores the soft limit's signal.
    return [partial(resource.setrlimit, kind, (most, most)) for kind, most in map(_within, wanted, wanted.values())]


def _within(kind: int, value: int) -> tuple[int, int]:
    _, hard = resource.getrlimit(kind)
    return kind, value if hard == resource.RLIM_INFINITY else min(value, hard)


def run(program: Program, writer: int, cell: Cell, folder: str) -> NoReturn:
    """Contain this process, let another run the program, write ``STATUS DETAIL``, and end, whatever happens."""
    try:
        problem = _contained(cell, folder)
        os.dup2(writer, VERDICT)
        os.closerange(VERDICT + 1, FILES)
        outcome = f"refused containment: {problem}" if problem else _outcome(program, cell)
        os.write(VERDICT, f"{outcome}\n".encode("utf-8", "replace"))
    finally:
        os._exit(0)


def _contained(cell: Cell, folder: str) -> str:
    """'' once every wall but the filter stands; otherwise why not, and the program must not run."""
    try:
        os.chdir(folder)
        for step in cell.walls:
            step()
    except Exception as error:
        return str(error) or type(error).__name__
    return ""


def _outcome(program: Program, cell: Cell) -> str:
    """Start the program's process, judge, and end it."""
    orders, order = os.pipe()
    answers, answer = os.pipe()
    born = fork()
    if born == 0:
        _program(program, orders, answer, cell)
    os.close(orders)
    os.close(answer)
    _filter(cell, (os.getpid(), born))
    try:
        outcome = run_tests.judged(program, run_tests.Candidate(partial(run_tests.over, order, answers)))
    except run_tests.Ended:
        outcome = ""
    os.kill(born, signal.SIGKILL)
    _, status, used = os.wait4(born, 0)
    return outcome or _ended(status, used, cell.limits)


def _program(program: Program, orders: int, answer: int, cell: Cell) -> NoReturn:
    """What the program's own process does: it keeps nothing but its ends of two pipes, and never returns."""
    try:
        os.dup2(orders, ORDERS)  # so this number leads from the judge here, and nowhere else
        os.dup2(answer, ANSWERS)
        os.closerange(ANSWERS + 1, FILES)
        if cell.level.filters:
            FOLLOW()
        _filter(cell, (os.getpid(),))
        candidate.serve(program, ORDERS, ANSWERS)
    finally:
        os._exit(0)


def _filter(cell: Cell, may_signal: tuple[int, ...]) -> None:
    if cell.level.filters:
        seccomp.filtering(cell.level.paths, may_signal)()


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
