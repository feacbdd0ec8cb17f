"""Experiment trackers that receive a stage's metrics. Their failures are logged and never affect training."""

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
from train.step import TrainSetup

log = logging.getLogger(__name__)

STEP_METRIC = "tokens"
INIT_SECONDS = 60


class Tracker(Protocol):
    """Receives the metrics of one training stage."""

    def log(self, record: Mapping[str, float]) -> None:
        """Record the metrics of one step."""

    def finish(self, code: int) -> None:
        """End the run with the stage's exit code."""


class NullTracker:
    """A tracker that records nothing."""

    def log(self, record: Mapping[str, float]) -> None:
        pass

    def finish(self, code: int) -> None:
        pass


class WandbTracker:
    """A Weights & Biases run with the stage's key as its id, grouped by sweep, plotted over trained tokens.

    A resumed stage continues the same run. W&B keeps its files in $WANDB_DIR, else in ./wandb; they are not part of the
    stage's output. Without an API key the run is recorded offline, to be uploaded with `wandb sync`.
    """

    def __init__(self, execution: TrainRun, setup: TrainSetup) -> None:
        import wandb

        self._run = wandb.init(
            project=execution.tracker.project, entity=execution.tracker.entity, id=execution.key,
            name=execution.title, group=execution.sweep, tags=execution.tags, job_type="train",
            config=asdict(setup.spec), resume="allow",
            mode="offline" if lacks_api_key(os.environ) else None, dir=os.environ.get("WANDB_DIR"),
            settings=wandb.Settings(
                silent=True, console="off", disable_git=True, disable_code=True, init_timeout=INIT_SECONDS
            ),
        )  # fmt: skip
        # W&B's own step counts log calls and starts again from 0 after a resume; the token count does not.
        self._run.define_metric(STEP_METRIC)
        self._run.define_metric("*", step_metric=STEP_METRIC)

    def log(self, record: Mapping[str, float]) -> None:
        self._run.log(dict(record))

    def finish(self, code: int) -> None:
        self._run.finish(exit_code=code)


class SafeTracker:
    """Passes calls on to another tracker; if that one fails, logs one warning and records nothing from then on."""

    def __init__(self, tracker: Tracker) -> None:
        self._tracker = tracker

    def log(self, record: Mapping[str, float]) -> None:
        try:
            self._tracker.log(record)
        except Exception as error:  # W&B raises errors of many unrelated classes
            self._drop(error)

    def finish(self, code: int) -> None:
        try:
            self._tracker.finish(code)
        except Exception as error:  # as in `log`
            self._drop(error)

    def _drop(self, error: Exception) -> None:
        log.warning("the tracker failed, training continues without it: %s: %s", type(error).__name__, error)
        self._tracker = NullTracker()


@contextmanager
def open_tracker(execution: TrainRun, setup: TrainSetup) -> Iterator[Tracker]:
    """Open the tracker of this stage, on the first rank only; at the end it gets the exit code of the block."""
    tracker: Tracker = NullTracker()
    if setup.group.first and execution.tracker.name == "wandb":
        try:
            tracker = SafeTracker(WandbTracker(execution, setup))
        except Exception as error:  # for instance no network, no disk space, or no wandb library
            log.warning("no tracker, training continues without it: %s: %s", type(error).__name__, error)
    try:
        yield tracker
    except SystemExit as stop:
        tracker.finish(stop.code if isinstance(stop.code, int) else 1)
        raise
    except BaseException:
        tracker.finish(1)
        raise
    tracker.finish(0)


def lacks_api_key(environment: Mapping[str, str]) -> bool:
    """Whether W&B would ask for an API key: none in $WANDB_API_KEY or the netrc file, and no $WANDB_MODE set."""
    if environment.get("WANDB_MODE") or environment.get("WANDB_API_KEY"):
        return False
    host = urlparse(environment.get("WANDB_BASE_URL", "https://api.wandb.ai")).hostname or ""
    try:
        return netrc.netrc(environment.get("NETRC")).authenticators(host) is None
    except (OSError, netrc.NetrcParseError):
        return True
