"""The local launcher: builds the stages of a sweep in worker processes, forked by a server that has loaded torch."""

from __future__ import annotations

import contextlib
import heapq
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

from common.start import module_path
from sweep.launch.progress import Progress
from sweep.plan.cost import gpus
from sweep.stages.claims import TRY_AGAIN
from sweep.stages.store import Store
from sweep.stages.worker import Job

ATTEMPTS = 3
"""How often a stage is started when its process is killed. A stage whose own code fails is not started again."""

PAUSE_SECONDS = 1.0
"""Time until the launcher tries again to build a stage that another command is building."""

SAVE_SECONDS = 60.0
"""Time that workers have to save their state after Ctrl-C."""


@dataclass
class Outcome:
    """The jobs by how they ended, and whether Ctrl-C stopped the run. Skipped jobs lacked an input."""

    built: list[Job] = field(default_factory=list)
    failed: list[Job] = field(default_factory=list)
    skipped: list[Job] = field(default_factory=list)
    stopped: bool = False


class Server:
    """The launcher's end of the worker server, `sweep.launch.server`."""

    def __init__(self, log: Path) -> None:
        log.parent.mkdir(parents=True, exist_ok=True)
        quiet = {"TOKENIZERS_PARALLELISM": "false", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "TQDM_DISABLE": "1"}
        environment = {**os.environ, **quiet, "OMP_NUM_THREADS": "1", "PYTHONPATH": module_path()}
        with log.open("a") as errors:
            self.process = subprocess.Popen(
                [sys.executable, "-P", "-m", "sweep.launch.server"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                bufsize=0, stderr=errors, env=environment, start_new_session=True,
            )  # fmt: skip
        assert self.process.stdin is not None and self.process.stdout is not None
        self.requests: IO[bytes] = self.process.stdin
        self.reports: IO[bytes] = self.process.stdout
        self.log = log
        self.buffer = b""

    def send(self, request: dict[str, object]) -> None:
        """Send one request. Raises `ServerGone` when the server has ended."""
        try:
            self.requests.write(json.dumps(request).encode() + b"\n")
        except BrokenPipeError:
            raise self._gone() from None

    def reports_within(self, seconds: float) -> list[dict[str, int]]:
        """The reports that have arrived, after waiting up to ``seconds`` for the first. Raises `ServerGone`."""
        if not select.select([self.reports], [], [], seconds)[0]:
            return []
        block = os.read(self.reports.fileno(), 1 << 16)
        if not block:
            raise self._gone()
        *lines, self.buffer = (self.buffer + block).split(b"\n")
        return [json.loads(line) for line in lines]

    def _gone(self) -> ServerGone:
        return ServerGone(f"the worker server ended (status {self.process.wait()}); its log: {self.log}")

    def close(self) -> None:
        """End the server, which first stops its workers, and wait for it."""
        with contextlib.suppress(BrokenPipeError):
            self.requests.close()
        self.process.wait()
        self.reports.close()


class ServerGone(RuntimeError):
    """The worker server has ended, and its workers with it."""


@dataclass
class Running:
    """A job that is being built: the server's numbers of its processes, and the CPU or GPU slots they occupy."""

    job: Job
    numbers: list[int]
    slots: list[str]
    statuses: list[int] = field(default_factory=list)


class Queue:
    """The missing jobs: those whose inputs exist, most urgent first, and those that wait for an input or a moment."""

    def __init__(self, jobs: Mapping[str, Job], store: Store) -> None:
        self.missing = {key: job for key, job in jobs.items() if not store.has(job.stage)}
        self.children: dict[str, list[str]] = {}
        self.awaited: dict[str, int] = {}
        self.urgency = _urgency(jobs)
        self.ready: list[tuple[float, str]] = []
        self.later: list[tuple[float, str]] = []
        for key, job in self.missing.items():
            parents = {node.key for node in job.stage.inputs.values() if node.key in self.missing}
            self.awaited[key] = len(parents)
            for parent in parents:
                self.children.setdefault(parent, []).append(key)
            if not parents:
                self.push(key)

    def push(self, key: str) -> None:
        heapq.heappush(self.ready, (-self.urgency[key], key))

    def push_later(self, key: str, seconds: float) -> None:
        heapq.heappush(self.later, (time.monotonic() + seconds, key))

    def pop(self) -> Job | None:
        """The most urgent job that can start, or None."""
        while self.later and self.later[0][0] <= time.monotonic():
            self.push(heapq.heappop(self.later)[1])
        return self.missing[heapq.heappop(self.ready)[1]] if self.ready else None

    def done(self, key: str) -> None:
        self.missing.pop(key)
        for child in self.children.pop(key, []):
            self.awaited[child] -= 1
            if not self.awaited[child]:
                self.push(child)

    @property
    def idle(self) -> bool:
        """True when no job can start until a running one ends."""
        return not self.ready and not self.later


def _urgency(jobs: Mapping[str, Job]) -> dict[str, float]:
    """Estimated seconds of the longest chain of stages that starts with each job, by key."""
    seconds: dict[str, float] = {}
    for key, job in reversed(list(jobs.items())):
        seconds[key] = seconds.get(key, 0.0) + job.seconds
        for node in job.stage.inputs.values():
            seconds[node.key] = max(seconds.get(node.key, 0.0), seconds[key])
    return seconds


class Pool:
    """Builds the missing stages, as many at a time as there are CPU and GPU slots."""

    def __init__(self, jobs: Mapping[str, Job], store: Store, workers: int | None) -> None:
        self.store = store
        self.queue = Queue(jobs, store)
        devices = gpus()
        count = workers or len(devices) or len(os.sched_getaffinity(0))
        self.free = {"cpu": [f"cpu{n}" for n in range(count)], "gpu": devices[:count]}
        self.size = {kind: len(slots) for kind, slots in self.free.items()}
        self.running: dict[int, Running] = {}
        self.attempts: dict[str, int] = {}
        self.outcome = Outcome()
        self.number = 0
        # offline runs of W&B go to store/wandb
        self.wandb = {} if "WANDB_DIR" in os.environ else {"WANDB_DIR": str(store.root)}

    def run(self, progress: Progress) -> Outcome:
        """Build everything that is missing. After Ctrl-C or SIGTERM, let workers save their state and return."""
        self.store.remove_dead_claims()
        if not self.queue.missing:
            return self.outcome
        previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
        server = Server(self.store.root / "logs" / "server.log")
        try:
            while self.running or not self.queue.idle:
                self._start_ready(server, progress)
                for report in server.reports_within(0.2):
                    self._ended(report["id"], report["status"], progress)
                progress.tick()
        except KeyboardInterrupt:
            self.outcome.stopped = True
            progress.note("stopping: workers save their state (Ctrl-C again kills them)")
            self._stop(server)
        finally:
            server.close()
            signal.signal(signal.SIGTERM, previous)
        failed = {job.stage.key for job in self.outcome.failed}
        self.outcome.skipped = [job for key, job in self.queue.missing.items() if key not in failed]
        return self.outcome

    def _start_ready(self, server: Server, progress: Progress) -> None:
        blocked = []
        while any(self.free.values()) and (job := self.queue.pop()):
            kind = "gpu" if self.size["gpu"] and job.runs_model else "cpu"
            # With more ranks than slots, the ranks share all slots, so all must be free.
            if len(self.free[kind]) >= min(job.ranks, self.size[kind]):
                self._start(job, kind, server)
                progress.started(job)
            else:
                blocked.append(job.stage.key)
        for key in blocked:
            self.queue.push(key)

    def _start(self, job: Job, kind: str, server: Server) -> None:
        slots = [self.free[kind].pop(0) for _ in range(min(job.ranks, self.size[kind]))]
        running = Running(job, [], slots)
        owner = uuid.uuid4().hex[:12]
        port = _free_port() if job.ranks > 1 else 0
        for rank in range(job.ranks):
            self.number += 1
            environment = {"CUDA_VISIBLE_DEVICES": ",".join(slots) if kind == "gpu" else "", **self.wandb}
            if job.ranks > 1:
                environment |= _rank_environment(rank, job.ranks, port)
            log = str(self.store.log(job.stage))
            request = {"id": self.number, "job": job.to_json(), "owner": owner, "rank": rank, "log": log}
            server.send({**request, "env": environment})
            self.running[self.number] = running
            running.numbers.append(self.number)

    def _ended(self, number: int, status: int, progress: Progress) -> None:
        running = self.running.pop(number)
        running.statuses.append(status)
        if len(running.statuses) < len(running.numbers):
            return
        self.free["cpu" if running.slots[0].startswith("cpu") else "gpu"] += running.slots
        job = running.job
        if min(running.statuses) < 0:
            self.store.owner(job.stage)  # removes the claim of a process that was killed before it could
        if self.store.has(job.stage):  # the exit status does not count: gloo may abort a rank after all is saved
            self.queue.done(job.stage.key)
            self.outcome.built.append(job)
            progress.done(job)
        elif TRY_AGAIN in running.statuses and 1 not in running.statuses:
            self.queue.push_later(job.stage.key, PAUSE_SECONDS)
            progress.paused(job)
        else:
            self._failed(job, running.statuses, progress)

    def _failed(self, job: Job, statuses: list[int], progress: Progress) -> None:
        key = job.stage.key
        self.attempts[key] = self.attempts.get(key, 0) + 1
        killed = all(status <= 0 for status in statuses)
        if killed and self.attempts[key] < ATTEMPTS:
            self.queue.push(key)
            progress.paused(job)
            return
        self.outcome.failed.append(job)
        progress.failed(job, f"killed by signal {-min(statuses)}" if killed else f"exit status {max(statuses)}")

    def _stop(self, server: Server) -> None:
        """Tell every worker to save its state and end; kill them after a second Ctrl-C or `SAVE_SECONDS`."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(KeyboardInterrupt):
                for worker in list(self.running):
                    server.send({"signal": int(number), "id": worker})
                deadline = time.monotonic() + SAVE_SECONDS
                while self.running and time.monotonic() < deadline:
                    for report in server.reports_within(0.2):
                        self.running.pop(report["id"], None)


def _rank_environment(rank: int, ranks: int, port: int) -> dict[str, str]:
    """The variables that torch.distributed reads, for one rank of a job whose ranks all run on this machine."""
    return {
        "RANK": str(rank), "LOCAL_RANK": str(rank), "WORLD_SIZE": str(ranks), "LOCAL_WORLD_SIZE": str(ranks),
        "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port),
    }  # fmt: skip


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
