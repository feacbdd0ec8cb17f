"""SLURM's queue tells which stages are in flight: a job's comment names the file that lists its stages."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path

from sweep.stages.store import Store

SECONDS = 60.0
"""Time limit for SLURM's commands, which otherwise hang for minutes while its controller is down."""

PATIENCE_SECONDS, PAUSE_SECONDS = 600.0, 10.0
"""How long a job waits for a controller that is down before it gives up, and between two tries."""

COMMENT = re.compile(r"dosage=(?P<file>.+?\.json)(;|$)")


@dataclass(frozen=True)
class Queued:
    """A SLURM job or array element: its number, its state, the reason it waits, the file that lists its stages."""

    number: str
    state: str
    reason: str
    file: Path

    @property
    def index(self) -> int:
        """The position in ``file`` of the task that it runs."""
        return int(self.number.partition("_")[2] or 0)


def comment(file: Path, own: str | None) -> str:
    """The comment of a SLURM job that runs tasks of ``file``, with the user's ``own`` comment, if any."""
    return f"dosage={file};{own}" if own else f"dosage={file}"


def command(*words: str, environment: Mapping[str, str] | None = None) -> str:
    """Run a SLURM command and return its output. Raises a ValueError with its error message when it fails."""
    if shutil.which(words[0]) is None:
        raise ValueError(f"{words[0]} is not on PATH, so there is no SLURM here; use hydra/launcher=local")
    try:
        done = subprocess.run(words, capture_output=True, text=True, timeout=SECONDS, env=environment)
    except subprocess.TimeoutExpired:
        raise ValueError(f"{words[0]} has not answered for {SECONDS:.0f} s; is SLURM's controller up?") from None
    if done.returncode:
        message = (done.stderr.strip().splitlines() or [f"exit status {done.returncode}"])[-1]
        raise ValueError(f"{words[0]} failed ({message}); check SLURM with sinfo, or use hydra/launcher=local")
    return done.stdout


def job(number: str) -> dict[str, str]:
    """What SLURM says of one of its jobs, by the names that scontrol uses; nothing where it does not answer."""
    try:
        lines = command("scontrol", "--oneliner", "show", "job", number).split()
    except ValueError:
        return {}
    return dict(word.partition("=")[::2] for word in lines if "=" in word)


def seconds_left(facts: Mapping[str, str]) -> float | None:
    """Seconds until the time limit of the job that `job` described; None without a limit."""
    try:
        return (datetime.fromisoformat(facts["EndTime"]) - datetime.now()).total_seconds()
    except (KeyError, ValueError):
        return None


def requeue(number: str) -> None:
    """Put a running job back into the queue, once SLURM's controller answers, or fail after `PATIENCE_SECONDS`."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            command("scontrol", "requeue", number)
            return
        except ValueError as problem:
            if time.monotonic() > deadline:
                raise
            print(problem, file=sys.stderr)
            time.sleep(PAUSE_SECONDS)


def were_submitted(store: Store) -> bool:
    """Whether any sweep of the store was ever submitted to SLURM; ``squeue`` may be installed without a cluster."""
    return any(store.root.glob("sweeps/*/jobs/*.json"))


def jobs_for(store: Store) -> list[Queued]:
    """All users' SLURM jobs for this store, except those that can never start because a job before them failed."""
    jobs, root = [], store.root.resolve()
    for line in command("squeue", "--noheader", "--array", "--format=%i|%T|%r|%k").splitlines():
        number, state, reason, text = line.split("|", 3)
        match = COMMENT.match(text)
        file = Path(match["file"]).resolve() if match else Path()  # another path may lead to the same store
        if file.is_relative_to(root) and file.exists() and reason != "DependencyNeverSatisfied":
            jobs.append(Queued(number, state, reason, store.root / file.relative_to(root)))
    return jobs


def stages(jobs: Sequence[Queued]) -> dict[str, Queued]:
    """The SLURM job of each stage in flight, by the stage's key."""
    return {key: job for job in jobs for key in _keys(job.file)[job.index]}


@lru_cache(maxsize=1024)
def _keys(file: Path) -> list[list[str]]:
    return [[job["key"] for job in task] for task in json.loads(file.read_bytes())["tasks"]]


def cancel(jobs: Sequence[Queued]) -> None:
    """Cancel jobs, the last submitted first, so that none starts when the job it waits for is cancelled."""
    numbers = [job.number for job in reversed(jobs)]
    for at in range(0, len(numbers), 500):
        command("scancel", *numbers[at : at + 500])


@dataclass(frozen=True)
class Partition:
    """What a partition allows a job: minutes (None: no limit), nodes, and of a node processors, MiB and GPUs."""

    minutes: float | None
    nodes: int
    cpus: int
    mib: int
    gpus: int


def partitions() -> dict[str, Partition]:
    """The partitions by name, with the largest of what their nodes have; the default one also under ''."""
    found: dict[str, Partition] = {}
    for line in command("sinfo", "--noheader", "--format=%P|%l|%D|%c|%m|%G").splitlines():
        name, limit, nodes, cpus, mib, gres = line.split("|", 5)
        gpus = sum(int(count) for count in re.findall(r"gpu:(?:[^:,()]+:)?(\d+)", gres))
        one = Partition(_minutes(limit), int(nodes), _number(cpus), _number(mib), gpus)
        for key in {name.rstrip("*"), *([""] if name.endswith("*") else [])}:
            other = found.get(key, Partition(one.minutes, 0, 0, 0, 0))
            found[key] = Partition(
                one.minutes, one.nodes + other.nodes, max(one.cpus, other.cpus), max(one.mib, other.mib),
                max(one.gpus, other.gpus),
            )  # fmt: skip
    return found


def known_partitions() -> dict[str, Partition]:
    """The partitions as `partitions` tells them; none on a machine without a SLURM that answers."""
    try:
        return partitions() if shutil.which("sinfo") else {}
    except ValueError:
        return {}


def _minutes(limit: str) -> float | None:
    """A time limit as SLURM writes it, ``days-hours:minutes:seconds``, in minutes."""
    if not (match := re.fullmatch(r"(?:(\d+)-)?(?:(\d+):)?(\d+):(\d+)", limit)):
        return None
    days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
    return 24 * 60 * days + 60 * hours + minutes + seconds / 60


def _number(text: str) -> int:
    """A number that SLURM may end with a plus, where nodes differ."""
    return int(re.sub(r"\D.*", "", text) or 0)


def array_limit() -> int:
    """The largest number of tasks that this cluster accepts in one array."""
    match = re.search(r"^MaxArraySize\s*=\s*(\d+)", command("scontrol", "show", "config"), re.MULTILINE)
    return max(1, int(match[1])) if match else 1
