"""Progress of a running sweep: on a terminal a bar with the time left, elsewhere one line per trained model."""

from __future__ import annotations

import time
from collections.abc import Iterable

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from sweep.stages.store import Store
from sweep.stages.worker import Job

BAR = 14
"""Columns of the bar itself."""

COUNTS = 46
"""Columns that the counts, the time spent and the time left take at most; what is left of the line names the stages."""


class Progress:
    """Counts finished stages and estimates the time left from the costs of finished and missing ones."""

    def __init__(self, missing: Iterable[Job], store: Store, console: Console) -> None:
        costs = [job.seconds for job in missing]
        self.store, self.missing, self.left = store, len(costs), sum(costs)
        self.spent = 0.0
        self.count = 0
        self.began = time.monotonic()
        self.working: dict[str, str] = {}
        self.bar = Bar(
            BarColumn(BAR), MofNCompleteColumn(), TextColumn("stages"), TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"), TextColumn("{task.fields[now]}"),
            console=console, transient=True, disable=not console.is_terminal,
        )  # fmt: skip
        self.task = self.bar.add_task("", total=self.missing, left="", now="")

    def __enter__(self) -> Progress:
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self.began

    def started(self, job: Job) -> None:
        self.working[job.stage.key] = job.title
        self.tick()

    def paused(self, job: Job) -> None:
        self.working.pop(job.stage.key, None)

    def done(self, job: Job) -> None:
        self.working.pop(job.stage.key, None)
        self.count += 1
        self.spent += job.seconds
        self.left -= job.seconds
        if job.stage.kind == "train":
            self.note(f"{job.title}  [dim]{self.count}/{self.missing} stages, {self.estimate()}[/dim]")
        self.tick()

    def failed(self, job: Job, reason: str) -> None:
        self.working.pop(job.stage.key, None)
        self.note(f"[red]failed[/red] {job.title}: {reason}; log: {self.store.log(job.stage)}")

    def estimate(self) -> str:
        """The time left at the pace so far, as text; empty until a stage is done."""
        return f"about {span(self.left * self.elapsed / self.spent)} left" if self.spent > 0 else ""

    def note(self, text: str) -> None:
        self.bar.console.print(text, highlight=False, soft_wrap=True)

    def tick(self) -> None:
        room = max(0, self.bar.console.width - BAR - COUNTS)
        now = ", ".join(self.working.values())[:room]
        self.bar.update(self.task, completed=self.count, left=self.estimate(), now=now)


def span(seconds: float) -> str:
    """A duration as text: seconds, minutes or hours."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
