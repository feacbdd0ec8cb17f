"""How fast finished stages of a store ran, so that the next plan of the same work need not guess."""

from __future__ import annotations

import contextlib
import json
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

from common.restore import restore
from eval.spec.answers import EvalRun
from sweep.stages.stage import StageRef, plain
from sweep.stages.store import SEAL, Store
from sweep.stages.worker import STAGE_TYPES
from train.spec import TrainRun

NEWEST = 64
"""Finished stages of each kind that are read: the newest, which ran on the machine and the code of today."""

KINDS = ("train", "answer", "score")

Work = tuple[object, ...]
"""What has to be equal for two stages to run equally fast."""


@dataclass(frozen=True)
class Rate:
    """Seconds that a stage takes besides its units, and seconds a unit: tokens of a training, items of the others.

    ``units`` is how many the seconds a unit were measured on.
    """

    fixed: float
    per_unit: float
    units: float = 1.0

    def seconds(self, units: float) -> float:
        return self.fixed + self.per_unit * units


class Rates:
    """The rates of a store's finished stages, read when the first is asked for."""

    def __init__(self, store: Store) -> None:
        self.store = store

    def of(self, kind: str, spec: Any, execution: Any, parameters: int, gpu: bool) -> Rate | None:
        """The mean rate of finished stages that did such work on a GPU, or without one; None where there are none."""
        return self._known.get(_work(kind, spec, execution, parameters, gpu)) if kind in KINDS else None

    @cached_property
    def _known(self) -> dict[Work, Rate]:
        found: defaultdict[Work, list[Rate]] = defaultdict(list)
        for kind in KINDS:
            for folder in newest(self.store, kind):
                try:
                    work, rate = self._read(kind, folder)
                except (OSError, ValueError, KeyError, TypeError, AttributeError, ZeroDivisionError):
                    continue  # of another version of the code, or damaged: it says nothing on speed
                found[work].append(rate)
        return {work: _pooled(rates) for work, rates in found.items()}

    def _read(self, kind: str, folder: Path) -> tuple[Work, Rate]:
        identity = json.loads((folder / SEAL).read_bytes())["identity"]
        record = json.loads((folder / "record.json").read_bytes())
        types = STAGE_TYPES[kind]
        spec: Any = restore(types.spec, identity["spec"])
        how: Any = None if record["how"] is None or types.execution is None else restore(types.execution, record["how"])
        seconds, parameters, fixed = record["seconds"], 0, 0.0
        if kind == "train":
            summary = json.loads((folder / "summary.json").read_bytes())
            timings = json.loads((folder / "timings.json").read_bytes())
            parameters, fixed = summary["parameters"], max(0.0, seconds - timings["seconds"])
            per_token = 1 / timings["tokens_per_second"]
            rate = Rate(fixed, per_token, timings["seconds"] / per_token)
            return _work(kind, spec, how, parameters, bool(record["gpu"])), rate
        if kind == "answer":
            model = self.store.records(StageRef("train", str(identity["inputs"]["model"])))
            parameters = json.loads((model / "summary.json").read_bytes())["parameters"]
        return _work(kind, spec, how, parameters, bool(record["gpu"])), Rate(0.0, seconds / units(spec))


def units(spec: Any) -> int:
    """Items that an answer or score is about, times the answers to each; 1 where all items of a file are."""
    return (spec.items or 1) * getattr(spec, "samples", 1)


def _work(kind: str, spec: Any, execution: Any, parameters: int, gpu: bool) -> Work:
    if kind == "train":
        assert isinstance(execution, TrainRun)
        engine = replace(execution.engine, checkpoint_steps=1, gpu_gib=None)
        return kind, parameters, gpu, spec.recipe.precision, json.dumps(plain(engine))
    if kind == "answer":
        assert isinstance(execution, EvalRun)
        rows = execution.batch_rows
        return kind, parameters, gpu, spec.task, spec.items, spec.form, spec.engine, spec.decoding, spec.precision, rows
    return kind, gpu, spec.task, spec.items, spec.judge is not None


def newest(store: Store, kind: str) -> list[Path]:
    """The newest folders of finished stages of a kind, and of the records of those whose models were removed."""
    dated = []
    for path in (path for pattern in (f"{kind}/*", f"spent/{kind}/*") for path in store.root.glob(pattern)):
        with contextlib.suppress(FileNotFoundError):  # another command has just removed it
            dated.append((path.stat().st_mtime, path))
    return [path for _, path in sorted(dated)[-NEWEST:]]


def _pooled(rates: Sequence[Rate]) -> Rate:
    """The rate of all stages together: of a short training, the seconds a token are mostly not due to its tokens."""
    units = sum(rate.units for rate in rates)
    fixed = sum(rate.fixed for rate in rates) / len(rates)
    return Rate(fixed, sum(rate.per_unit * rate.units for rate in rates) / units, units)
