"""What a training stage writes about itself: a line a step, and a summary at the end."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import numpy as np

from train.step import Job

METRICS = "metrics.jsonl"
LAST_SHARE = 20  # the final loss is the mean over the last twentieth of the steps


class Metrics:
    """metrics.jsonl, one line a step; writes nothing where there is no stream."""

    def __init__(self, stream: IO[str] | None) -> None:
        self._stream = stream

    def write(self, record: Mapping[str, float]) -> None:
        """Append one step; with the operating system before the next one starts."""
        if self._stream is not None:
            self._stream.write(json.dumps(record) + "\n")
            self._stream.flush()

    def sync(self) -> None:
        """Have all lines on disk, before a resume point relies on them."""
        if self._stream is not None:
            os.fsync(self._stream.fileno())


@contextmanager
def open_metrics(out: Path, *, done: int, first: bool) -> Iterator[Metrics]:
    """The metrics of a run of which ``done`` steps are done: later lines, of a killed attempt, are cut off."""
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
    """All lines of metrics.jsonl."""
    return [json.loads(line) for line in (out / METRICS).read_text(encoding="utf-8").splitlines()]


def shown_before(job: Job, done: int) -> tuple[int, int]:
    """Samples and tokens shown in the first ``done`` steps."""
    batches = [job.plan.batch(number) for number in range(done)]
    return sum(len(batch) for batch in batches), sum(int(job.data.lengths[batch].sum()) for batch in batches)


def summary(job: Job, metrics: list[dict[str, float]], *, parameters: int) -> dict[str, object]:
    """The realised dose of every source, and the final losses."""
    data, shown = job.data, np.zeros(len(job.data.source), dtype=np.int64)
    for number in range(job.plan.steps):
        np.add.at(shown, job.plan.batch(number), 1)
    ability = {name: portion.ability for portion in job.spec.portions for name in portion.sources}
    sources = {}
    for number, name in enumerate(data.names):
        times = np.where(data.source == number, shown, 0)
        sources[name] = {"ability": ability[name], "samples": int((times > 0).sum())} | _dose(job, times)
    total = _dose(job, shown)
    return {
        "steps": job.plan.steps, "samples": total["presentations"], "tokens": total["tokens"],
        "supervised_tokens": total["supervised_tokens"], "parameters": parameters, "sources": sources,
        "final_loss": final_losses(data.names, metrics),
    }  # fmt: skip


def _dose(job: Job, times: np.ndarray) -> dict[str, int]:
    return {
        "presentations": int(times.sum()), "tokens": int((times * job.data.lengths).sum()),
        "supervised_tokens": int((times * job.data.targets).sum()),
    }  # fmt: skip


def final_losses(names: tuple[str, ...], metrics: list[dict[str, float]]) -> dict[str, float]:
    """Mean loss of each source over the last twentieth of the steps that held it; a source never seen has none."""
    count = max(1, len(metrics) // LAST_SHARE)
    seen = {name: [line[f"loss/{name}"] for line in metrics if f"loss/{name}" in line][-count:] for name in names}
    return {name: sum(values) / len(values) for name, values in seen.items() if values}
