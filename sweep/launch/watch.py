"""Wait for the stages that SLURM runs, by polling its queue and the store."""

from __future__ import annotations

import json
import time

from sweep.launch import slurm_logs, squeue
from sweep.launch.local import Outcome
from sweep.launch.progress import Progress
from sweep.launch.squeue import Queued
from sweep.launch.tasks import inputs
from sweep.results.removed_models import Removal
from sweep.results.saved_sweep import SavedSweep
from sweep.stages.store import Store
from sweep.stages.worker import Job

SHORTEST_PAUSE, LONGEST_PAUSE = 1.0, 15.0
"""Bounds of the seconds between two polls: a twentieth of the time waited so far, to spare SLURM's controller."""

POLLS = 2
"""Number of polls that must find a stage neither queued nor stored before it counts as ended: file systems lag."""


class Watch:
    """Follows the missing stages of a sweep through SLURM's queue until they are stored or gone.

    Models that ``keep`` is to remove go as soon as they are scored.
    """

    def __init__(self, saved: SavedSweep, store: Store, keep: Removal) -> None:
        self.keep = keep
        self.jobs, self.store, self.name = saved.jobs, store, saved.name
        self.todo = {key: saved.jobs[key] for key in store.lacking(job.stage for job in saved.jobs.values())}
        self.last: dict[str, Queued] = {}
        self.absent: dict[str, int] = {}
        self.outcome = Outcome()

    def run(self, progress: Progress) -> Outcome:
        """Poll until every stage is done or has left the queue. Ctrl-C ends the polling, not the jobs."""
        trouble = ""
        try:
            while self.todo:
                try:
                    self.poll(progress)
                except ValueError as problem:  # a restart of the controller loses no jobs: poll again
                    if str(problem) != trouble:
                        progress.note(str(problem))
                    trouble = str(problem)
                if self.todo:
                    time.sleep(min(max(progress.elapsed / 20, SHORTEST_PAUSE), LONGEST_PAUSE))
        except KeyboardInterrupt:
            self.outcome.stopped = True
        return self.outcome

    def poll(self, progress: Progress) -> None:
        """Read the queue once, then look into the store for every missing stage."""
        queued = squeue.stages(squeue.jobs_for(self.store))
        for key, job in list(self.todo.items()):
            if self.store.has(job.stage):
                self.outcome.built.append(self.todo.pop(key))
                progress.done(job)
            elif key in queued:
                self.absent.pop(key, None)
                self.last[key] = queued[key]
                if self.store.owner(job.stage):
                    progress.started(job)
            else:
                self.absent[key] = self.absent.get(key, 0) + 1
                if self.absent[key] >= POLLS:
                    self._ended(self.todo.pop(key), progress)
        progress.tick()
        self.keep.while_running(self.todo)

    def _ended(self, job: Job, progress: Progress) -> None:
        """Count a stage that left the queue without a result as failed if its inputs are there, else as skipped."""
        if not all(self.store.has(self.jobs[node.key].stage) for node in inputs(job.stage)):
            self.outcome.skipped.append(job)
            return
        self.outcome.failed.append(job)
        self.outcome.reasons[job.stage.key] = self._reason(job)
        progress.failed(job, self.outcome.reasons[job.stage.key])

    def _reason(self, job: Job) -> str:
        failure = self.store.failure(job.stage)
        if failure.exists():
            return str(json.loads(failure.read_bytes())["error"])
        last, place = self.last.get(job.stage.key), slurm_logs.submitted(self.store, self.name).get(job.stage.key)
        ended = f"SLURM job {last.number} ended without a result" if last else "it left SLURM's queue without a result"
        known = place.why(job, squeue.job(last.number) if last else {}) if place else ""
        return ended + (f"; {known}" if known else "")
