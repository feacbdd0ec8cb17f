"""The training runs of sweeps as they are now, with the speed of those that have not ended."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path

from analysis.data.sweep_folder import sweep_folders
from analysis.live.pages import training_part
from analysis.report.training import training


class Runs:
    """Looks at the logs of training runs again and again."""

    def __init__(self, plans: Sequence[Path]) -> None:
        self._plans = plans
        self._first: dict[str, tuple[float, float]] = {}

    def part(self) -> str:
        """All runs as HTML; empty where none has begun. A run's speed is that since the first look at it."""
        folders = sweep_folders(self._plans)
        now, pace = time.monotonic(), dict[str, float]()
        for run in (run for folder in folders for run in folder.runs() if run.running and run.log):
            tokens = float(run.log[-1].get("tokens", 0))
            began, before = self._first.setdefault(run.key, (now, tokens))
            if now > began and tokens > before:
                pace[run.key] = (tokens - before) / (now - began)
        section = training(folders, pace)
        return training_part(section) if section else ""
