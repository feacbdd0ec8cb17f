"""How long a running sweep still takes: the plan's times, corrected by what finished stages of each kind took."""

from __future__ import annotations

import heapq
import json
from collections import defaultdict
from collections.abc import Sequence

from sweep.launch.job_queue import urgency
from sweep.stages.store import Store
from sweep.stages.worker import Job

FIRST_SECONDS = 5.0
"""So many seconds count as taken as planned, so that the first short stage does not decide alone."""

TRUSTED = 2
"""Stages of a kind after which their own times count for as much as those of all kinds together."""

AT_LEAST = 0.1
"""Share of its time so far that a stage which runs longer than expected is still thought to need."""


class TimeLeft:
    """The time until all jobs are done, with ``slots`` of them at a time.

    Without slots, as on a cluster, jobs are taken to go on ending as fast as they have ended so far.
    """

    def __init__(self, jobs: Sequence[Job], store: Store, slots: int | None) -> None:
        self.store, self.slots = store, slots
        chain = urgency({job.stage.key: job for job in jobs})
        self.left = {job.stage.key: job for job in sorted(jobs, key=lambda job: -chain[job.stage.key])}
        self.begun: dict[str, float] = {}
        self.planned: defaultdict[str, float] = defaultdict(float)
        self.taken: defaultdict[str, float] = defaultdict(float)
        self.counts: defaultdict[str, int] = defaultdict(int)

    def started(self, job: Job, at: float) -> None:
        """Note that a job runs since ``at``, in seconds after the sweep began."""
        self.begun[job.stage.key] = at

    def paused(self, job: Job) -> None:
        self.begun.pop(job.stage.key, None)

    def failed(self, job: Job) -> None:
        self.paused(job)
        self.left.pop(job.stage.key, None)

    def done(self, job: Job) -> None:
        """Note that a job is done, with the seconds that its process says it took."""
        self.failed(job)
        kind = job.stage.kind
        try:
            seconds = float(json.loads((self.store.path(job.stage) / "record.json").read_bytes())["seconds"])
        except (OSError, ValueError, KeyError, TypeError):
            return  # not ours to judge: it says nothing on speed
        self.planned[kind] += job.seconds
        self.taken[kind] += seconds
        self.counts[kind] += 1

    def seconds(self, now: float) -> float | None:
        """Seconds from ``now`` until the last job is done; None before the first one is."""
        if not self.counts:
            return None
        planned, taken = dict(self.planned), dict(self.taken)
        for key, began in self.begun.items():
            job = self.left[key]
            if now - began > job.seconds:  # one that runs for longer than planned says already how slow its kind is
                planned[job.stage.kind] = planned.get(job.stage.kind, 0.0) + job.seconds
                taken[job.stage.kind] = taken.get(job.stage.kind, 0.0) + now - began
        overall = (FIRST_SECONDS + sum(taken.values())) / (FIRST_SECONDS + sum(planned.values()))
        slow = {kind: self._slow(planned[kind], taken[kind], overall, self.counts[kind] or 1) for kind in planned}
        need = {key: self._need(job, slow.get(job.stage.kind, overall), now) for key, job in self.left.items()}
        if self.slots is None:
            pace = sum(self.taken.values()) / max(now, 1e-9)  # jobs at a time, waiting in the queue included
            return sum(need.values()) / max(pace, 1e-9)
        return self._until_the_last(need, self.slots)

    @staticmethod
    def _slow(planned: float, taken: float, overall: float, count: int) -> float:
        """How many times as long as planned a kind of stage takes: its mean so far, and for few stages that of all."""
        trusted = TRUSTED * planned / count
        return (overall * trusted + taken) / (trusted + planned)

    def _need(self, job: Job, slow: float, now: float) -> float:
        """Seconds that a job still needs."""
        whole, spent = job.seconds * slow, now - self.begun.get(job.stage.key, now)
        return max(whole - spent, AT_LEAST * max(whole, spent))

    def _until_the_last(self, need: dict[str, float], slots: int) -> float:
        """When the last job ends if each starts as soon as its inputs and enough slots are free, urgent ones first."""
        free = [0.0] * slots
        ends: dict[str, float] = {}
        for key, job in self.left.items():
            ready = max((ends.get(node.key, 0.0) for node in job.stage.inputs.values()), default=0.0)
            ranks = min(job.ranks, slots)
            begin = max([ready, *(heapq.heappop(free) for _ in range(ranks))])
            ends[key] = begin + need[key]
            for _ in range(ranks):
                heapq.heappush(free, ends[key])
        return max(ends.values(), default=0.0)
