"""Resume points of trainings: their size, how long saving one takes, and how long before its end a job is told."""

from __future__ import annotations

import contextlib
import json
from statistics import median

from sweep.plan.rates import newest
from sweep.stages.store import Store
from train.spec import RESUME_BYTES

SAVE_BYTES = 5e8
"""Bytes a second that all ranks of a training write together where the store has none measured; a guess."""

SHORTEST_DELAY = 120
"""Seconds that a job is told before its end at least: it saves after the step that it is taking."""


def save_seconds(parameters: int, store: Store) -> float:
    """Seconds that saving a resume point of a model takes, at the median rate of the store's finished trainings."""
    rates = []
    for folder in newest(store, "train"):
        with contextlib.suppress(FileNotFoundError):  # not all stages are timed, and another command may remove one
            timings = json.loads((folder / "timings.json").read_bytes())
            if timings.get("resume_point_seconds"):
                rates.append(timings["resume_point_bytes"] / timings["resume_point_seconds"])
    return RESUME_BYTES * parameters / (median(rates) if rates else SAVE_BYTES)


def signal_delay(parameters: int, store: Store) -> int:
    """Seconds before its time limit at which a training job is told to save: twice what that takes, and a step."""
    return SHORTEST_DELAY + round(2 * save_seconds(parameters, store))
