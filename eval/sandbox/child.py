"""What happens in the child: limits on, doors shut, the program run, one line of verdict written."""

from __future__ import annotations

import math
import os
import random
import resource
import sys
import types
from dataclasses import dataclass
from typing import NoReturn

from eval.sandbox.levels import Level

if (
    sys.platform == "linux"
):  # before any fork: a contained child can import nothing of ours; other systems serve at level 0
    from eval.sandbox import linux, namespaces, seccomp

PIPE = 3  # the only descriptor besides standard input, output and error, which lead nowhere
FILE_BYTES, FILES, STACK_BYTES, PROCESSES = 4 << 20, 64, 64 << 20, 64


@dataclass(frozen=True)
class Limits:
    """What one program may use: CPU seconds, rounded up to whole ones, and address space."""

    seconds: float
    memory_bytes: int


def run(program: str, nonce: str, writer: int, *, level: Level, limits: Limits, folder: str) -> NoReturn:
    """Contain this process, run the program, write ``NONCE STATUS DETAIL``, and end, whatever happens."""
    try:
        os.setsid()
        os.dup2(writer, PIPE)
        os.closerange(PIPE + 1, 4096)
        outcome = _contained(level, limits, folder) or _outcome(program)
        os.write(PIPE, f"{nonce}{outcome}\n".encode("utf-8", "replace"))
    finally:
        os._exit(0)


def _contained(level: Level, limits: Limits, folder: str) -> str:
    """'' once every wall stands; otherwise why not, and the program must not run."""
    try:
        _contain(level, limits, folder)
    except Exception as error:
        return f"crashed containment: {error}"
    return ""


def _contain(level: Level, limits: Limits, folder: str) -> None:
    """From the widest wall to the narrowest: own mounts, capabilities, limits, the filter."""
    os.chdir(folder)
    if level.namespaces:
        namespaces.scratch()
        linux.drop_capabilities()
    _limit(limits)
    random.seed(0)  # the same program gets the same numbers
    if level.refuses:
        seccomp.install(no_open=level.no_open)


def _limit(limits: Limits) -> None:
    # Soft and hard are equal: the first process of a namespace ignores the soft limit's signal.
    seconds = math.ceil(limits.seconds)
    wanted = [
        (resource.RLIMIT_CPU, seconds), (resource.RLIMIT_AS, limits.memory_bytes), (resource.RLIMIT_FSIZE, FILE_BYTES),
        (resource.RLIMIT_NOFILE, FILES), (resource.RLIMIT_CORE, 0), (resource.RLIMIT_STACK, STACK_BYTES),
        (resource.RLIMIT_NPROC, PROCESSES),
    ]  # fmt: skip
    for kind, value in wanted:
        _, hard = resource.getrlimit(kind)
        bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(kind, (bound, bound))


def _outcome(program: str) -> str:
    """Run the program as a module of its own; 'passed', or how it failed."""
    module = types.ModuleType("program")
    sys.modules["program"] = module
    try:
        exec(compile(program, "program", "exec", dont_inherit=True), module.__dict__)
    except MemoryError:
        return "memory MemoryError"
    except BaseException as error:
        return f"failed {_described(error)}"
    return "passed"


def _described(error: BaseException) -> str:
    """Kind and message, in one short line: both come from the program and may be anything."""
    try:
        return f"{type(error).__name__[:80]}: {str(error)[:200]}".replace("\n", " ").replace("\r", " ")
    except BaseException:
        return "an error that cannot be described"
