"""What the runs of a sweep in W&B hold, read from the store: one for each training stage and one for each cell.

Everything here follows from the store alone, so it can be sent again at any time.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from common import axes
from sweep.config.strategy import Moment
from sweep.results import table
from sweep.results.saved_sweep import Measured, SavedCell, SavedSweep
from sweep.stages.stage import Stage, plain
from sweep.stages.store import Store

METRICS = "metrics.jsonl"
"""The file of a training stage with a line for each step."""

VIEWER = "viewer.jsonl"
"""The file of a score with a row for each answer, for people."""

LONGEST_TAG = 64
"""Letters that a tag of W&B may have."""

Row = Mapping[str, Any]


@dataclass(frozen=True)
class Run:
    """One run: its id, labels, config and x axes, of which the first is that of all plots.

    ``rows`` reads what was logged so far, in the order of their numbers, which stand under ``counter`` and are 1, 2 and
    so on where that is empty; ``tables`` are files of rows that are shown as tables, by name. ``state`` is 'finished',
    'failed', 'stopped' (it can go on) or 'running'. ``source`` names what the rows follow from where that is fixed, so
    that they need not be read to see that they have been sent.
    """

    id: str
    name: str
    kind: str
    tags: tuple[str, ...]
    config: Mapping[str, Any]
    axes: tuple[str, ...]
    counter: str
    rows: Callable[[], list[Row]]
    state: str
    summary: Mapping[str, Any] = field(default_factory=dict)
    tables: Mapping[str, Path] = field(default_factory=dict)
    source: str = ""

    def digest(self) -> str:
        """A digest of all that the run holds."""
        labels = [self.name, self.kind, self.tags, self.config, self.axes, self.state]
        content = [*labels, self.summary, sorted(self.tables), self.source or self.rows()]
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


class Content:
    """The runs of a saved sweep; with ``answers`` those of cells hold the answers of every task."""

    def __init__(self, saved: SavedSweep, store: Store, *, answers: bool) -> None:
        self.saved, self.store, self.answers = saved, store, answers
        self.keys = axes.swept([cell.factors for cell in saved.cells])
        self.cells_of: dict[str, list[SavedCell]] = {}
        for cell in saved.cells:
            for key in cell.trained:
                self.cells_of.setdefault(key, []).append(cell)

    def runs(self, stages: Collection[str] = (), without: Collection[str] = ()) -> Iterator[Run]:
        """The runs that have anything to show, but not those ``without`` which they are asked for, by id.

        With keys of ``stages`` only the runs that show one of them.
        """
        for key, cells in self.cells_of.items():
            if key not in without and (not stages or key in stages) and (run := self._training(key, cells)):
                yield run
        for cell in self.saved.cells:
            scores = self.saved.measured(cell)
            if self._id(cell) in without or (stages and not any(s.job.stage.key in stages for s in scores)):
                continue
            if run := self._evaluation(cell, scores):
                yield run

    def _id(self, cell: SavedCell) -> str:
        """The id of a cell's run. The same cell in another sweep has a run of its own, in that sweep's group."""
        return f"cell-{cell.key}-{hashlib.sha256(self.saved.name.encode()).hexdigest()[:8]}"

    def _training(self, key: str, cells: Sequence[SavedCell]) -> Run | None:
        """The run of a training stage; None before its first step, and where another store has trained it."""
        job = self.saved.jobs[key]
        places = [place for place in (self.store.own(job.stage), self.store.spent(job.stage)) if place.exists()]
        finished = bool(places)
        folder = places[0] if places else self._unfinished(job.stage)
        if folder is None or not (folder / METRICS).exists():
            return None
        # Axes and tags on which all cells of the stage agree: a base model, for instance, has no amount of data.
        own = [axes.typed_axes(cell.factors, self.keys) for cell in cells]
        agreed = {name: value for name, value in own[0].items() if all(other.get(name) == value for other in own)}
        tags = [tag for tag in self._tags(cells[0]) if all(tag in self._tags(cell) for cell in cells)]
        return Run(
            key, job.title.removeprefix("train "), "train", tuple(tags), agreed | {"stage": plain(job.stage.spec)},
            ("tokens", "samples"), "step", lambda: read_lines(folder / METRICS),
            "finished" if finished else self._state(job.stage), _timings(folder), source=key if finished else "",
        )  # fmt: skip

    def _unfinished(self, stage: Stage) -> Path | None:
        """The folder in which the stage is being built, or was until it stopped. An attempt takes over the last one."""
        return next(self.store.root.glob(f"partial/{stage.name}.*"), None)

    def _state(self, stage: Stage) -> str:
        if self.store.owner(stage):
            return "running"
        return "failed" if self.store.failure(stage).exists() else "stopped"

    def _tags(self, cell: SavedCell) -> list[str]:
        return [tag[:LONGEST_TAG] for tag in axes.tags(cell.factors, self.keys)]

    def _evaluation(self, cell: SavedCell, scores: Sequence[Measured]) -> Run | None:
        """The run of a cell's scores, with a row a moment at which it is measured; None before the first score.

        A row is logged once all scores up to its moment are there; the summary has those of the finished model that
        are.
        """
        rows: list[Row] = []
        summary: Row = {}
        moments = list(dict.fromkeys(score.moment for score in scores))
        for place, moment in enumerate(moments):
            own = [score for score in scores if score.moment == moment]
            found = [score for score in own if (self.store.path(score.job.stage) / "summary.json").exists()]
            row = self._axes(cell, moment) if found else {}
            if found and len(found) == len(own) and len(rows) == place:
                rows.append(row | {name: m["value"] for score in found for name, m in self._metrics(score)})
            summary = row | {
                f"{name}/{part}" if part != "value" else name: value
                for score in found
                for name, metric in self._metrics(score)
                for part, value in metric.items()
            }
        if not rows and not summary:
            return None
        config = axes.typed_axes(cell.factors, self.keys) | {"cell": cell.label, "cell_key": cell.key}
        folders = {score.task: self.store.path(score.job.stage) for score in scores if score.moment == moments[-1]}
        tables = {f"answers/{task}": folder / VIEWER for task, folder in folders.items()} if self.answers else {}
        return Run(
            self._id(cell), cell.label, "score",
            tuple(self._tags(cell)), config, ("samples", "tokens", "after_stage"), "", lambda: rows,
            "finished" if len(rows) == len(moments) else "stopped", summary,
            {name: file for name, file in tables.items() if file.exists()},
        )  # fmt: skip

    def _axes(self, cell: SavedCell, moment: Moment) -> dict[str, Any]:
        """What a cell's model was trained on up to a moment; only the stage's number where no summary says it."""
        model = table.model_factors(self.saved, cell, moment, self.store)
        known = {"tokens": model["tokens"], "samples": model["presentations"]} if "tokens" in model else {}
        return {"after_stage": moment.after_stage} | known

    def _metrics(self, score: Measured) -> Iterator[tuple[str, dict[str, float]]]:
        """Each metric of a score, named ABILITY/TASK/METRIC: value, stderr, n_items, and low and high of its interval.

        The interval of 95 % is missing where an earlier version made the score.
        """
        content = json.loads((self.store.path(score.job.stage) / "summary.json").read_bytes())
        for metric in content["metrics"]:
            name = f"{score.ability}/{score.task}/{metric['metric']}"
            ends = content.get("intervals", {}).get(metric["metric"], ())
            measured = {part: metric[part] for part in ("value", "stderr", "n_items")}
            yield name, measured | dict(zip(("low", "high"), ends, strict=False))


def _timings(folder: Path) -> Row:
    """How fast a training stage was and the memory it took, in its last attempt; empty before its end."""
    file = folder / "timings.json"
    timings = json.loads(file.read_bytes()) if file.exists() else {}
    units = {"tokens_per_second": ("tokens_per_second", 1), "peak_memory_gib": ("peak_memory_bytes", 2**30)}
    # Stages of older releases lack the memory.
    return {name: timings[key] / unit for name, (key, unit) in units.items() if key in timings}


def read_lines(file: Path, most: int | None = None) -> list[Row]:
    """The rows of a file of JSON lines, ``most`` at most. A line that is still being written is left out.

    None of a file that has gone: its stage was published in this moment, and the next look finds it there.
    """
    rows: list[Row] = []
    with contextlib.suppress(FileNotFoundError), file.open(encoding="utf-8") as lines:
        for line in lines:
            if len(rows) == most or not line.endswith("\n"):
                break
            rows.append(json.loads(line))
    return rows
