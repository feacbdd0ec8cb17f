"""Mirrors of the metrics on a dashboard. Losing one never stops or changes a run."""

from __future__ import annotations

import logging
import netrc
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from typing import Protocol
from urllib.parse import urlparse

from train.spec import TrainRun
from train.step import Job

log = logging.getLogger(__name__)

AXIS = "tokens"
INIT_SECONDS = 60


class Tracker(Protocol):
    """A mirror of a run."""

    def log(self, record: Mapping[str, float]) -> None:
        """Show one step."""

    def finish(self, code: int) -> None:
        """Close with the exit code of the run."""


class NullTracker:
    """Shows nothing."""

    def log(self, record: Mapping[str, float]) -> None:
        pass

    def finish(self, code: int) -> None:
        pass


class WandB:
    """Weights & Biases: one run for ever per stage key, grouped by sweep, over an axis of trained tokens.

    A resumed stage goes on in the same run. The files lie where W&B keeps them: in $WANDB_DIR, else in ./wandb; they
    are no output of the stage. Without a key the run is kept offline, for `wandb sync`.
    """

    def __init__(self, execution: TrainRun, job: Job) -> None:
        import wandb

        self._run = wandb.init(
            project=execution.tracker.project, entity=execution.tracker.entity, id=execution.key,
            name=execution.title, group=execution.sweep, tags=execution.tags, job_type="train",
            config=asdict(job.spec), resume="allow",
            mode="offline" if keyless(os.environ) else None, dir=os.environ.get("WANDB_DIR"),
            settings=wandb.Settings(
                silent=True, console="off", disable_git=True, disable_code=True, init_timeout=INIT_SECONDS
            ),
        )  # fmt: skip
        # W&B's own step counts log calls and starts anew after a resume; tokens do not.
        self._run.define_metric(AXIS)
        self._run.define_metric("*", step_metric=AXIS)

    def log(self, record: Mapping[str, float]) -> None:
        self._run.log(dict(record))

    def finish(self, code: int) -> None:
        self._run.finish(exit_code=code)


class SafeTracker:
    """A tracker that falls silent, with one warning, when the one behind it fails."""

    def __init__(self, tracker: Tracker) -> None:
        self._tracker = tracker

    def log(self, record: Mapping[str, float]) -> None:
        try:
            self._tracker.log(record)
        except Exception as error:  # whatever a dashboard's client raises, training goes on
            self._drop(error)

    def finish(self, code: int) -> None:
        try:
            self._tracker.finish(code)
        except Exception as error:  # as above
            self._drop(error)

    def _drop(self, error: Exception) -> None:
        log.warning("the tracker is lost, training goes on without it: %s: %s", type(error).__name__, error)
        self._tracker = NullTracker()


@contextmanager
def open_tracker(execution: TrainRun, job: Job) -> Iterator[Tracker]:
    """The mirror of this run, on the first rank only; it is told whether the run ended well."""
    tracker: Tracker = NullTracker()
    if job.group.first and execution.tracker.name == "wandb":
        try:
            tracker = SafeTracker(WandB(execution, job))
        except Exception as error:  # no network, no disk, no library: none of them is a reason not to train
            log.warning("no tracker, training goes on without it: %s: %s", type(error).__name__, error)
    try:
        yield tracker
    except SystemExit as stop:
        tracker.finish(stop.code if isinstance(stop.code, int) else 1)
        raise
    except BaseException:
        tracker.finish(1)
        raise
    tracker.finish(0)


def keyless(environment: Mapping[str, str]) -> bool:
    """Whether W&B would ask for a key: none in $WANDB_API_KEY or in the netrc file, and no $WANDB_MODE."""
    if environment.get("WANDB_MODE") or environment.get("WANDB_API_KEY"):
        return False
    host = urlparse(environment.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname or ""
    try:
        return netrc.netrc(environment.get("NETRC")).authenticators(host) is None
    except (OSError, netrc.NetrcParseError):
        return True
