"""A program's two processes, both contained: one runs the program, the other tests it and writes the verdict."""

from __future__ import annotations

import contextlib
import importlib
import json
import math
import os
import resource
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import NoReturn

from eval.sandbox import messages, run_program, run_tests
from eval.sandbox.levels import Level
from eval.sandbox.messages import Channel
from eval.sandbox.parts import imported
from eval.sandbox.programs import Limits, Program

if sys.platform == "linux":  # before any fork: a contained child can import nothing from here
    from eval.sandbox import landlock, linux, namespaces, seccomp

    FOLLOW, fork = linux.prctl(linux.PR_SET_PDEATHSIG, signal.SIGKILL), linux.fork
else:
    fork = os.fork

# Standard input, output and error lead nowhere. The numbers after them are, in the test process, the pipe for the
# verdict and the file with the program, and in the program's process the pipes for orders and answers.
VERDICT, TEXT, ORDERS, ANSWERS = 3, 4, 3, 4
PRANKS = {"antigravity", "this", "idlelib", "turtle", "turtledemo"}  # modules that do something when they are imported
FILE_BYTES, FILES, STACK_BYTES, PROCESSES = 4 << 20, 64, 64 << 20, 64

Step = Callable[[], object]


@dataclass(frozen=True)
class Containment:
    """What contains every program of a server: level, limits, and the steps that set it up, but for the filter.

    Steps are built once, with their arguments: a child that looks up little copies few pages of its parent's memory.
    """

    level: Level
    limits: Limits
    steps: tuple[Step, ...]


def containment(level: Level, limits: Limits, rules: int) -> Containment:
    """The containment of a level. ``rules`` is the descriptor of Landlock's rules (-1: none)."""
    steps: list[Step] = [os.setsid]
    if level.namespaces:
        steps += namespaces.scratch()
    if level.filters:
        steps.append(linux.drop_capabilities())
    if level.landlock:
        steps.append(landlock.restrict(rules))
    return Containment(level, limits, (*steps, *_limit_steps({resource.RLIMIT_CPU: math.ceil(limits.seconds)})))


def inherited_limits(level: Level, memory_bytes: int) -> list[Step]:
    """Steps that set the limits which the server can live with itself; its children inherit them."""
    wanted = {
        resource.RLIMIT_AS: memory_bytes, resource.RLIMIT_FSIZE: FILE_BYTES, resource.RLIMIT_NOFILE: FILES,
        resource.RLIMIT_CORE: 0, resource.RLIMIT_STACK: STACK_BYTES,
    }  # fmt: skip
    if level.namespaces:  # elsewhere all processes of the user would count
        wanted[resource.RLIMIT_NPROC] = PROCESSES
    return _limit_steps(wanted)


def _limit_steps(wanted: Mapping[int, int]) -> list[Step]:
    """Steps that set each limit, or keep a lower one."""
    # Soft and hard are equal: the first process of a namespace ignores the soft limit's signal.
    return [partial(resource.setrlimit, kind, (most, most)) for kind, most in map(_within, wanted, wanted.values())]


def _within(kind: int, value: int) -> tuple[int, int]:
    _, hard = resource.getrlimit(kind)
    return kind, value if hard == resource.RLIM_INFINITY else min(value, hard)


def run(text: int, writer: int, contained: Containment, folder: str) -> NoReturn:
    """Be the test process: contain it, let another run the program, write the verdict, and end in any case.

    The file of descriptor ``text`` holds the program; its place is taken by the detail of the verdict, and the pipe
    ``writer`` is given the status.
    """
    try:
        problem = _set_up(contained, folder)
        os.dup2(writer, VERDICT)
        os.dup2(text, TEXT)
        os.closerange(TEXT + 1, FILES)
        outcome = f"refused containment: {problem}" if problem else _outcome(contained)
        status, _, detail = outcome.partition(" ")
        os.ftruncate(TEXT, 0)
        os.pwrite(TEXT, detail.encode("utf-8", "replace"), 0)
        os.write(VERDICT, f"{status}\n".encode())
    finally:
        os._exit(0)


def _set_up(contained: Containment, folder: str) -> str:
    """Take every step of the containment; why one failed, or ''. After a failure the program must not run."""
    try:
        os.chdir(folder)
        for step in contained.steps:
            step()
    except Exception as error:
        return str(error) or type(error).__name__
    return ""


def _outcome(contained: Containment) -> str:
    """Start the program's process, then read the program and run the tests, and end that process."""
    orders, order = os.pipe()
    answers, answer = os.pipe()
    # Forked before this process has read a test, so that no trace of one can be found there.
    child = fork()
    if child == 0:
        _be_program(orders, answer, contained)
    os.close(orders)
    os.close(answer)
    channel = Channel(answers, order)
    sys.set_int_max_str_digits(0)  # tests may hold whole numbers of any length; the program keeps Python's limit
    program = Program(**json.loads(os.pread(TEXT, os.fstat(TEXT).st_size, 0)))
    try:
        if contained.level.paths == "none":
            channel.send(messages.line(_imported(_wanted(program, contained.limits))))
        _filter(contained, (os.getpid(), child))
        outcome = run_tests.outcome(program, run_tests.remote_by(channel))
    except (run_tests.ProgramEnded, BrokenPipeError):
        outcome = ""
    # It would otherwise wait for more orders; and only after its end is its use of resources known.
    os.kill(child, signal.SIGKILL)
    _, status, used = os.wait4(child, 0)
    return outcome or _ended(status, used, contained.limits)


def _wanted(program: Program, limits: Limits) -> list[str]:
    """The modules that a program or its tests import, and may."""
    roots = {*sys.stdlib_module_names, *limits.packages} - PRANKS
    return [name for name in imported(program) if name.partition(".")[0] in roots]


def _imported(names: list[str]) -> list[str]:
    """Import modules ahead, in a process that can open no file later on; return their names."""
    for name in names:
        with contextlib.suppress(Exception):  # the program will be told
            importlib.import_module(name)
    return names


def _be_program(orders: int, answer: int, contained: Containment) -> NoReturn:
    """Be the program's process: keep nothing open but its ends of two pipes, obey orders, and never return."""
    try:
        os.dup2(orders, ORDERS)  # over the verdict's pipe and the text, which have these numbers in the test process
        os.dup2(answer, ANSWERS)
        os.closerange(ANSWERS + 1, FILES)
        if contained.level.filters:
            FOLLOW()
        channel = Channel(ORDERS, ANSWERS)
        if contained.level.paths == "none":
            _imported(json.loads(channel.receive(sys.maxsize)))
        _filter(contained, (os.getpid(),))
        run_program.serve(channel)
    finally:
        os._exit(0)


def _filter(contained: Containment, may_signal: tuple[int, ...]) -> None:
    if contained.level.filters:
        seccomp.filtering(contained.level.paths, may_signal)()


def _ended(status: int, used: resource.struct_rusage, limits: Limits) -> str:
    """The outcome of a program whose process ended without an answer."""
    if not os.WIFSIGNALED(status):
        return "crashed ended without an answer"
    return "timeout" if exhausted(used, limits.seconds) else f"crashed signal {os.WTERMSIG(status)}"


def exhausted(used: resource.struct_rusage, seconds: float) -> bool:
    """Whether a killed process was killed by its CPU limit.

    The kernel counts in ticks: on a busy machine it enforces the limit well before the CPU time that it reports.
    """
    return used.ru_utime + used.ru_stime >= math.ceil(seconds) / 2
