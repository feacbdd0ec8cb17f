"""Runs programs in the sandbox: starts the server at the best level that the host really offers, and asks it."""

from __future__ import annotations

import json
import math
import os
import select
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import TracebackType
from typing import Any

from eval.sandbox.levels import LEAST, LEVELS, Level
from eval.sandbox.programs import Program

ROOT = Path(__file__).resolve().parents[2]
START = """
import sys
sys.path.insert(0, sys.argv[1])
from eval.sandbox import server
sys.path.pop(0)
server.main(*sys.argv[2:])
"""
FLAGS = ("-s", "-S", "-P", "-B")  # isolated, but for the hash seed: sets must come in the same order in every run
START_SECONDS = 60
GRACE_SECONDS = 30  # beyond the server's own deadline: then it has itself been harmed
WALL_PER_SECOND = 3
LONGEST = 1 << 20


@dataclass(frozen=True)
class Limits:
    """What each program may use: CPU seconds (rounded up; three times as much by the clock) and address space."""

    seconds: float
    memory_bytes: int

    def __post_init__(self) -> None:
        if not self.seconds > 0:
            raise ValueError(f"seconds={self.seconds} must be above 0")
        if self.memory_bytes < 128 << 20:
            raise ValueError(
                f"memory_bytes={self.memory_bytes} must be at least 128 MiB, which the interpreter itself needs"
            )


@dataclass(frozen=True)
class Verdict:
    """How one program ended: passed, failed, timeout, memory, crashed, or refused (never run)."""

    status: str
    seconds: float
    memory_bytes: int
    detail: str


class Sandbox:
    """A running server; leaving the context ends it and everything it started.

    The best of ``levels`` that passes its probe is used. One below 2 is a RuntimeError unless ``unsafe`` allows it:
    level 1 relies on the filter alone, level 0 contains nothing but time and memory.
    """

    def __init__(self, limits: Limits, *, unsafe: bool = False, levels: Sequence[Level] = LEVELS) -> None:
        self._limits = limits
        self._levels = levels
        self._unsafe = unsafe

    def __enter__(self) -> Sandbox:
        problems = []
        for level in self._levels:
            if level.number < LEAST and not self._unsafe:
                break
            if level.filters and sys.platform != "linux":
                problems.append(f"level {level.number} ({level.name}): needs Linux, this is {sys.platform}")
                continue
            self._server = _start(level, self._limits)
            hello = self._answer(START_SECONDS)
            if hello is not None and "error" not in hello:
                self.level = level
                return self
            problems.append(f"level {level.number} ({level.name}): {hello['error'] if hello else 'no answer'}")
            self._stop()
        raise RuntimeError(
            f"generated code runs from sandbox level {LEAST} on, which is not to be had here: "
            + ("; ".join(problems) or "no such level was asked for")
            + ". Use Linux with Landlock or user namespaces, or set DOSAGE_UNSAFE_CODE=1 where nothing can be harmed."
        )

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop()

    def run(self, program: Program | str) -> Verdict:
        """Run one program to its end. One above 1 MiB is refused; one that takes the server down has crashed."""
        asked = program if isinstance(program, Program) else Program(program)
        size = len(asked.code) + len(asked.tests or "")
        if size > LONGEST:
            return Verdict("refused", 0.0, 0, f"{size} characters, at most {LONGEST} are run")
        reply = self._asked(asdict(asked), math.ceil(self._limits.seconds) * WALL_PER_SECOND + GRACE_SECONDS)
        if reply is not None:
            return Verdict(**reply)
        self._stop()
        self._server = _start(self.level, self._limits)
        hello = self._answer(START_SECONDS)
        if hello is None or "error" in hello:
            raise RuntimeError(f"the sandbox ended and cannot be started again at level {self.level.number}: {hello}")
        return Verdict("crashed", 0.0, 0, "the sandbox ended with the program")

    def _asked(self, request: dict[str, Any], seconds: float) -> dict[str, Any] | None:
        assert self._server.stdin is not None
        try:
            self._server.stdin.write((json.dumps(request) + "\n").encode())
            self._server.stdin.flush()
        except BrokenPipeError:
            return None
        return self._answer(seconds)

    def _answer(self, seconds: float) -> dict[str, Any] | None:
        """The server's next line, or None when it has ended or stays silent for so long."""
        assert self._server.stdout is not None
        line, deadline = b"", time.monotonic() + seconds
        while not line.endswith(b"\n"):
            ready, _, _ = select.select([self._server.stdout], [], [], max(0.0, deadline - time.monotonic()))
            part = os.read(self._server.stdout.fileno(), 65536) if ready else b""
            if not part:
                return None
            line += part
        reply: dict[str, Any] = json.loads(line)
        return reply

    def _stop(self) -> None:
        """End the server; whatever it started ends with it or has been ended."""
        self._server.kill()
        self._server.communicate()


def _start(level: Level, limits: Limits) -> subprocess.Popen[bytes]:
    command = [
        sys.executable,
        *FLAGS,
        "-c",
        START,
        str(ROOT),
        level.name,
        str(limits.seconds),
        str(limits.memory_bytes),
    ]
    pipe = subprocess.PIPE
    return subprocess.Popen(
        command, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, env={"PYTHONHASHSEED": "0"}, start_new_session=True
    )
