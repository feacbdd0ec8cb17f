"""The local launcher: a pool of workers forked from one warm server, fed with the stages of a plan."""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from sweep.cost import gpus
from sweep.progress import Progress
from sweep.store import Store
from sweep.work import AGAIN, Job

ATTEMPTS = 3
"""A stage whose process is killed from outside starts again; a stage whose own code fails does not."""

PAUSE_SECONDS = 1.0
"""Before a stage that another process is building is looked at again."""

GPU_KINDS = ("train", "answer")


@dataclass
class Outcome:
    """What became of the jobs."""

    built: list[Job] = field(default_factory=list)
    failed: list[Job] = field(default_factory=list)
    skipped: list[Job] = field(default_factory=list)
    stopped: bool = False


class Server:
    """The warm server as the launcher sees it."""

    def __init__(self, log: Path) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        environment = {**os.environ, "OMP_NUM_THREADS": "1", "TOKENIZERS_PARALLELISM": "false"}
        environment["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])
        with log.open("a") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "sweep.launch.server"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                stderr=errors, env=environment, start_new_session=True, bufsize=0,
            )  # fmt: skip
        assert self.process.stdin is not None and self.process.stdout is not None
        self.requests: IO[bytes] = self.process.stdin
        self.reports: IO[bytes] = self.process.stdout
        self.log = log
        self.buffer = b""

    def send(self, request: dict[str, object]) -> None:
        try:
            self.requests.write(json.dumps(request).encode() + b"\n")
        except BrokenPipeError:
            raise self._gone() from None

    def reports_within(self, seconds: float) -> list[dict[str, int]]:
        """The reports that arrive within ``seconds``, as soon as there is one."""
        if not select.select([self.reports], [], [], seconds)[0]:
            return []
        block = os.read(self.reports.fileno(), 1 << 16)
        if not block:
            raise self._gone()
        *lines, self.buffer = (self.buffer + block).split(b"\n")
        return [json.loads(line) for line in lines]

    def _gone(self) -> RuntimeError:
        return RuntimeError(f"the worker server ended (status {self.process.wait()}); its log: {self.log}")

    def close(self) -> None:
        with contextlib.suppress(BrokenPipeError):
            self.requests.close()
        self.process.wait()


@dataclass
class Running:
    """One stage at work: the server's numbers of its processes and the slots it holds."""

    job: Job
    numbers: list[int]
    slots: list[str]
    statuses: list[int] = field(default_factory=list)


class Pool:
    """Runs the jobs whose stages are missing, as many at a time as there are slots."""

    def __init__(self, jobs: Mapping[str, Job], store: Store, workers: int | None) -> None:
        self.jobs, self.store = jobs, store
        devices = gpus()
        count = workers or len(devices) or len(os.sched_getaffinity(0))
        self.free = {"cpu": [f"cpu{n}" for n in range(count)], "gpu": devices[:count]}
        self.size = {kind: len(slots) for kind, slots in self.free.items()}
        self.todo = {key: job for key, job in jobs.items() if not store.has(job.stage)}
        self.urgency = self._urgency()
        self.running: dict[int, Running] = {}
        self.attempts: dict[str, int] = {}
        self.wait_until: dict[str, float] = {}
        self.outcome = Outcome()
        self.number = 0

    def _urgency(self) -> dict[str, float]:
        """Seconds of the longest chain of work from each stage on: the longest chain starts first."""
        seconds: dict[str, float] = {}
        for key, job in reversed(self.jobs.items()):
            seconds[key] = seconds.get(key, 0.0) + job.seconds
            for node in job.stage.inputs.values():
                seconds[node.key] = max(seconds.get(node.key, 0.0), seconds[key])
        return seconds

    def run(self, progress: Progress) -> Outcome:
        """Run everything that is missing. Ctrl-C and SIGTERM let workers save their state, then return."""
        if not self.todo:
            return self.outcome
        server = Server(self.store.root / "logs" / "server.log")
        previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            while self.todo or self.running:
                self._start_ready(server, progress)
                if not self.running and not self.wait_until:
                    break
                for report in server.reports_within(0.2):
                    self._ended(report["id"], report["status"], progress)
                progress.tick()
        except KeyboardInterrupt:
            self.outcome.stopped = True
            progress.note("stopping: workers save their state (press Ctrl-C again to kill them)")
            self._stop(server)
        finally:
            server.close()
            signal.signal(signal.SIGTERM, previous)
        self.outcome.skipped = [job for job in self.todo.values() if job not in self.outcome.failed]
        return self.outcome

    def _ready(self) -> list[Job]:
        now = time.monotonic()
        taken = {running.job.stage.key for running in self.running.values()}
        taken |= {job.stage.key for job in self.outcome.failed}
        ready = [
            job
            for key, job in self.todo.items()
            if key not in taken
            and self.wait_until.get(key, 0.0) <= now
            and not any(node.key in self.todo for node in job.stage.inputs.values())
        ]
        return sorted(ready, key=lambda job: -self.urgency[job.stage.key])

    def _start_ready(self, server: Server, progress: Progress) -> None:
        if not any(self.free.values()):
            return
        for job in self._ready():
            kind = "gpu" if self.size["gpu"] and job.stage.kind in GPU_KINDS else "cpu"
            # More ranks than slots: wait for all of them, then share.
            if len(self.free[kind]) >= min(job.ranks, self.size[kind]):
                self._start(job, kind, server)
                progress.started(job)

    def _start(self, job: Job, kind: str, server: Server) -> None:
        ranks = job.ranks
        self.wait_until.pop(job.stage.key, None)
        slots = [self.free[kind].pop(0) for _ in range(min(ranks, self.size[kind]))]
        owner = uuid.uuid4().hex[:12]
        running = Running(job, [], slots)
        port = str(_free_port()) if ranks > 1 else ""
        for rank in range(ranks):
            self.number += 1
            environment = {"CUDA_VISIBLE_DEVICES": ",".join(slots) if kind == "gpu" else ""}
            if ranks > 1:
                environment |= {
                    "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(ranks), "LOCAL_WORLD_SIZE": str(ranks),
                    "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port,
                }  # fmt: skip
            log = str(self.store.log(job.stage))
            server.send({"id": self.number, "job": job.to_json(), "owner": owner, "log": log, "env": environment})
            self.running[self.number] = running
            running.numbers.append(self.number)

    def _ended(self, number: int, status: int, progress: Progress) -> None:
        running = self.running.pop(number)
        running.statuses.append(status)
        if len(running.statuses) < len(running.numbers):
            return
        kind = "cpu" if running.slots[0].startswith("cpu") else "gpu"
        self.free[kind] += running.slots
        job = running.job
        if self.store.has(job.stage):  # the folder decides: gloo may abort a rank at exit after all is saved
            self.todo.pop(job.stage.key)
            self.outcome.built.append(job)
            progress.done(job)
        elif AGAIN in running.statuses and 1 not in running.statuses:
            self.wait_until[job.stage.key] = time.monotonic() + PAUSE_SECONDS
            progress.paused(job)
        else:
            self._failed(job, running.statuses, progress)

    def _failed(self, job: Job, statuses: list[int], progress: Progress) -> None:
        key = job.stage.key
        self.attempts[key] = self.attempts.get(key, 0) + 1
        killed = all(status <= 0 for status in statuses)
        if killed and self.attempts[key] < ATTEMPTS:
            progress.paused(job)
            return
        self.outcome.failed.append(job)
        progress.failed(job, f"killed by signal {-min(statuses)}" if killed else f"exit status {max(statuses)}")

    def _stop(self, server: Server) -> None:
        """Ask every worker to save its state and end; a second Ctrl-C kills them."""
        number = signal.SIGTERM
        while self.running:
            try:
                for worker in list(self.running):
                    server.send({"signal": int(number), "id": worker})
                deadline = time.monotonic() + 60.0
                while self.running and time.monotonic() < deadline:
                    for report in server.reports_within(0.2):
                        self.running.pop(report["id"], None)
            except KeyboardInterrupt:
                pass
            number = signal.SIGKILL


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
