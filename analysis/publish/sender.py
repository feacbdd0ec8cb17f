"""The process that sends an analysis to W&B, which can hang in any call: it is given a time for each, then killed."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Timer
from typing import Any

from analysis.publish.views import Place
from common.start import for_own_module

SECONDS = 180.0
"""Time for each step: to connect, for a workspace, a report, for the run with its tables."""

ALONE = "or write the files alone with dry_run=true"


class Sender:
    """Sends to one project; ``place`` is that in W&B."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        try:
            self.place = Place(**self._message()["place"])
        except ValueError as problem:
            remedy = "set WANDB_API_KEY, and WANDB_BASE_URL for a server of your own"
            raise ValueError(f"W&B cannot be used: {problem}; {remedy}, {ALONE}") from None

    def send(self, folder: Path) -> Iterator[str]:
        """Send what `files` has written to the folder; a line for each part. Raises ValueError in one line."""
        assert self._process.stdin is not None
        print(folder, file=self._process.stdin, flush=True)
        try:
            while "done" not in (message := self._message()):
                yield message["line"]
        except ValueError as problem:
            raise ValueError(f"W&B: {problem}; the same command sends what is missing, {ALONE}") from None

    def _message(self) -> dict[str, Any]:
        """The next message. Raises ValueError for an error, and where none comes in time."""
        assert self._process.stdout is not None
        watchdog = Timer(SECONDS, _kill, (self._process,))
        watchdog.start()
        line = self._process.stdout.readline()
        watchdog.cancel()
        if not line:
            killed = self._process.wait() == -signal.SIGKILL
            reason = (
                f"the server did not answer within {SECONDS:.0f} s" if killed else "the process that sends has failed"
            )
            raise ValueError(reason)
        message: dict[str, Any] = json.loads(line)
        if "error" in message:
            raise ValueError(message["error"])
        return message


@contextmanager
def sender(entity: str | None, project: str) -> Iterator[Sender]:
    """A `Sender` for a project of ``entity``, by default the key's own. Raises ValueError where W&B cannot be used."""
    with tempfile.TemporaryDirectory() as scratch:
        process = subprocess.Popen(
            [sys.executable, "-P", "-m", "analysis.publish.send", entity or "", project],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, start_new_session=True,
            env={"WANDB_DATA_DIR": scratch, "WANDB_CACHE_DIR": scratch, **for_own_module(), "TMPDIR": scratch},
        )  # fmt: skip
        try:
            yield Sender(process)
        finally:
            _kill(process)
            process.communicate()


def _kill(process: subprocess.Popen[str]) -> None:
    """Kill the process with W&B's own beside it."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
