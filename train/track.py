"""Mirrors of the metrics on a dashboard. Losing one never stops or changes a run."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from train.spec import Run
from train.step import Job


class Silent:
    """A tracker that keeps nothing."""

    def log(self, record: Mapping[str, float]) -> None:
        """Forget one step."""


@contextmanager
def open_tracker(how: Run, job: Job) -> Iterator[Silent]:
    """The mirror of this run."""
    yield Silent()
