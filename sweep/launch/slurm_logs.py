"""The files that SLURM wrote for the jobs of a sweep, found by the file that lists their stages."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sweep.launch.attempts import OUT_OF_MEMORY, is_out_of_memory, remedy
from sweep.launch.tasks import part_of
from sweep.stages.store import Store
from sweep.stages.worker import Job

REQUEST = "slurm.json"
"""The file in a sweep's folder that holds what it last asked SLURM for."""

TAIL = 4096
"""Bytes at the end of a log in which SLURM says why it ended a job."""

STOPPED_LINE = re.compile(r"^stopped: (.+)$", re.MULTILINE)
"""How a job notes the cause of its end in its log."""


@dataclass(frozen=True)
class Place:
    """Where the logs of a task lie: the folder of its array, its place there, and the number of tasks."""

    folder: Path
    index: int
    count: int

    def files(self) -> list[Path]:
        """SLURM's logs of the task that say something, the oldest first."""
        return sorted((path for path in self._all() if path.stat().st_size), key=lambda path: path.stat().st_mtime)

    @property
    def started(self) -> bool:
        """Whether a job of the task has ever run."""
        return bool(self._all())

    def _all(self) -> list[Path]:
        return list(self.folder.glob(f"*_{self.index}_0_log.*" if self.count > 1 else "*_0_log.*"))

    def why(self, job: Job, facts: Mapping[str, str]) -> str:
        """What is known of the end of a SLURM job that left no result: a cause with its remedy, and the newest log.

        ``facts`` is what SLURM still says of the job, as of one that it killed for memory with its batch script.
        """
        files = self.files()
        said = files[-1].read_bytes()[-TAIL:].decode(errors="replace") if files else ""
        known = is_out_of_memory(0, said) or facts.get("JobState") == "OUT_OF_MEMORY"
        noted = STOPPED_LINE.findall(said)
        if known:
            parts = [OUT_OF_MEMORY, remedy(OUT_OF_MEMORY, job, part_of(job))]
        elif noted:
            parts = [noted[-1]]
        else:  # it never came as far as to tell
            told = [facts.get(name, "None") for name in ("JobState", "Reason")]
            parts = [" for ".join(word for word in told if word not in ("None", "COMPLETING"))]
            parts += said.strip().splitlines()[-1:]
        return "; ".join(filter(None, [*parts, f"SLURM's log: {files[-1]}" if files else ""]))


def submitted(store: Store, name: str) -> dict[str, Place]:
    """Where SLURM's logs of each stage lie that was ever submitted for a sweep, by key; of the last submission."""
    places: dict[str, Place] = {}
    folder = store.sweep(name)
    own = _own_folder(folder)
    for file in sorted((folder / "jobs").glob("*.json"), key=lambda path: path.stat().st_mtime):
        tasks = json.loads(file.read_bytes())["tasks"]
        for index, task in enumerate(tasks):
            place = Place(folder_of(own, folder) / file.stem, index, len(tasks))
            places |= {job["key"]: place for job in task}
    return places


def folder_of(own: str | None, folder: Path) -> Path:
    """Where SLURM's logs of a sweep with this ``folder`` lie, with the user's ``own`` place for them, if any.

    A ``%j``, which stands in Hydra's own default for the number of a job, has no folder: each array has one.
    """
    return Path((own or str(folder / "slurm")).replace("%j", "jobs")).absolute()


def _own_folder(folder: Path) -> str | None:
    """The folder that the user's launcher gave for logs, if any."""
    try:
        settings = json.loads((folder / REQUEST).read_bytes())["settings"]
        own = settings[0]["submitit_folder"]
    except (OSError, ValueError, KeyError, IndexError, TypeError):
        return None
    return str(own) if own else None
