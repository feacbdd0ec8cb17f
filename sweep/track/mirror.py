"""The process that mirrors a sweep to W&B: ``python -m sweep.track.mirror STORE NAME SECONDS [STAGE...]``.

It looks at the store until its standard input ends, then once more, and prints a `Report` as a line of JSON. What is
sent comes from the store alone: stages never wait for this process, and whatever ends it, a later one sends the rest.
"""

from __future__ import annotations

import json
import os
import select
import sys
import tempfile
import time
import uuid
from collections.abc import Sequence
from contextlib import ExitStack, redirect_stderr
from dataclasses import asdict, dataclass
from pathlib import Path

from sweep.results.saved_sweep import SavedSweep, load
from sweep.stages import claims
from sweep.stages.claims import TRY_AGAIN, Busy
from sweep.stages.store import Store
from sweep.track import sent
from sweep.track.client import Client, OpenRun, Unreachable
from sweep.track.content import Content, Run
from sweep.track.sent import Sent

LOOK_SECONDS = 5.0
"""The shortest time between two looks at the store."""

REST = 50.0
"""How much longer than a look the time until the next one is at least: long logs are read less often."""

PAUSE_SECONDS = 300.0
"""Time until another attempt after W&B did not answer."""


@dataclass
class Report:
    """What a mirror has done: runs in place, how many it sent, those missing, and why it ended before it was done.

    A run that another process is sending is not missing.
    """

    place: str
    offline: bool
    in_place: int = 0
    new: int = 0
    missing: int = 0
    problem: str = ""


class Mirror:
    """Sends the runs of a sweep that its place lacks; with ``stages`` only those that show one of these, by key."""

    def __init__(self, saved: SavedSweep, store: Store, client: Client, stages: Sequence[str] = ()) -> None:
        self.store, self.client, self.stages = store, client, stages
        self.answers = client.tracker.items
        self.content = Content(saved, store, answers=self.answers > 0)
        self.owner = f"wandb-{uuid.uuid4().hex[:12]}"
        self.open: dict[str, tuple[OpenRun, ExitStack]] = {}
        self.done: set[str] = set()
        self.report = Report(client.place, client.offline)

    def follow(self, seconds: float) -> None:
        """Look until the input ends, then `conclude`. Raises `Unreachable`."""
        looked = 0.0
        while not _input_ended(max(LOOK_SECONDS, REST * looked)):
            began = time.monotonic()
            self.look()
            looked = time.monotonic() - began
        self.conclude(seconds)

    def look(self) -> None:
        """Send what is new of trainings that run, and all of what has finished. Raises `Unreachable`."""
        for run in self.content.runs(self.stages, self.done):
            live = run.state == "running" and not self.client.offline
            if run.id in self.open or live or run.state in ("finished", "failed"):
                self._bring(run, ends=run.state in ("finished", "failed"))

    def conclude(self, seconds: float) -> None:
        """Send whatever there is, and end all runs. Raises `Unreachable`, also after ``seconds`` (0: no limit)."""
        deadline = time.monotonic() + seconds if seconds else float("inf")
        for run in self.content.runs(self.stages, self.done):
            if time.monotonic() > deadline:
                raise Unreachable(f"{self.client.place}: it was slower than the sweep by more than {seconds:.0f} s")
            self._bring(run, ends=True)

    def release(self) -> None:
        """Let other processes have the runs that this one has not ended."""
        for _, claim in self.open.values():
            claim.close()

    def count(self) -> None:
        """Complete the report."""
        waiting = [run for run in self.content.runs(self.stages, self.done) if not self._is_known(run)]
        self.report.missing = sum(claims.holder(self._claim(run)) is None for run in waiting)

    def _bring(self, run: Run, *, ends: bool) -> None:
        if run.id not in self.open and (self._is_known(run) or not self._start(run)):
            return
        opened, claim = self.open[run.id]
        if not ends:
            opened.log(run)
            return
        opened.finish(run, self.answers)
        self._note(run, opened)
        del self.open[run.id]
        claim.close()
        self.report.new += 1

    def _start(self, run: Run) -> bool:
        """Open the run, unless another process has it."""
        with ExitStack() as claim:
            try:
                claim.enter_context(claims.held(self._claim(run), self.owner))
            except Busy:
                return False
            if self._is_known(run):  # another process has sent it meanwhile
                return False
            opened = self.client.open(run, sent.read(self.store, run.id))
            self.open[run.id] = opened, claim.pop_all()
            return True

    def _is_known(self, run: Run) -> bool:
        """Whether the run is in place. A training that another sweep has sent stays in the group of that one."""
        before = sent.read(self.store, run.id)
        if before is None or before.place != self.client.place:
            return False
        of_other = before.sweep != self.client.sweep and before.finished
        known = of_other or before.digest == run.digest()
        if known and run.state == "finished":
            self.done.add(run.id)
            self.report.in_place += 1
        return known

    def _note(self, run: Run, opened: OpenRun) -> None:
        before = sent.read(self.store, run.id)
        folders = (*(before.folders if before else ()), opened.folder.name) if self.client.offline else ()
        finished = run.state == "finished"
        content = Sent(self.client.sweep, self.client.place, run.digest(), opened.next, finished, folders)
        sent.write(self.store, run.id, content)
        if finished:
            self.done.add(run.id)
            self.report.in_place += 1

    def _claim(self, run: Run) -> Path:
        return self.store.root / "claims" / f"wandb-{run.id}"


def run(root: str, name: str, seconds: float, stages: Sequence[str]) -> Report:
    """Mirror a sweep until the input ends or W&B does not take something, which the report then says."""
    store = Store(root)
    saved = load(store, name)
    with tempfile.TemporaryDirectory() as scratch:
        client = Client(saved.tracker, name, store.root, Path(scratch))
        tempfile.tempdir = scratch
        os.environ.setdefault("WANDB_CACHE_DIR", scratch)
        os.environ.setdefault("WANDB_DATA_DIR", str(client.folder / "wandb"))  # offline runs refer to tables there
        mirror = Mirror(saved, store, client, stages)
        try:
            with redirect_stderr(client.printed):
                mirror.follow(seconds)
        except Unreachable as problem:
            mirror.report.problem = str(problem)
        client.heard()
        mirror.release()
        mirror.count()
    return mirror.report


def _input_ended(seconds: float) -> bool:
    return bool(select.select([sys.stdin], [], [], seconds)[0])


def main(arguments: Sequence[str]) -> None:
    """Mirror until the input ends. After W&B did not answer try again, but not once the input has ended."""
    root, name, seconds, *stages = arguments
    os.nice(5)  # stages come first
    while True:
        if (child := os.fork()) == 0:
            report = run(root, name, float(seconds), stages)
            print(json.dumps(asdict(report)), flush=True)
            os._exit(TRY_AGAIN if report.problem else 0)  # W&B's own ending would wait for the server
        status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if status != TRY_AGAIN or _input_ended(PAUSE_SECONDS):
            return


if __name__ == "__main__":
    main(sys.argv[1:])
