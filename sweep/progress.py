"""What a person sees while a sweep runs: a bar with an estimate on a terminal, a line a training elsewhere."""

from __future__ import annotations

import time
from collections.abc import Mapping

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bar

from sweep.cost import Cost
from sweep.plan import Plan
from sweep.stage import Stage
from sweep.store import Store


class Progress:
    """Counts stages and estimates the time left from the cost of what is done against what is not."""

    def __init__(self, plan: Plan, store: Store, cost: Mapping[str, Cost], missing: int, console: Console) -> None:
        self.plan, self.store, self.console, self.missing = plan, store, console, missing
        self.cost = cost
        self.left = sum(cost[stage.key].seconds for stage in plan.stages if not store.has(stage))
        self.spent = 0.0
        self.count = 0
        self.began = time.monotonic()
        self.working: dict[str, str] = {}
        self.bar = Bar(
            BarColumn(), MofNCompleteColumn(), TextColumn("stages"), TimeElapsedColumn(), TextColumn("{task.fields[left]}"),
            TextColumn("{task.fields[now]}"), console=console, transient=True, disable=not console.is_terminal,
        )  # fmt: skip
        self.task = self.bar.add_task("", total=missing, left="", now="")

    def __enter__(self) -> Progress:
        self.bar.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.bar.stop()

    def title(self, stage: Stage) -> str:
        how = self.plan.how[stage.key]
        return getattr(how, "title", "") or stage.name

    def started(self, stage: Stage) -> None:
        self.working[stage.key] = f"{stage.kind} {self.title(stage) if stage.kind == 'train' else ''}".strip()
        self.tick()

    def paused(self, stage: Stage) -> None:
        self.working.pop(stage.key, None)

    def done(self, stage: Stage) -> None:
        self.working.pop(stage.key, None)
        self.count += 1
        self.spent += self.cost[stage.key].seconds
        self.left -= self.cost[stage.key].seconds
        if stage.kind == "train":
            self.note(f"trained {self.title(stage)}  [dim]{self.count}/{self.missing} stages, {self.estimate()}[/dim]")
        self.tick()

    def failed(self, stage: Stage, why: str) -> None:
        self.working.pop(stage.key, None)
        self.note(f"[red]failed[/red] {stage.kind} {self.title(stage)}: {why}; log: {self.store.log(stage)}")

    @property
    def elapsed(self) -> float:
        return time.monotonic() - self.began

    def estimate(self) -> str:
        """The time left, from the pace so far."""
        if self.spent <= 0:
            return ""
        seconds = self.left * self.elapsed / self.spent
        return f"about {span(seconds)} left"

    def note(self, text: str) -> None:
        self.bar.console.print(text, highlight=False, soft_wrap=True)

    def tick(self) -> None:
        self.bar.update(self.task, completed=self.count, left=self.estimate(), now=", ".join(self.working.values())[:60])


def span(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
