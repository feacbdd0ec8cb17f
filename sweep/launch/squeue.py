"""SLURM's own queue as the register of what is in flight. No file says so: a job's comment names its frozen stages."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from sweep.stages.store import Store

SECONDS = 60.0
"""SLURM's commands wait for minutes while the controller is down; ours say so sooner."""

COMMENT = re.compile(r"dosage=(?P<file>.+?\.json)(;|$)")


@dataclass(frozen=True)
class Queued:
    """One SLURM job or element of an array: its number, its state, why it waits, the file its stages are frozen in."""

    number: str
    state: str
    reason: str
    file: Path

    @property
    def index(self) -> int:
        """Which task of the file it runs."""
        return int(self.number.partition("_")[2] or 0)


def comment(file: Path, own: str | None) -> str:
    """The comment of a SLURM job that runs tasks of ``file``; ``own`` is what the user has to say."""
    return f"dosage={file};{own}" if own else f"dosage={file}"


def command(*words: str) -> str:
    """Run one of SLURM's commands and return what it prints; raise a ValueError with its complaint."""
    if shutil.which(words[0]) is None:
        raise ValueError(f"{words[0]} is not on PATH, so there is no SLURM here; use hydra/launcher=local")
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        raise ValueError(f"{words[0]} has not answered for {SECONDS:.0f} s; is SLURM's controller up?") from None
    if done.returncode:
        said = " ".join(done.stderr.split())
        raise ValueError(f"{words[0]} failed ({said}); see that SLURM answers here, or use hydra/launcher=local")
    return done.stdout


def look(store: Store) -> list[Queued]:
    """Everybody's SLURM jobs that work for this store, but for those that SLURM removes because a parent failed."""
    found = []
    for line in command("squeue", "--noheader", "--array", "--format=%i|%T|%r|%k").splitlines():
        number, state, reason, text = line.split("|", 3)
        match = COMMENT.match(text)
        file = Path(match["file"]) if match else Path()
        if file.is_relative_to(store.root) and file.exists() and reason != "DependencyNeverSatisfied":
            found.append(Queued(number, state, reason, file))
    return found


def stages(jobs: Sequence[Queued]) -> dict[str, Queued]:
    """The SLURM job that each stage in flight belongs to, by the stage's key."""
    return {key: job for job in jobs for key in _keys(job.file)[job.index]}


@lru_cache(maxsize=1024)
def _keys(file: Path) -> list[list[str]]:
    return [[job["key"] for job in task] for task in json.loads(file.read_bytes())["tasks"]]


def cancel(jobs: Sequence[Queued]) -> None:
    """Cancel jobs, the last submitted first, so that none starts because its parent is gone."""
    numbers = [job.number for job in reversed(jobs)]
    for at in range(0, len(numbers), 500):
        command("scancel", *numbers[at : at + 500])


def array_limit() -> int:
    """The most tasks that this SLURM takes in one array."""
    match = re.search(r"^MaxArraySize\s*=\s*(\d+)", command("scontrol", "show", "config"), re.MULTILINE)
    return max(1, int(match[1])) if match else 1
