"""Client of the sandbox: start its server at the best level that this machine offers, and send it programs."""

from __future__ import annotations

import json
import math
import os
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from eval.sandbox import packages
from eval.sandbox.levels import LEVELS, MIN_LEVEL, Level
from eval.sandbox.programs import Limits, Program, ProgramVerdict

ALLOW_UNSAFE = "DOSAGE_UNSAFE_CODE"
"""The environment variable that, set to 1, lets generated code run where little contains it."""

ROOT = Path(__file__).resolve().parents[2]
START = """
import sys
sys.path.insert(0, sys.argv[1])
from eval.sandbox import server
sys.path.pop(0)
server.main(*sys.argv[2:])
"""
FLAGS = ("-s", "-S", "-P", "-B")  # isolated, except for the hash seed: sets must have the same order in every run
# Programs see none of it. A process with a single thread can be forked, so libraries may start none.
ENVIRONMENT = {"PYTHONHASHSEED": "0"} | dict.fromkeys(
    ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1"
)
START_SECONDS = 60
GRACE_SECONDS = 30  # beyond the server's own deadline; a server that is later than that has been harmed itself
WALL_PER_SECOND = 3
MAX_DETAIL_BYTES = 4096
MAX_CODE = 1 << 20  # characters; separate tests come from a benchmark and may be longer


def unsafe_allowed() -> bool:
    """Whether the user has allowed generated code to run at a level below 2."""
    return os.environ.get(ALLOW_UNSAFE) == "1"


class Sandbox:
    """A running server. Leaving the context ends it and everything it has started.

    The best of ``levels`` that passes its probe is used. Entering raises RuntimeError where that is below 2, unless
    ``unsafe`` allows it: level 1 relies on the filter of system calls alone, level 0 limits only time and memory.
    """

    def __init__(self, limits: Limits, *, unsafe: bool = False, levels: Sequence[Level] = LEVELS) -> None:
        self._limits = limits
        self._levels = levels
        self._unsafe = unsafe

    def __enter__(self) -> Sandbox:
        problems = []
        self._text = tempfile.TemporaryFile()
        for level in self._levels:
            if level.number < MIN_LEVEL and not self._unsafe:
                break
            if level.filters and sys.platform != "linux":
                problems.append(f"level {level.number} ({level.name}): needs Linux, this is {sys.platform}")
                continue
            self._server = _start(level, self._limits, self._text)
            hello = self._receive(START_SECONDS)
            if hello is not None and "error" not in hello:
                self.level = level
                return self
            problems.append(f"level {level.number} ({level.name}): {hello['error'] if hello else 'no answer'}")
            self._stop()
        raise RuntimeError(
            f"generated code needs sandbox level {MIN_LEVEL} or better, which this machine does not offer: "
            + ("; ".join(problems) or "every level requested is below that")
            + f". Use Linux with Landlock or user namespaces, or set {ALLOW_UNSAFE}=1 where nothing can be harmed."
        )

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._stop()
        self._text.close()

    def run(self, program: Program | str) -> ProgramVerdict:
        """Run one program to its end.

        Code above 1 MiB is refused. A program that takes the server down has crashed; the server is then started again.
        Raises RuntimeError when that fails.
        """
        program = program if isinstance(program, Program) else Program(program)
        if len(program.code) > MAX_CODE:
            return ProgramVerdict("refused", 0.0, 0, f"{len(program.code)} characters, at most {MAX_CODE} are run")
        deadline = math.ceil(self._limits.seconds) * WALL_PER_SECOND + GRACE_SECONDS
        reply = self._exchange(program, deadline)
        if reply is not None:
            detail = os.pread(self._text.fileno(), MAX_DETAIL_BYTES, 0) if reply["detail"] is None else b""
            return ProgramVerdict(**{**reply, "detail": reply["detail"] or detail.decode()})
        self._stop()
        self._server = _start(self.level, self._limits, self._text)
        hello = self._receive(START_SECONDS)
        if hello is None or "error" in hello:
            raise RuntimeError(f"the sandbox ended and cannot be started again at level {self.level.number}: {hello}")
        return ProgramVerdict("crashed", 0.0, 0, "the sandbox ended with the program")

    def _exchange(self, program: Program, seconds: float) -> dict[str, Any] | None:
        assert self._server.stdin is not None
        self._text.seek(0)
        self._text.truncate()
        self._text.write(json.dumps(asdict(program)).encode())
        self._text.flush()
        try:
            self._server.stdin.write(b"\n")
            self._server.stdin.flush()
        except BrokenPipeError:
            return None
        return self._receive(seconds)

    def _receive(self, seconds: float) -> dict[str, Any] | None:
        """The server's next line; None when it has ended, or sends no whole line within ``seconds``."""
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
        """Kill the server. What it has started ends with it."""
        self._server.kill()
        self._server.communicate()


def _start(level: Level, limits: Limits, text: IO[bytes]) -> subprocess.Popen[bytes]:
    folders = json.dumps({name: packages.folders(name) for name in limits.packages})
    options = (level.name, str(text.fileno()), str(limits.seconds), str(limits.memory_bytes), folders)
    return subprocess.Popen(
        [sys.executable, *FLAGS, "-c", START, str(ROOT), *options], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL, env=ENVIRONMENT, start_new_session=True, pass_fds=[text.fileno()],
    )  # fmt: skip
