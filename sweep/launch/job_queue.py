"""The jobs of a sweep that have to be built, in the order in which the local launcher starts them."""

from __future__ import annotations

import heapq
import math
import time
from collections.abc import Mapping

from sweep.stages.store import Store
from sweep.stages.worker import Job


class Queue:
    """The jobs to build: those whose inputs exist, most urgent first, and those that wait for an input or a moment.

    With ``measured_first`` answers and scores come before everything else, else the longest chain of stages does.
    """

    def __init__(self, jobs: Mapping[str, Job], store: Store, *, measured_first: bool = False) -> None:
        self.missing = {key: jobs[key] for key in store.lacking(job.stage for job in jobs.values())}
        self.children: dict[str, list[str]] = {}
        self.awaited: dict[str, int] = {}
        self.urgency = urgency(jobs)
        if measured_first:
            measuring = [key for key, job in jobs.items() if job.stage.kind in ("answer", "score")]
            self.urgency |= dict.fromkeys(measuring, math.inf)
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


def urgency(jobs: Mapping[str, Job]) -> dict[str, float]:
    """Estimated seconds of the longest chain of stages that starts with each job, by key."""
    seconds: dict[str, float] = {}
    for key, job in reversed(list(jobs.items())):
        seconds[key] = seconds.get(key, 0.0) + job.seconds
        for node in job.stage.inputs.values():
            seconds[node.key] = max(seconds.get(node.key, 0.0), seconds[key])
    return seconds
