"""Inside a SLURM job: the batch script's Python starts one process a rank through srun and judges by the store."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from common.json_file import write_json
from sweep.launch.tasks import inputs
from sweep.stages.stage import plain, restore
from sweep.stages.store import Store
from sweep.stages.worker import AGAIN, Job, perform

KILLED = 128
"""srun's exit status is above this when a rank was killed by a signal."""


@dataclass(frozen=True)
class Step:
    """How a task's processes are started, and how often the job may be put back into the queue."""

    nodes: int
    tasks_per_node: int
    cpus_per_task: int
    srun_args: tuple[str, ...]
    requeues: int

    @property
    def ranks(self) -> int:
        return self.nodes * self.tasks_per_node


def freeze(file: Path, step: Step, tasks: list[tuple[Job, ...]]) -> None:
    """Write what the jobs of one array will read, whole or not at all."""
    write_json(file, {"step": plain(step), "tasks": [[job.to_json() for job in jobs] for jobs in tasks]})


def run(file: str, index: int) -> None:
    """Run task ``index`` of a frozen file: what submitit calls in the batch script, outside srun.

    Ends well only when every stage is in the store: by the exit status SLURM starts or cancels what depends on the job.
    A task that was killed or asked to stop goes back into the queue.
    """
    step, jobs = _thaw(Path(file), index)
    number = os.environ["SLURM_JOB_ID"]
    restart = int(os.environ.get("SLURM_RESTART_COUNT", "0"))
    if _done(jobs):
        return
    status = subprocess.run(_srun(step, file, index, f"slurm{number}-{restart}"), env=_environment(step)).returncode
    if _done(jobs):  # the folders decide: gloo may abort a rank at exit after all is saved
        return
    if status != AGAIN and 0 <= status < KILLED:
        sys.exit(1)
    _requeue(number, restart, step.requeues)


def _thaw(file: Path, index: int) -> tuple[Step, list[Job]]:
    frozen: dict[str, Any] = json.loads(file.read_bytes())
    return restore(Step, frozen["step"]), [Job.from_json(value) for value in frozen["tasks"][index]]


def _done(jobs: list[Job]) -> bool:
    return all(Store(job.store).has(job.stage) for job in jobs)


def _srun(step: Step, file: str, index: int, owner: str) -> list[str]:
    return [
        "srun", f"--nodes={step.nodes}", f"--ntasks={step.ranks}", f"--ntasks-per-node={step.tasks_per_node}",
        f"--cpus-per-task={step.cpus_per_task}", "--kill-on-bad-exit=1", "--unbuffered", *step.srun_args,
        sys.executable, "-P", "-m", "sweep.launch.step", file, str(index), owner,
    ]  # fmt: skip


def _environment(step: Step) -> dict[str, str]:
    """The environment of all ranks. The first rank runs here, on the first node, so its address and port are known."""
    quiet = {"TOKENIZERS_PARALLELISM": "false", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "TQDM_DISABLE": "1"}
    shared = {"OMP_NUM_THREADS": str(step.cpus_per_task)}
    if step.ranks > 1:
        with socket.socket() as probe:
            probe.bind(("", 0))
            shared |= {"MASTER_ADDR": socket.gethostname(), "MASTER_PORT": str(probe.getsockname()[1])}
    return {**os.environ, **quiet, **shared}


def _requeue(number: str, restart: int, limit: int) -> NoReturn:
    """Put this job back into the queue, unless it is being cancelled or has been put back too often."""
    state = subprocess.run(["squeue", "-h", "-j", number, "-o", "%T"], capture_output=True, text=True).stdout.strip()
    if restart >= limit:
        sys.exit(f"put back into the queue {restart} times already; raise hydra.launcher.max_num_timeout to go on")
    if state == "RUNNING":
        subprocess.run(["scontrol", "requeue", number], check=True)
    sys.exit(AGAIN)


def main(arguments: list[str]) -> int:
    """``python -m sweep.launch.step FILE INDEX OWNER``: one rank of a task, under srun. Returns its exit status."""
    file, index, owner = arguments
    for number in (signal.SIGTERM, signal.SIGUSR2):  # the end is near; training has its own, gentler handlers
        signal.signal(number, lambda *_: sys.exit(AGAIN))
    step, jobs = _thaw(Path(file), int(index))
    if step.ranks > 1:
        os.environ.update(_rank())
    statuses = []
    for job in jobs:
        _log_to(Store(job.store).log(job.stage))
        lacking = [node for node in inputs(job.stage) if not (Path(job.store) / node.kind / node.key).exists()]
        if lacking:
            print(f"left out: {', '.join(f'{node.kind}-{node.key}' for node in lacking)} is not in the store")
            continue
        status = perform(job, owner)
        if status == AGAIN:
            return AGAIN
        statuses.append(status)
    return max(statuses, default=1)


def _rank() -> dict[str, str]:
    """The variables of torch.distributed, from SLURM's. A rank that sees one GPU alone counts it as its first."""
    alone = os.environ.get("CUDA_VISIBLE_DEVICES", "").isdigit()
    return {
        "RANK": os.environ["SLURM_PROCID"],
        "WORLD_SIZE": os.environ["SLURM_NTASKS"],
        "LOCAL_RANK": "0" if alone else os.environ["SLURM_LOCALID"],
        "LOCAL_WORLD_SIZE": str(int(os.environ["SLURM_NTASKS"]) // int(os.environ["SLURM_NNODES"])),
    }


def _log_to(path: Path) -> None:
    """Send everything that is printed from now on to the end of ``path``."""
    sys.stdout.flush()
    sys.stderr.flush()
    path.parent.mkdir(parents=True, exist_ok=True)
    stream = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(stream, 1)
    os.dup2(stream, 2)
    os.close(stream)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
