"""What lies beside the table of a sweep: its cells and stages, and in its store what each stage ran on and answered."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

VIEWER = "viewer.jsonl"
"""In the folder of a score: a row an answer, for people (see eval/stages/viewer.py)."""


@dataclass(frozen=True)
class SweepFolder:
    """A sweep as its ``sweep.json`` says: ``cells`` with label, factors, stages and scores; ``stages`` by key."""

    name: str
    store: Path
    cells: tuple[Mapping[str, Any], ...]
    stages: Mapping[str, Mapping[str, Any]]

    def folder(self, key: str) -> Path:
        """Where a stage's results lie."""
        return self.store / str(self.stages[key]["kind"]) / key

    def record(self, key: str) -> dict[str, Any] | None:
        """On what a stage ran, and for how long; None where it has not run or came with the package."""
        return _json(self.folder(key) / "record.json")

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
    return SweepFolder(folder.name, folder.parent.parent, tuple(saved["cells"]), stages)


def _json(file: Path) -> dict[str, Any] | None:
    try:
        read = json.loads(file.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return read if isinstance(read, dict) else None
