"""Wait for what SLURM works on, by looking at its queue and at the store."""

from __future__ import annotations

import json
import time
from pathlib import Path

from sweep.launch import squeue
from sweep.launch.local import Outcome
from sweep.launch.progress import Progress
from sweep.launch.squeue import Queued
from sweep.launch.tasks import inputs
from sweep.results.saved_sweep import SavedSweep
from sweep.stages.store import Store
from sweep.stages.worker import Job

SHORTEST, LONGEST = 1.0, 15.0
"""Seconds between two looks: a twentieth of the time waited so far, within these bounds, to spare the controller."""

LOOKS = 2
"""A stage has ended without result when it is neither queued nor stored so many times: shared file systems lag."""


class Watch:
    """The stages of a sweep that are on their way through SLURM."""

    def __init__(self, saved: SavedSweep, store: Store, logs: Path) -> None:
        self.jobs, self.store, self.logs = saved.jobs, store, logs
        self.todo = {key: job for key, job in saved.jobs.items() if not store.has(job.stage)}
        self.last: dict[str, Queued] = {}
        self.absent: dict[str, int] = {}
        self.outcome = Outcome()

    def run(self, progress: Progress) -> Outcome:
        """Look until every stage is done or has left the queue. Ctrl-C only ends the looking."""
        trouble = ""
        try:
            while self.todo:
                try:
                    self.look(progress)
                except ValueError as problem:  # a controller that restarts loses no job: look again
                    if str(problem) != trouble:
                        progress.note(str(problem))
                    trouble = str(problem)
                if self.todo:
                    time.sleep(min(max(progress.elapsed / 20, SHORTEST), LONGEST))
        except KeyboardInterrupt:
            self.outcome.stopped = True
        return self.outcome

    def look(self, progress: Progress) -> None:
        """One look at the queue, then at the store for everything that is missing."""
        queued = squeue.stages(squeue.look(self.store))
        for key, job in list(self.todo.items()):
            if self.store.has(job.stage):
                self.outcome.built.append(self.todo.pop(key))
                progress.done(job)
            elif key in queued:
                self.absent.pop(key, None)
                self.last[key] = queued[key]
                if self.store.claim(job.stage).exists():
                    progress.started(job)
            else:
                self.absent[key] = self.absent.get(key, 0) + 1
                if self.absent[key] >= LOOKS:
                    self._ended(self.todo.pop(key), progress)
        progress.tick()

    def _ended(self, job: Job, progress: Progress) -> None:
        """A stage that left the queue without a result: failed if its inputs were there, else left out."""
        if not all(self.store.has(self.jobs[node.key].stage) for node in inputs(job.stage)):
            self.outcome.skipped.append(job)
            return
        self.outcome.failed.append(job)
        progress.failed(job, self._why(job))

    def _why(self, job: Job) -> str:
        failure = self.store.failure(job.stage)
        if failure.exists():
            return str(json.loads(failure.read_bytes())["error"])
        last = self.last.get(job.stage.key)
        if last is None:
            return "gone from SLURM's queue without a result"
        log = Path(str(self.logs).replace("%j", last.number)) / f"{last.number}_0_log.err"
        seen = log if log.exists() else log.with_suffix(".out")
        return f"SLURM job {last.number} ended without a result; see {seen}"
