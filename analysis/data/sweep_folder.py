"""What lies beside the table of a sweep: its cells and stages, and in its store what each stage ran on and answered."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

VIEWER = "viewer.jsonl"
"""In the folder of a score: a row an answer, for people (see eval/stages/viewer.py)."""

LOG = "metrics.jsonl"
"""In the folder of a training: a row a logged step, with its loss."""


TIMINGS = "timings.json"
"""Beside it once the training has ended: its speed and memory."""


@dataclass(frozen=True)
class TrainingRun:
    """A training stage that has begun: the sweep and the cell that need it first, which of the cell's stages it is, its
    log, a row a logged step, and how fast it was, once it has ended.
    """

    key: str
    sweep: str
    cell: str
    stage: int
    log: Sequence[Mapping[str, Any]]
    timings: Mapping[str, float]
    running: bool


@dataclass(frozen=True)
class SweepFolder:
    """A sweep as its ``sweep.json`` says: ``cells`` with label, factors, stages and scores; ``stages`` by key.

    ``commit`` is that of the source that planned it, "" where it is not known.
    """

    name: str
    store: Path
    cells: tuple[Mapping[str, Any], ...]
    stages: Mapping[str, Mapping[str, Any]]
    commit: str = ""
    _digests: dict[str, Mapping[str, str]] = field(default_factory=dict, init=False, repr=False, compare=False)

    def folder(self, key: str) -> Path:
        """Where a stage's results lie."""
        return self.store / str(self.stages[key]["kind"]) / key

    def _records(self, key: str) -> Path:
        """Where a stage's records lie: beside its results, or apart where a sweep has removed its model (``keep``)."""
        spent = self.store / "spent" / str(self.stages[key]["kind"]) / key
        return self.folder(key) if self.folder(key).exists() or not spent.exists() else spent

    def record(self, key: str) -> dict[str, Any] | None:
        """On what a stage ran, and for how long; None where it has not run or came with the package."""
        return _json(self._records(key) / "record.json")

    def trainings(self, cell: Mapping[str, Any]) -> Iterator[list[dict[str, Any]]]:
        """The log of every training stage of a cell that has run, in order: a row a logged step."""
        for key in cell["trained"]:
            file = self._records(key) / LOG
            if file.is_file():
                yield _rows(file)

    def digests(self, key: str) -> Mapping[str, str]:
        """The digest of each file of a stage's results, by its name; empty for a stage that is not in the store."""
        if key not in self._digests:
            self._digests[key] = (_json(self.folder(key) / "stage.json") or {}).get("digests", {})
        return self._digests[key]

    def runs(self) -> Iterator[TrainingRun]:
        """Every training stage that has begun in the store, each once."""
        seen = set[str]()
        for cell in self.cells:
            for number, key in enumerate(cell["trained"], start=1):
                own = self._records(key)
                begun = [own] if own.is_dir() else sorted((self.store / "partial").glob(f"train-{key}.*"))
                if key in seen or not begun or not (begun[-1] / LOG).is_file():
                    continue
                seen.add(key)
                rows, timings = _rows(begun[-1] / LOG), _json(begun[-1] / TIMINGS) or {}
                yield TrainingRun(key, self.name, str(cell["label"]), number, rows, timings, not own.is_dir())

    def dollars(self) -> tuple[float, float] | None:
        """What judges have cost and may cost in dollars; None for a sweep without one that is paid."""
        runs = [stage["how"] for stage in self.stages.values() if isinstance(stage.get("how"), dict)]
        paid = {(str(run["cache"]), str(run["ledger"])): float(run["dollars"]) for run in runs if "ledger" in run}
        if not paid:
            return None
        files = [f for cache, ledger in paid for f in (self.store / cache / "spent" / ledger).glob("*.jsonl")]
        lines = [line for file in files for line in file.read_text(encoding="utf-8").split("\n")[:-1]]
        return sum(float(json.loads(line)["dollars"]) for line in lines), sum(paid.values())

    def answers(self) -> Iterator[tuple[str, str, str, Path]]:
        """Cell, ability, task and file of every score that people can read."""
        for cell in self.cells:
            for task, score in cell["scores"].items():
                file = self.folder(score["key"]) / VIEWER
                if file.is_file():
                    yield str(cell["label"]), str(score["ability"]), str(task), file

    def data_files(self) -> dict[str, str]:
        """The digest of every file of the user that a stage read, by its name."""
        inputs = (node for stage in self.stages.values() for node in stage["inputs"].values())
        files = {str(node.get("path", "")): str(node["digest"]) for node in inputs if "digest" in node}
        return dict(sorted(files.items()))


def sweep_folders(tables: Sequence[Path]) -> list[SweepFolder]:
    """The sweeps whose tables these are; a table of one's own has none."""
    return [folder for table in tables if (folder := _read(table.parent)) is not None]


def _read(folder: Path) -> SweepFolder | None:
    saved = _json(folder / "sweep.json")
    if saved is None or not {"cells", "jobs"} <= set(saved):
        return None
    stages = {str(job["key"]): job for job in saved["jobs"]}
    return SweepFolder(folder.name, folder.parent.parent, tuple(saved["cells"]), stages, str(saved.get("commit", "")))


def _rows(file: Path) -> list[dict[str, Any]]:
    """The rows of a log; a last line that is still being written is left out."""
    try:
        text = file.read_text(encoding="utf-8")
    except OSError:  # the stage has ended, or was begun anew, since the file was found
        return []
    return [json.loads(line) for line in text.split("\n")[:-1] if line]


def _json(file: Path) -> dict[str, Any] | None:
    try:
        read = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return read if isinstance(read, dict) else None
