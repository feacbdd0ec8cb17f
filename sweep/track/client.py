"""Runs of Weights & Biases, online or in the files of offline runs. Each call ends within a bounded time."""

from __future__ import annotations

import io
import json
import netrc
import os
import shutil
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from sweep.config.tracker import TrackerConfig
from sweep.track.content import Run, read_lines
from sweep.track.sent import Sent

SECONDS = 20.0
"""How long the server may take to start a run, and to take the rest of one at its end."""

STOPPED = 75
"""Exit code of a run that is to go on later, as of a stage that was stopped."""

EXIT_CODES = {"finished": 0, "failed": 1}

LOST = "Some run data will not be synced"
"""What W&B prints, at some time before a run has ended, when it could not upload its rows."""


class Unreachable(RuntimeError):
    """W&B did not take a run."""


def mode(environment: Mapping[str, str]) -> str:
    """W&B's mode: that of $WANDB_MODE, else 'offline' without an API key and 'online' with one."""
    return environment.get("WANDB_MODE") or ("offline" if lacks_api_key(environment) else "online")


def lacks_api_key(environment: Mapping[str, str]) -> bool:
    """Whether W&B would ask for an API key: none is in $WANDB_API_KEY or the netrc file."""
    if environment.get("WANDB_API_KEY"):
        return False
    host = urlparse(_address(environment)).hostname or ""
    try:
        return netrc.netrc(environment.get("NETRC")).authenticators(host) is None
    except (OSError, netrc.NetrcParseError):
        return True


def _address(environment: Mapping[str, str]) -> str:
    return environment.get("WANDB_BASE_URL") or "https://api.wandb.ai"


class Client:
    """Opens the runs of one sweep.

    Standard error has to be led to ``printed`` meanwhile: only there W&B tells of lost rows. W&B's files of offline
    runs go to its folder ``wandb`` in $WANDB_DIR, else in the store; those of runs online, which are of no use once
    they have been sent, to the folder ``scratch``.
    """

    def __init__(self, tracker: TrackerConfig, sweep: str, store: Path, scratch: Path) -> None:
        self.tracker, self.sweep = tracker, sweep
        self.offline = mode(os.environ) in ("offline", "dryrun")
        self.folder = Path(os.environ.get("WANDB_DIR") or store) if self.offline else scratch
        self.project = "/".join(filter(None, [tracker.entity, tracker.project]))
        self.place = f"{'offline' if self.offline else _address(os.environ)}/{self.project}"
        self.printed = io.StringIO()

    def open(self, run: Run, before: Sent | None) -> OpenRun:
        """Start a run or go on with it. Raises `Unreachable`."""
        if self.offline:
            self._remove_unknown(run, before)
        # Online, the server says where to go on.
        known = before if self.offline and before and before.place.endswith(f"/{self.project}") else None
        with _failures(self.place):
            return OpenRun(self._start(run), self.place, known, self.heard)

    def heard(self) -> str:
        """What W&B has printed to ``printed`` since the last call; passed on to standard error."""
        text = self.printed.getvalue()
        self.printed.seek(0)
        self.printed.truncate()
        print(text, end="", file=sys.__stderr__, flush=True)
        return text

    def _start(self, run: Run) -> Any:
        import wandb  # slow to import

        settings = wandb.Settings(
            silent=True, console="off", disable_git=True, disable_code=True, disable_job_creation=True,
            x_disable_stats=True, x_disable_meta=True, x_disable_machine_info=True, x_save_requirements=False,
            reinit="create_new", init_timeout=SECONDS, finish_timeout=SECONDS, finish_timeout_raises=True,
        )  # fmt: skip
        started = wandb.init(
            project=self.tracker.project, entity=self.tracker.entity, id=run.id, name=run.name, group=self.sweep,
            tags=run.tags, job_type=run.kind, resume="allow", mode="offline" if self.offline else "online",
            dir=str(self.folder), settings=settings,
        )  # fmt: skip
        started.config.update(dict(run.config), allow_val_change=True)
        for axis in run.axes:
            started.define_metric(axis)
        started.define_metric("*", step_metric=run.axes[0])
        return started

    def _remove_unknown(self, run: Run, before: Sent | None) -> None:
        """Remove offline folders of a run that a killed process left unfinished; what they hold is sent again."""
        known = before.folders if before else ()
        for folder in self.folder.glob(f"wandb/offline-run-*-{run.id}"):
            if folder.name not in known:
                shutil.rmtree(folder)


class OpenRun:
    """A run that W&B takes rows of. ``next`` is the number of the first row that it lacks."""

    def __init__(self, started: Any, place: str, before: Sent | None, heard: Callable[[], str]) -> None:
        self._started, self._place, self._heard = started, place, heard
        self.next: int = before.next if before else started.starting_step
        self.folder = Path(started.settings.sync_dir)

    def log(self, run: Run) -> None:
        """Send the rows that W&B lacks. Raises `Unreachable`."""
        rows = run.rows()
        with _failures(self._place):
            for place, row in enumerate(rows, 1):
                number = int(row[run.counter]) if run.counter else place
                if number >= self.next:
                    self._started.log(dict(row), step=number)
                    self.next = number + 1

    def finish(self, run: Run, answers: int) -> None:
        """Send what W&B lacks, with ``answers`` rows of each table, and end the run. Raises `Unreachable`."""
        self.log(run)
        whole = run.state == "finished"  # else rows are to come, and a table takes the number after the last
        answered = {name: read_lines(file, answers) for name, file in run.tables.items() if whole}
        with _failures(self._place):
            if answered:
                self._started.log({name: _table(rows) for name, rows in answered.items()}, step=self.next)
                self.next += 1
            self._started.summary.update(dict(run.summary))
            if run.state not in EXIT_CODES:
                self._started.mark_preempting()
            self._started.finish(exit_code=EXIT_CODES.get(run.state, STOPPED))
            if LOST in self._heard():  # all that W&B says of uploads that are refused
                raise RuntimeError("uploads are refused")
            # A link of W&B's to the last folder, which `wandb sync` would upload a second time.
            self.folder.with_name("latest-run").unlink(missing_ok=True)


def _table(rows: list[Mapping[str, Any]]) -> Any:
    import wandb

    names = list(dict.fromkeys(name for row in rows for name in row))
    data = [[_entry(row.get(name)) for name in names] for row in rows]
    return wandb.Table(columns=[*names], data=data, allow_mixed_types=True)


def _entry(value: Any) -> Any:
    return value if value is None or isinstance(value, bool | int | float | str) else json.dumps(value)


@contextmanager
def _failures(place: str) -> Iterator[None]:
    """Raise whatever goes wrong in the block as `Unreachable`, in one line."""
    try:
        yield
    except Exception as error:  # W&B raises errors of many unrelated classes
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise Unreachable(f"{place}: {reason}") from error
