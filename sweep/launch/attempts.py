"""Why a task stopped, how often, and whether it advanced: what decides if it is started once more."""

from __future__ import annotations

import contextlib
import json
import re
import signal
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from common.cgroup import MOUNTED, PROC, memory_folders
from common.json_file import write_json
from sweep.stages.store import Store
from sweep.stages.worker import Job, less_memory, memory_estimate

TRIES = 3
"""How often a task that does not advance is started before it counts as failed."""

OUT_OF_MEMORY = "out of memory on the host"
TIME_LIMIT = "time limit"
PREEMPTED = "preempted"
NODE_FAILURE = "node failure, or requeued by SLURM"
STOPPED = "told to stop"
CANCELLED = "cancelled"
HUNG = "a rank hung"

BLAMELESS = (PREEMPTED, NODE_FAILURE, STOPPED, CANCELLED)
"""Causes that say nothing about the task."""

ALIVE = ("RUNNING", "SUSPENDED", "STOPPED")
"""What SLURM calls a job that it has not ended."""

POINT = re.compile(r"step-(\d+)")

Progress = tuple[int, int, int]
"""How far a task is: stages stored; of the first one missing the newest resume point's step, and bytes of answers or
replies that its judges' cache holds."""

START: Progress = (0, 0, 0)


def progress(jobs: Iterable[Job]) -> Progress:
    """How far the jobs of a task are."""
    stored = 0
    for job in jobs:
        store = Store(job.store)
        if store.path(job.stage).exists():
            stored += 1
            continue
        folders = list((store.root / "partial").glob(f"{job.stage.name}.*"))
        steps = [int(m[1]) for f in folders for p in f.glob("resume/*") if (m := POINT.fullmatch(p.name))]
        answers = sum(path.stat().st_size for f in folders for path in f.glob("responses*"))
        return stored, max(steps, default=0), answers + _replies(job)
    return stored, 0, 0


def _replies(job: Job) -> int:
    """How many replies the cache of a score's judges holds. Another score may add to it, which does no harm here."""
    return sum(1 for _ in job.replies.glob("*/*/*.json")) if job.replies else 0


@dataclass
class Attempts:
    """The starts of one task, the oldest first: how far it was at each, and why that start ended, if it is known."""

    starts: list[tuple[Progress, str]] = field(default_factory=list)

    def begin(self, now: Progress) -> None:
        """Note a start. One before it that left no cause ended with its node, or by SLURM's own requeue."""
        if self.starts and not self.starts[-1][1]:
            self.end(NODE_FAILURE)
        self.starts.append((now, ""))

    def end(self, cause: str) -> None:
        """Note why the newest start ended."""
        self.starts[-1] = (self.starts[-1][0], cause)

    def stuck(self, now: Progress, blameless: int) -> bool:
        """Whether the task has stopped too often since it last advanced, also if only SLURM is to blame."""
        causes = [cause for at, cause in self.starts if at >= now]
        own = [cause for cause in causes if cause not in BLAMELESS]
        return len(own) >= TRIES or len(causes) - len(own) > blameless

    def summary(self) -> str:
        """The causes with their counts, in words: ``time limit (3 times), preempted``."""
        counts: dict[str, int] = {}
        for _, cause in self.starts:
            if cause:
                counts[cause] = counts.get(cause, 0) + 1
        return ", ".join(cause + (f" ({count} times)" if count > 1 else "") for cause, count in counts.items())

    def save(self, path: Path) -> None:
        write_json(path, {"starts": self.starts})

    @staticmethod
    def load(path: Path) -> Attempts:
        """The attempts saved in ``path``; none where there is no such file, or a kill has left it unreadable."""
        try:
            listed = json.loads(path.read_bytes())["starts"]
            return Attempts([((int(a), int(b), int(c)), str(cause)) for (a, b, c), cause in listed])
        except (OSError, ValueError, KeyError, TypeError):
            return Attempts()


def is_out_of_memory(status: int, said: str) -> bool:
    """Whether srun's end means that SLURM killed a rank for its memory."""
    return status in (125, 253) or bool(re.search(r"oom.?kill|out.of.memory handler", said, re.IGNORECASE))


def oom_kills(proc: Path = PROC, mounted: Path = MOUNTED) -> int:
    """How many processes the kernel has killed for memory: in this process's SLURM job or cgroup, else on this machine.

    The number only grows, so a larger one after a process was killed tells why.
    """
    folders = memory_folders(proc, mounted)
    jobs = [folder for folder in folders if re.fullmatch(r"job_\d+", folder.name)]  # the ranks' cgroups lie below
    files = [folder / name for folder in jobs or folders for name in ("memory.events", "memory.oom_control")]
    for file in (*files, proc / "vmstat"):
        with contextlib.suppress(OSError):
            if found := re.search(r"^oom_kill (\d+)$", file.read_text(), re.MULTILINE):
                return int(found[1])
    return 0


def cause(
    status: int, said: str, job: Mapping[str, str], left: float | None, delay: float, *, oom_kill: bool = False
) -> str:
    """Why srun, or a local process, ended with ``status``. ``said`` is the end of what it wrote.

    ``job`` holds what SLURM says of the job, ``left`` the seconds until its time limit, and ``delay`` how long before
    that SLURM warns it. ``oom_kill`` says that the kernel has killed a process for memory meanwhile.
    """
    if said == HUNG:
        return HUNG
    killed = status in (-signal.SIGKILL, 128 + signal.SIGKILL)
    if is_out_of_memory(status, said) or (killed and oom_kill) or job.get("JobState") == "OUT_OF_MEMORY":
        return OUT_OF_MEMORY
    if "TIME LIMIT" in said or job.get("JobState") == "TIMEOUT":
        return TIME_LIMIT
    if "PREEMPTION" in said or job.get("PreemptTime", "None") not in ("None", "N/A"):
        return PREEMPTED
    if "NODE FAIL" in said or "JOB REQUEUE" in said or job.get("JobState") == "NODE_FAIL":
        return NODE_FAILURE
    if job.get("JobState", "RUNNING") not in ALIVE:  # its end is then now, whatever its time limit
        return CANCELLED
    if left is not None and left < delay + 60:
        return TIME_LIMIT
    number = -status if status < 0 else status - 128
    if number > signal.SIGRTMAX:
        return f"srun itself failed with status {status}"
    if number > 0:
        return f"killed by signal {number}" + (", as the kernel does when memory runs out" if number == 9 else "")
    return STOPPED


def remedy(cause: str, job: Job, part: str) -> str:
    """What to do about a cause, with the plan's estimate beside it; '' where nothing helps but time."""
    need = f"{memory_estimate(job)}; " if job.gib else ""
    if cause == OUT_OF_MEMORY or "memory runs out" in cause:
        return need + (f"raise hydra.launcher.{part}.mem_gb, or " if part else "") + less_memory(job)
    if cause == TIME_LIMIT:
        return (
            f"the plan's estimate is {job.seconds / 60:.0f} min; raise hydra.launcher.{part}.timeout_min, or lower "
            "engine.checkpoint_minutes, so that each start leaves a resume point"
        )
    return ""


def give_up(jobs: Iterable[Job], attempts: Attempts, part: str) -> str:
    """Record the failure of the first missing stage of a task; return the sentence that says why."""
    for job in jobs:
        store = Store(job.store)
        if not store.path(job.stage).exists():
            last = attempts.starts[-1][1]
            words = [f"{last}: stopped {len(attempts.starts)} times, the last without having advanced"]
            line = "; ".join([*words, *filter(None, [remedy(last, job, part)])])
            failure: dict[str, Any] = {
                "error": line,
                "attempts": len(attempts.starts),
                "log": str(store.log(job.stage)),
            }
            store.failure(job.stage).parent.mkdir(parents=True, exist_ok=True)
            write_json(store.failure(job.stage), failure | {"causes": attempts.summary()})
            return line
    return ""
