"""Inside a SLURM job: the batch script starts one process per rank through srun, then looks into the store."""

from __future__ import annotations

import contextlib
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
from sweep.stages import claims
from sweep.stages.claims import EXPIRY_SECONDS, HEARTBEAT_SECONDS, TRY_AGAIN
from sweep.stages.stage import plain, restore
from sweep.stages.store import Store
from sweep.stages.worker import Job, build_stage

KILLED = 128
"""Exit statuses of srun above this mean that a signal killed a rank."""


@dataclass(frozen=True)
class Step:
    """How many processes run a task, on how many nodes, and how often its job may go back into the queue."""

    nodes: int
    tasks_per_node: int
    cpus_per_task: int
    srun_args: tuple[str, ...]
    requeues: int

    @property
    def ranks(self) -> int:
        return self.nodes * self.tasks_per_node


def freeze(file: Path, step: Step, tasks: list[tuple[Job, ...]]) -> None:
    """Write the file from which the SLURM jobs of one array read their tasks."""
    write_json(file, {"step": plain(step), "tasks": [[job.to_json() for job in jobs] for jobs in tasks]})


def run(file: str, index: int) -> None:
    """Run task ``index`` of the array's ``file``. submitit calls this in the batch script, outside srun.

    Returns only when every stage of the task is in the store, and exits with a status above 0 otherwise: SLURM starts
    or cancels dependent jobs by that status. A task that was killed or told to stop goes back into the queue.
    """
    step, jobs = _read_task(Path(file), index)
    number = os.environ["SLURM_JOB_ID"]
    restart = int(os.environ.get("SLURM_RESTART_COUNT", "0"))
    if _done(jobs):
        return
    status = _run_ranks(step, file, index, f"slurm{number}-{restart}")
    if _done(jobs):  # the exit status does not count: gloo may abort a rank after everything is saved
        return
    if status != TRY_AGAIN and 0 <= status < KILLED:
        sys.exit(1)
    _requeue(number, restart, step.requeues)


def _run_ranks(step: Step, file: str, index: int, owner: str) -> int:
    """Start the ranks through srun and wait for them; return srun's exit status, or that of a killed one for a hang.

    Rank 0 hangs when its claim stays untouched at every look for `EXPIRY_SECONDS`. A job that SLURM suspends does not
    look, so it does not take itself to hang.
    """
    claimed = {job.stage.name: Store(job.store).claim(job.stage) for job in _read_task(Path(file), index)[1]}
    srun = subprocess.Popen(_srun(step, file, index, owner), env=_environment(step))
    last: dict[str, int] = {}
    looks = 0
    try:
        while looks * HEARTBEAT_SECONDS < EXPIRY_SECONDS:
            with contextlib.suppress(subprocess.TimeoutExpired):
                return srun.wait(HEARTBEAT_SECONDS)
            touches = {name: claims.touched(claim, owner) for name, claim in claimed.items()}
            held = {name: touch for name, touch in touches.items() if touch is not None}
            looks = looks + 1 if held and held == last else 0
            last = held
    finally:
        srun.kill()
    print(f"{', '.join(last)}: rank 0 hangs, silent for {EXPIRY_SECONDS:.0f} s; killed", file=sys.stderr)
    return KILLED + signal.SIGKILL


def _read_task(file: Path, index: int) -> tuple[Step, list[Job]]:
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
    """The environment of every rank. Rank 0 runs on this node, so this node's name and a free port of it go in."""
    quiet = {"TOKENIZERS_PARALLELISM": "false", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "TQDM_DISABLE": "1"}
    shared = {"OMP_NUM_THREADS": str(step.cpus_per_task)}
    if step.ranks > 1:
        with socket.socket() as probe:
            probe.bind(("", 0))
            shared |= {"MASTER_ADDR": socket.gethostname(), "MASTER_PORT": str(probe.getsockname()[1])}
    return {**os.environ, **quiet, **shared}


def _requeue(number: str, restarts: int, limit: int) -> NoReturn:
    """Put SLURM job ``number`` back into the queue, unless it is being cancelled or has had ``limit`` restarts."""
    state = subprocess.run(["squeue", "-h", "-j", number, "-o", "%T"], capture_output=True, text=True).stdout.strip()
    if restarts >= limit:
        sys.exit(f"restarted {restarts} times already; raise hydra.launcher.max_num_timeout to allow more")
    if state == "RUNNING":
        subprocess.run(["scontrol", "requeue", number], check=True)
    sys.exit(TRY_AGAIN)


def main(arguments: list[str]) -> int:
    """``python -m sweep.launch.step FILE INDEX OWNER``: run one rank of a task, under srun; return its exit status."""
    file, index, owner = arguments
    for number in (signal.SIGTERM, signal.SIGUSR2):  # preemption or time limit; training installs its own handlers
        signal.signal(number, lambda *_: sys.exit(TRY_AGAIN))
    step, jobs = _read_task(Path(file), int(index))
    rank = int(os.environ["SLURM_PROCID"]) if step.ranks > 1 else 0
    if step.ranks > 1:
        os.environ.update(_rank_environment(rank))
    statuses: list[int] = []
    for job in jobs:
        store = Store(job.store)
        _log_to(store.log(job.stage))
        missing = [f"{node.kind}-{node.key}" for node in inputs(job.stage) if not store.path(node).exists()]
        if missing:
            print(f"skipped: its input {', '.join(missing)} is not in the store")
            continue
        status = build_stage(job, owner, rank)
        if status == TRY_AGAIN:
            return TRY_AGAIN
        statuses.append(status)
    return max(statuses, default=1)


def _rank_environment(rank: int) -> dict[str, str]:
    """The variables that torch.distributed reads, from SLURM's. A rank that sees only one GPU calls it number 0."""
    alone = os.environ.get("CUDA_VISIBLE_DEVICES", "").isdigit()
    return {
        "RANK": str(rank),
        "WORLD_SIZE": os.environ["SLURM_NTASKS"],
        "LOCAL_RANK": "0" if alone else os.environ["SLURM_LOCALID"],
        "LOCAL_WORLD_SIZE": str(int(os.environ["SLURM_NTASKS"]) // int(os.environ["SLURM_NNODES"])),
    }


def _log_to(path: Path) -> None:
    """Append everything that this process prints from now on to ``path``."""
    sys.stdout.flush()
    sys.stderr.flush()
    path.parent.mkdir(parents=True, exist_ok=True)
    stream = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
    os.dup2(stream, 1)
    os.dup2(stream, 2)
    os.close(stream)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
