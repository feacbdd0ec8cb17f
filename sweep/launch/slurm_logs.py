"""The files that SLURM wrote for the jobs of a sweep, found by the file that lists their stages."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sweep.launch.attempts import OUT_OF_MEMORY, is_out_of_memory, remedy
from sweep.launch.tasks import part_of
from sweep.stages.store import Store
from sweep.stages.worker import Job

TAIL = 4096
"""Bytes at the end of a log in which SLURM says why it ended a job."""


@dataclass(frozen=True)
class Place:
    """Where the logs of a task lie: the folder of its array, its place there, and the number of tasks."""

    folder: Path
    index: int
    count: int

    def files(self) -> list[Path]:
        """SLURM's logs of the task that say something, the oldest first."""
        pattern = f"*_{self.index}_0_log.*" if self.count > 1 else "*_0_log.*"
        found = [path for path in self.folder.glob(pattern) if path.stat().st_size]
        return sorted(found, key=lambda path: path.stat().st_mtime)

    def why(self, job: Job, facts: Mapping[str, str]) -> str:
        """What is known of the end of a SLURM job that left no result: a cause with its remedy, and the newest log.

        ``facts`` is what SLURM still says of the job, as of one that it killed for memory with its batch script.
        """
        files = self.files()
        said = files[-1].read_bytes()[-TAIL:].decode(errors="replace") if files else ""
        known = is_out_of_memory(0, said) or facts.get("JobState") == "OUT_OF_MEMORY"
        parts = [OUT_OF_MEMORY, remedy(OUT_OF_MEMORY, job, part_of(job))] if known else []
        return "; ".join([*parts, *([f"SLURM's log: {files[-1]}"] if files else [])])


def submitted(store: Store, name: str) -> dict[str, Place]:
    """Where SLURM's logs of each stage lie that was ever submitted for a sweep, by key; of the last submission."""
    places: dict[str, Place] = {}
    folder = store.sweep(name)
    own = _own_folder(folder)
    for file in sorted((folder / "jobs").glob("*.json"), key=lambda path: path.stat().st_mtime):
        tasks = json.loads(file.read_bytes())["tasks"]
        for index, task in enumerate(tasks):
            place = Place((own or folder / "slurm") / file.stem, index, len(tasks))
            places |= {job["key"]: place for job in task}
    return places


def _own_folder(folder: Path) -> Path | None:
    """The folder that the user's launcher gave for logs, if any."""
    try:
        settings = json.loads((folder / "slurm.json").read_bytes())["settings"]
        own = settings[0]["submitit_folder"]
    except (OSError, ValueError, KeyError, IndexError, TypeError):
        return None
    return Path(own).absolute() if own else None
