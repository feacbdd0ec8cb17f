"""Progress of a running sweep: on a terminal a bar with the time left, elsewhere a line now and then."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar
from rich.text import Text

from sweep.launch.time_left import TimeLeft
from sweep.stages.store import Store
from sweep.stages.worker import Job

BAR = 10
"""Columns of the bar itself."""

COUNTS = 40
"""Columns that the counts, the time spent and the time left take at most; what is left of the line names the stages."""

LINES = 16
"""Lines that say how far a sweep is where there is no terminal for a bar."""

LOOK_SECONDS = 2.0
"""Time between two estimates of the time left."""


class Progress:
    """Counts finished stages and says how long the others will take.

    ``names`` says what a stage is called, by its key, where its job's title would be a hash; ``slots`` how many run at
    a time (None: as many as SLURM grants).
    """

    def __init__(
        self,
        missing: Iterable[Job],
        store: Store,
        console: Console,
        names: Mapping[str, str] | None = None,
        slots: int | None = None,
    ) -> None:
        jobs = list(missing)
        self.store, self.missing, self.names = store, len(jobs), names or {}
        self.time_left = TimeLeft(jobs, store, slots)
        self.count = self.told = 0
        self.began = self.looked = time.monotonic()
        self.left = ""
        self.working: dict[str, str] = {}
        self.bar = Bar(
            BarColumn(BAR), MofNCompleteColumn(), TextColumn("stages"), TimeElapsedColumn(),
            TextColumn("{task.fields[left]}"), TextColumn("{task.fields[now]}", markup=False),
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

    def name(self, job: Job) -> str:
        """What a job is called in messages."""
        return self.names.get(job.stage.key, job.title)

    def started(self, job: Job) -> None:
        if job.stage.key not in self.working:
            self.time_left.started(job, self.elapsed)
        self.working[job.stage.key] = self.name(job)
        self.tick()

    def paused(self, job: Job) -> None:
        self.working.pop(job.stage.key, None)
        self.time_left.paused(job)

    def done(self, job: Job) -> None:
        self.working.pop(job.stage.key, None)
        self.count += 1
        self.time_left.done(job)
        if not self.bar.console.is_terminal and self.count * LINES // self.missing > self.told:
            self.told = self.count * LINES // self.missing
            left = self.estimate() if self.count < self.missing else ""
            self.note(f"{self.count}/{self.missing} stages" + (f", {left}" if left else ""))
        self.tick()

    def failed(self, job: Job, reason: str) -> None:
        self.working.pop(job.stage.key, None)
        self.time_left.failed(job)
        self.note(Text.assemble(("failed", "red"), f" {self.name(job)}: {reason}{self.log(job)}"))

    def log(self, job: Job) -> str:
        """Where the log of a job lies, in words; nothing where it never came to write one."""
        path = self.store.log(job.stage)
        return f"; log: {path}" if path.exists() else ""

    def estimate(self) -> str:
        """The time left as text; empty until stages that are done say how fast this machine is."""
        seconds = self.time_left.seconds(self.elapsed)
        return "" if seconds is None else f"{span(seconds)} left"

    def note(self, text: str | Text) -> None:
        self.bar.console.print(text, highlight=False, markup=False, soft_wrap=True)

    def tick(self) -> None:
        now = time.monotonic()
        if now - self.looked >= LOOK_SECONDS:
            self.looked, self.left = now, self.estimate()
        room = max(0, self.bar.console.width - BAR - COUNTS)
        self.bar.update(self.task, completed=self.count, left=self.left, now=", ".join(self.working.values())[:room])


def span(seconds: float) -> str:
    """A duration as text: seconds, minutes or hours."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
