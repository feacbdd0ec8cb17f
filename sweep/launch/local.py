"""The local launcher: builds the stages of a sweep in worker processes, forked by a server that has loaded torch."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sweep.launch.attempts import START, TRIES, Attempts, cause, give_up, oom_kills
from sweep.launch.attempts import progress as progress_of
from sweep.launch.job_queue import Queue
from sweep.launch.progress import Progress
from sweep.launch.server import GRACE_SECONDS
from sweep.launch.workers import Server, ServerGone
from sweep.plan.cost import card_gib, gpus
from sweep.plan.fit import gpus_for
from sweep.results.removed_models import Removal
from sweep.stages import snapshot
from sweep.stages.claims import TRY_AGAIN
from sweep.stages.store import Store
from sweep.stages.worker import Job

PAUSE_SECONDS = 1.0
"""Time until the launcher tries again to build a stage that another command is building."""

SAVE_SECONDS = 60.0
"""Time that workers have to save their state after Ctrl-C."""

STOP_SILENT_SECONDS = 5.0
"""Time without a sign of life after which a process counts as hanging once Ctrl-C was given."""

SERVERS = 2
"""How many worker servers one run starts. When the second is killed too, a third would hardly fare better."""


@dataclass
class Outcome:
    """The jobs by how they ended. Skipped jobs lacked an input.

    ``stopped``: by Ctrl-C. ``problem``: why the run cannot go on. ``reasons``: why jobs without a log failed, by key.
    """

    built: list[Job] = field(default_factory=list)
    failed: list[Job] = field(default_factory=list)
    skipped: list[Job] = field(default_factory=list)
    stopped: bool = False
    problem: str = ""
    reasons: dict[str, str] = field(default_factory=dict)


@dataclass
class Running:
    """A job that is being built: the server's numbers of its processes, and the CPU or GPU slots they occupy."""

    job: Job
    numbers: list[int]
    slots: list[str]
    statuses: list[int] = field(default_factory=list)
    patient_until: float | None = None
    """By the server's clock, when the other processes are killed, once one has failed."""
    oom_kills: int = field(default_factory=oom_kills)
    """How many processes had been killed for memory when it was started."""


class Pool:
    """Builds the missing stages, as many at a time as there are CPU and GPU slots.

    Where ``keep`` is to remove models, it measures a model before it trains the next, and removes it then.
    """

    def __init__(self, jobs: Mapping[str, Job], store: Store, workers: int | None, keep: Removal | None = None) -> None:
        self.store, self.keep = store, keep if keep and keep.active else None
        self.queue = Queue(jobs, store, measured_first=self.keep is not None)
        devices = gpus()
        count = workers or len(devices) or len(os.sched_getaffinity(0))
        self.free = {"cpu": [f"cpu{n}" for n in range(count)], "gpu": devices[:count]}
        self.size = {kind: len(slots) for kind, slots in self.free.items()}
        self.most = self.size["gpu"] or self.size["cpu"]
        self.card = card_gib()
        self.running: dict[int, Running] = {}
        self.attempts: dict[str, Attempts] = {}
        self.elsewhere: dict[str, Mapping[str, Any]] = {}
        self.outcome = Outcome()
        self.number = 0

    def run(self, progress: Progress) -> Outcome:
        """Build everything that is missing. After Ctrl-C or SIGTERM, let workers save their state and return."""
        self.store.remove_dead_claims()
        if not self.queue.missing:
            return self.outcome
        previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            code = snapshot.take(self.store.code)
            for number in range(SERVERS):
                try:
                    self._run_on(Server(self.store.root / "logs" / "server.log", code), progress)
                    break
                except ServerGone as problem:
                    self._requeue_all(progress)
                    if number + 1 < SERVERS:
                        progress.note(f"{problem}; starting another one")
                    else:
                        self.outcome.problem = str(problem)
        except KeyboardInterrupt:
            self.outcome.stopped = True
        finally:
            signal.signal(signal.SIGTERM, previous)
        failed = {job.stage.key for job in self.outcome.failed}
        self.outcome.skipped = [job for key, job in self.queue.missing.items() if key not in failed]
        return self.outcome

    def _run_on(self, server: Server, progress: Progress) -> None:
        """Build on one server until nothing is left. Raises `ServerGone`, and KeyboardInterrupt after Ctrl-C."""
        try:
            while self.running or not self.queue.idle:
                self._start_ready(server, progress)
                for number, status in server.ended_within(0.2):
                    self._ended(number, status, progress)
                self._kill_hanging(server, progress)
                progress.tick()
                if self.keep:
                    self.keep.while_running(self.queue.missing)
        except KeyboardInterrupt:
            progress.note("stopping: workers save their state (Ctrl-C again kills them)")
            self._stop(server)
            raise
        except ServerGone:
            server.abandon(GRACE_SECONDS)
            raise
        finally:
            with _held_ctrl_c():
                server.close()

    def _start_ready(self, server: Server, progress: Progress) -> None:
        blocked = []
        try:
            while any(self.free.values()) and (job := self.queue.pop()):
                kind = "gpu" if self.size["gpu"] and job.runs_model else "cpu"
                # With more ranks than slots, the ranks share all slots, so all must be free.
                if len(self.free[kind]) < self.slots(job, kind):
                    blocked.append(job.stage.key)
                elif self._is_built_elsewhere(job, progress):
                    self.queue.push_later(job.stage.key, PAUSE_SECONDS)
                else:
                    self._start(job, kind, server)
                    progress.started(job)
        finally:
            for key in blocked:
                self.queue.push(key)

    def slots(self, job: Job, kind: str) -> int:
        """How many slots a job takes: one a rank; answers on GPUs as many as hold them; at most all there are."""
        wanted = job.ranks
        if kind == "gpu" and job.stage.kind == "answer" and self.card is not None:
            wanted = gpus_for(job.gib, self.card)
        return min(wanted, self.size[kind])

    def _is_built_elsewhere(self, job: Job, progress: Progress) -> bool:
        """Whether a process of another command builds the stage. Says so once, and once more when that has died."""
        owner, key = self.store.owner(job.stage), job.stage.key
        if owner:
            if key not in self.elsewhere:
                progress.note(f"{progress.name(job)}: waiting for {_place(owner)}, which builds it for another command")
            self.elsewhere[key] = owner
        elif (former := self.elsewhere.pop(key, None)) and not self.store.has(job.stage):
            progress.note(f"{progress.name(job)}: {_place(former)} has stopped building it; it goes on here")
        return owner is not None

    def _start(self, job: Job, kind: str, server: Server) -> None:
        slots = [self.free[kind].pop(0) for _ in range(self.slots(job, kind))]
        running = Running(job, [], slots)
        owner = uuid.uuid4().hex[:12]
        port = _free_port() if job.ranks > 1 else 0
        for rank in range(job.ranks):
            self.number += 1
            environment = {"CUDA_VISIBLE_DEVICES": ",".join(slots) if kind == "gpu" else ""}
            if job.ranks > 1:
                environment |= _rank_environment(rank, job.ranks, port)
            log = str(self.store.log(job.stage))
            request = {"id": self.number, "job": job.to_json(), "owner": owner, "rank": rank, "log": log}
            self.running[self.number] = running
            running.numbers.append(self.number)
            server.send({**request, "env": environment})

    def _kill_hanging(self, server: Server, progress: Progress) -> None:
        """Kill jobs of which a process is silent, and what is left of jobs of which a process has failed."""
        for running in {id(running): running for running in self.running.values()}.values():
            silent = [number for number in running.numbers if server.silent(number)]
            for number in silent:
                process = f"process {server.workers[number].pid}"
                progress.note(
                    f"{progress.name(running.job)}: {process} hangs, silent for {server.patience:.0f} s; killed"
                )
            if any(running.statuses) and running.patient_until is None:
                running.patient_until = server.clock + GRACE_SECONDS
            if silent or (running.patient_until is not None and server.clock > running.patient_until):
                for number in running.numbers:
                    server.kill(number)

    def _requeue_all(self, progress: Progress) -> None:
        """Put the jobs of a server that is gone back into the queue."""
        for running in {id(running): running for running in self.running.values()}.values():
            self._release(running)
            self.queue.push(running.job.stage.key)
            progress.paused(running.job)
        self.running.clear()

    def _release(self, running: Running) -> None:
        """Free the slots of a job that has ended, and remove the claim of a process that was killed before it could."""
        self.free["cpu" if running.slots[0].startswith("cpu") else "gpu"] += running.slots
        self.store.owner(running.job.stage)

    def _ended(self, number: int, status: int, progress: Progress) -> None:
        running = self.running.pop(number)
        running.statuses.append(status)
        if len(running.statuses) < len(running.numbers):
            return
        self._release(running)
        job = running.job
        if self.store.has(job.stage):  # the exit status does not count: gloo may abort a rank after all is saved
            self.queue.done(job.stage.key)
            self.outcome.built.append(job)
            progress.done(job)
        elif TRY_AGAIN in running.statuses and 1 not in running.statuses:
            self.queue.push_later(job.stage.key, PAUSE_SECONDS)
            progress.paused(job)
        else:
            self._failed(running, progress)

    def _failed(self, running: Running, progress: Progress) -> None:
        job, statuses, key = running.job, running.statuses, running.job.stage.key
        oom_kill = -signal.SIGKILL in statuses and oom_kills() > running.oom_kills
        if any(status > 0 for status in statuses) and not oom_kill:  # its own fault, not that of a peer that was killed
            self.outcome.failed.append(job)
            progress.failed(job, f"exit status {max(statuses)}")
            return
        attempts = self.attempts.setdefault(key, Attempts([(START, "")]))
        attempts.end(cause(-signal.SIGKILL if oom_kill else min(statuses), "", {}, None, 0.0, oom_kill=oom_kill))
        now = progress_of([job])
        if not attempts.stuck(now, TRIES):
            attempts.begin(now)
            self.queue.push(key)
            progress.paused(job)
            return
        self.outcome.failed.append(job)
        progress.failed(job, give_up([job], attempts, ""))

    def _stop(self, server: Server) -> None:
        """Tell every worker to save its state; return when all have ended, hang, or have had `SAVE_SECONDS`.

        A second Ctrl-C ends the wait. What still runs then is killed with the server.
        """
        server.patience = STOP_SILENT_SECONDS
        deadline = server.clock + SAVE_SECONDS
        with contextlib.suppress(KeyboardInterrupt):
            for number in server.workers:
                server.signal(number, signal.SIGTERM)
            try:
                while server.workers and server.clock < deadline:
                    server.ended_within(0.2)
                    for number in [number for number in server.workers if server.silent(number)]:
                        server.kill(number)
            except ServerGone:
                server.abandon(SAVE_SECONDS)


@contextlib.contextmanager
def _held_ctrl_c() -> Iterator[None]:
    """Hold Ctrl-C back for the few seconds in which processes are ended, so that none is left behind."""
    pressed: list[int] = []
    previous = signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, previous)
    if pressed:
        raise KeyboardInterrupt


def _place(owner: Mapping[str, Any]) -> str:
    return f"process {owner['pid']} on {owner['host']}"


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
