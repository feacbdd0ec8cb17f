"""The launcher's end of the worker server, `sweep.launch.server`: sends it jobs, hears who lives and who has ended."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from sweep.stages import process
from sweep.stages.claims import EXPIRY_SECONDS

SILENT_SECONDS = EXPIRY_SECONDS
"""Time without a sign of life after which the server or a worker counts as hanging. They give one every second."""

LONGEST_LOOK = 1.0
"""The most seconds that count between two looks: a launcher that was stopped itself (Ctrl-Z) has heard nobody."""

CLOSE_SECONDS = 5.0
"""Time that the server has to end once it has no workers."""


class ServerGone(RuntimeError):
    """The worker server has ended or hangs."""


@dataclass
class Worker:
    """A process of the server's: its number, and when it was last heard of, by the clock of `Server`."""

    pid: int
    heard: float


class Server:
    """A running worker server that imports Dosage's packages from the folder ``code``.

    ``workers`` are its processes by the number of their request. ``clock`` counts the seconds in which this process
    has listened to them.
    """

    def __init__(self, log: Path, code: Path) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        quiet = {"TOKENIZERS_PARALLELISM": "false", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "TQDM_DISABLE": "1"}
        places = os.pathsep.join([str(code), *filter(None, [os.environ.get("PYTHONPATH")])])
        with log.open("a") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "sweep.launch.server"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                bufsize=0, stderr=errors, start_new_session=True,
                env={**os.environ, **quiet, "OMP_NUM_THREADS": "1", "PYTHONPATH": places},
            )  # fmt: skip
        assert self.process.stdin is not None and self.process.stdout is not None
        self.requests, self.reports = self.process.stdin, self.process.stdout
        os.set_blocking(self.requests.fileno(), False)
        self.log = log
        self.buffer = b""
        self.clock = self.heard = 0.0
        self.looked = time.monotonic()
        self.patience = SILENT_SECONDS
        self.workers: dict[int, Worker] = {}
        self.ended: list[tuple[int, int]] = []

    def send(self, request: dict[str, object]) -> None:
        """Send one request. Raises `ServerGone` when the server has ended or hangs."""
        block = json.dumps(request).encode() + b"\n"
        while block:
            if select.select([], [self.requests], [], 0.2)[1]:
                with contextlib.suppress(BrokenPipeError):
                    block = block[os.write(self.requests.fileno(), block) :]
                    continue
            self._listen(0.2)

    def ended_within(self, seconds: float) -> list[tuple[int, int]]:
        """Number and status of the workers that have ended, after waiting up to ``seconds`` for any report.

        Raises `ServerGone` when the server has ended or hangs.
        """
        self._listen(seconds)
        ended, self.ended = self.ended, []
        return ended

    def silent(self, number: int) -> bool:
        """Whether a worker has given no sign of life for too long."""
        return number in self.workers and self.clock - self.workers[number].heard > self.patience

    def signal(self, number: int, sent: signal.Signals) -> None:
        """Send a signal to a worker and its children, if it has been started."""
        if worker := self.workers.get(number):
            try:
                os.killpg(worker.pid, sent)
            except ProcessLookupError:  # it has not yet made its own group, or has ended
                with contextlib.suppress(ProcessLookupError):
                    os.kill(worker.pid, sent)

    def kill(self, number: int) -> None:
        """Kill a worker and its children, and expect no sign of life from it any more."""
        self.signal(number, signal.SIGKILL)
        self.workers.pop(number, None)

    def abandon(self, seconds: float) -> None:
        """Kill the server and wait up to ``seconds`` until its workers, told so by the kernel, have saved their state.

        Stopped workers cannot do so and are killed.
        """
        self.process.kill()
        self.process.wait()
        deadline = time.monotonic() + seconds
        while self.workers and time.monotonic() < deadline:
            for number, worker in list(self.workers.items()):
                if process.is_stopped(worker.pid):
                    self.kill(number)
                elif process.started(worker.pid) is None:
                    del self.workers[number]
            time.sleep(0.05)

    def close(self) -> None:
        """Kill the workers that are left, and end the server."""
        with contextlib.suppress(BrokenPipeError):
            self.requests.close()
        for number in list(self.workers):
            self.kill(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.process.wait(CLOSE_SECONDS)
        self.process.kill()
        self.process.wait()
        self.reports.close()

    def _listen(self, seconds: float) -> None:
        heard = bool(select.select([self.reports], [], [], seconds)[0])
        now = time.monotonic()
        self.clock += min(now - self.looked, LONGEST_LOOK)
        self.looked = now
        if heard:
            *lines, self.buffer = (self.buffer + os.read(self.reports.fileno(), 1 << 16)).split(b"\n")
            for line in lines:
                self._heed(json.loads(line))
        if self.process.poll() is not None:  # its workers may keep the pipe open
            raise ServerGone(f"the worker server ended (status {self.process.returncode}); its log: {self.log}")
        if self.clock - self.heard > self.patience:
            raise ServerGone(f"the worker server (process {self.process.pid}) hangs: silent for {self.patience:.0f} s")

    def _heed(self, report: dict[str, int]) -> None:
        number = report["id"]
        if "status" in report:
            self.workers.pop(number, None)
            self.ended.append((number, report["status"]))
        elif number:
            self.workers[number] = Worker(report["pid"], self.clock)
        if not number or "status" in report:
            self.heard = self.clock
