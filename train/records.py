"""What a training stage writes about itself: metrics.jsonl, a line for each step, and summary.json at the end."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from train.step import TrainSetup

METRICS = "metrics.jsonl"
FINAL_LOSS_PART = 20  # a final loss is the mean over the last 1/20 of the steps


class Metrics:
    """Writer of metrics.jsonl; without a stream, on ranks other than the first, it writes nothing."""

    def __init__(self, stream: IO[str] | None) -> None:
        self._stream = stream

    def write(self, record: Mapping[str, float]) -> None:
        """Append the line of one step and hand it to the operating system, so that a killed process keeps it."""
        if self._stream is not None:
            self._stream.write(json.dumps(record) + "\n")
            self._stream.flush()

    def sync(self) -> None:
        """Flush all lines to disk. A resume point needs the lines of its steps."""
        if self._stream is not None:
            os.fsync(self._stream.fileno())


@contextmanager
def open_metrics(out: Path, *, done: int, first: bool) -> Iterator[Metrics]:
    """Open metrics.jsonl after ``done`` steps; lines of later steps, written by a killed attempt, are removed.

    Raises a RuntimeError if lines of the done steps are missing.
    """
    if not first:
        yield Metrics(None)
        return
    path = out / METRICS
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.is_file() else []
    if len(lines) < done:
        raise RuntimeError(f"{path} has {len(lines)} lines, but the resume point is at step {done}; delete {out}")
    with path.open("w", encoding="utf-8") as stream:
        stream.writelines(lines[:done])
        yield Metrics(stream)


def read_metrics(out: Path) -> list[dict[str, float]]:
    """The records of all steps in metrics.jsonl."""
    return [json.loads(line) for line in (out / METRICS).read_text(encoding="utf-8").splitlines()]


def presented(setup: TrainSetup, steps: int) -> tuple[int, int]:
    """Number of samples (repeats counted) and of their tokens in the first ``steps`` steps."""
    batches = [setup.plan.batch(step) for step in range(steps)]
    return sum(len(batch) for batch in batches), sum(int(setup.data.lengths[batch].sum()) for batch in batches)


def summary(setup: TrainSetup, metrics: list[dict[str, float]], *, parameters: int) -> dict[str, object]:
    """The content of summary.json: steps, model size, final losses, and the samples and tokens of every source.

    ``packed`` says whether samples shared rows. ``checkpoints`` has steps and sources up to each model on the way.
    """
    checkpoints, steps = setup.checkpoints(), setup.plan.steps
    presentations = np.zeros(len(setup.data.source), dtype=np.int64)
    sources_after: dict[int, dict[str, dict[str, object]]] = {}
    for step in range(steps):
        # A batch may hold a sample twice, which `presentations[batch] += 1` would count once.
        np.add.at(presentations, setup.plan.batch(step), 1)
        if step + 1 in (*checkpoints.values(), steps):
            sources_after[step + 1] = _sources(setup, presentations)
    total = _dose(setup, presentations)
    reached = {share: {"steps": after, "sources": sources_after[after]} for share, after in checkpoints.items()}
    return {
        "steps": steps, "samples": total["presentations"], "tokens": total["tokens"],
        "supervised_tokens": total["supervised_tokens"], "parameters": parameters,
        "packed": setup.engine_config.pack, "sources": sources_after[steps],
        "final_loss": final_losses(setup.data.names, metrics),
    } | ({"checkpoints": reached} if reached else {})  # fmt: skip


def _sources(setup: TrainSetup, presentations: np.ndarray) -> dict[str, dict[str, object]]:
    """The ability and dose of every source, of whose samples ``presentations`` [samples] were presented."""
    ability_of = {name: portion.ability for portion in setup.spec.portions for name in portion.sources}
    sources = {}
    for number, name in enumerate(setup.data.names):
        own = np.where(setup.data.source == number, presentations, 0)
        sources[name] = {"ability": ability_of[name], "samples": int((own > 0).sum())} | _dose(setup, own)
    return sources


def _dose(setup: TrainSetup, presentations: np.ndarray) -> dict[str, int]:
    """Totals over samples that are presented ``presentations`` [samples] times each."""
    return {
        "presentations": int(presentations.sum()), "tokens": int((presentations * setup.data.lengths).sum()),
        "supervised_tokens": int((presentations * setup.data.targets).sum()),
    }  # fmt: skip


def final_losses(names: tuple[str, ...], metrics: list[dict[str, float]]) -> dict[str, float]:
    """Each source's mean loss, in nats, over the last of the steps that contain it; no entry for an unseen source.

    The number of steps averaged is 1/20 of all steps of the stage, at least one.
    """
    count = max(1, len(metrics) // FINAL_LOSS_PART)
    last = {name: [line[f"loss/{name}"] for line in metrics if f"loss/{name}" in line][-count:] for name in names}
    return {name: sum(losses) / len(losses) for name, losses in last.items() if losses}
