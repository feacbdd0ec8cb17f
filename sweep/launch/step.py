"""Inside a SLURM job: ``python -m sweep.launch.step FILE INDEX`` starts one process per rank through srun.

Then it looks into the store. With OWNER as a third word it is one of these processes.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.json_file import write_json
from common.restore import restore
from sweep.launch import squeue
from sweep.launch.attempts import HUNG, Attempts, cause, give_up, is_out_of_memory, oom_kills, progress
from sweep.launch.tasks import inputs, part_of
from sweep.launch.tracking import mirrored_stages
from sweep.stages import claims
from sweep.stages.claims import EXPIRY_SECONDS, HEARTBEAT_SECONDS, TRY_AGAIN
from sweep.stages.stage import plain
from sweep.stages.store import Store
from sweep.stages.worker import Job, build_stage

KILLED = 128
"""Exit statuses of srun above this mean that a signal killed a rank, or that srun itself failed."""

MISUSED = 'Try "srun --help"'
"""What srun says of an option that it does not know, such as one of ``hydra.launcher.srun_args``."""

LINES = 50
"""Lines of srun's that are kept to find the cause of its end."""


@dataclass(frozen=True)
class Step:
    """How many processes run a task, on how many nodes.

    ``requeues`` is how often in a row preemption or a lost node may stop it, ``delay`` how many seconds before its
    time limit SLURM warns it.
    """

    nodes: int
    tasks_per_node: int
    cpus_per_task: int | None
    srun_args: tuple[str, ...]
    requeues: int
    delay: int
    sweep: str | None = None
    """The sweep whose runs in a tracker the batch script brings up to date, if it does."""

    @property
    def ranks(self) -> int:
        return self.nodes * self.tasks_per_node


def freeze(file: Path, step: Step, tasks: list[tuple[Job, ...]]) -> None:
    """Write the file from which the SLURM jobs of one array read their tasks."""
    write_json(file, {"step": plain(step), "tasks": [[job.to_json() for job in jobs] for jobs in tasks]})


def run(file: str, index: int) -> None:
    """Run task ``index`` of the array's ``file``: what the batch script does, outside srun.

    Returns only when every stage of the task is in the store, and exits with a status above 0 otherwise: SLURM starts
    or cancels dependent jobs by that status. A task that was killed or told to stop goes back into the queue, as long
    as it advances; one that does not is started three times.
    """
    for warning in (signal.SIGTERM, signal.SIGUSR2):  # they also reach the ranks, whose end this process waits for
        signal.signal(warning, lambda *_: None)
    step, jobs = _read_task(Path(file), index)
    if _done(jobs):
        return
    shown = [job.stage.key for job in jobs if job.stage.kind in ("train", "score")]
    with mirrored_stages(Store(jobs[0].store), step.sweep if shown else None, shown, print):
        _attempt(step, jobs, file, index)


def _attempt(step: Step, jobs: list[Job], file: str, index: int) -> None:
    """Run the ranks of a task once; put it back into the queue or end the process unless all its stages are there."""
    number, restart = os.environ["SLURM_JOB_ID"], int(os.environ.get("SLURM_RESTART_COUNT", "0"))
    path = Path(file).with_suffix(f".{index}.{number}.attempts")
    attempts = Attempts.load(path) if restart else Attempts()
    attempts.begin(progress(jobs))
    attempts.save(path)
    before = oom_kills()
    status, said = _run_ranks(step, file, index, f"slurm{number}-{restart}")
    if _done(jobs):  # the exit status does not count: gloo may abort a rank after everything is saved
        return
    if MISUSED in said:
        sys.exit(f"{said.splitlines()[0]}; correct hydra.launcher.srun_args")
    if status != TRY_AGAIN and 0 <= status < KILLED and not is_out_of_memory(status, said):
        sys.exit(1)
    facts = squeue.job(number)
    left, oom_kill = squeue.seconds_left(facts), oom_kills() > before
    attempts.end(cause(status, said, facts, left, step.delay, oom_kill=oom_kill))
    attempts.save(path)
    print(f"stopped: {attempts.starts[-1][1]}", file=sys.stderr)
    if facts.get("JobState", "RUNNING") == "RUNNING":  # else it is being cancelled
        if attempts.stuck(progress(jobs), step.requeues):
            sys.exit(give_up(jobs, attempts, part_of(jobs[0])))
        squeue.requeue(number)
    sys.exit(TRY_AGAIN)


def _run_ranks(step: Step, file: str, index: int, owner: str) -> tuple[int, str]:
    """Start the ranks through srun and wait for them; return srun's exit status, or that of a killed one for a hang.

    The second value is the end of what srun wrote to standard error, which is passed on.

    Rank 0 hangs when its claim stays untouched at every look for `EXPIRY_SECONDS`. A job that SLURM suspends does not
    look, so it does not take itself to hang.
    """
    claimed = {job.stage.name: Store(job.store).claim(job.stage) for job in _read_task(Path(file), index)[1]}
    srun = subprocess.Popen(_srun(step, file, index, owner), env=_environment(step), stderr=subprocess.PIPE)
    said: deque[bytes] = deque(maxlen=LINES)
    listener = threading.Thread(target=_pass_on, args=(srun, said), daemon=True)
    listener.start()
    last: dict[str, int] = {}
    looks = 0
    try:
        while looks * HEARTBEAT_SECONDS < EXPIRY_SECONDS:
            with contextlib.suppress(subprocess.TimeoutExpired):
                status = srun.wait(HEARTBEAT_SECONDS)
                listener.join(HEARTBEAT_SECONDS)
                return status, b"".join(said).decode(errors="replace")
            touches = {name: claims.touched(claim, owner) for name, claim in claimed.items()}
            held = {name: touch for name, touch in touches.items() if touch is not None}
            looks = looks + 1 if held and held == last else 0
            last = held
    finally:
        srun.kill()
    print(f"{', '.join(last)}: rank 0 hangs, silent for {EXPIRY_SECONDS:.0f} s; killed", file=sys.stderr)
    return KILLED + signal.SIGKILL, HUNG


def _pass_on(srun: subprocess.Popen[bytes], said: deque[bytes]) -> None:
    """Write what srun says to this process's standard error, and keep its last lines."""
    assert srun.stderr is not None
    for line in srun.stderr:
        said.append(line)
        sys.stderr.buffer.write(line)
        sys.stderr.buffer.flush()


def _read_task(file: Path, index: int) -> tuple[Step, list[Job]]:
    frozen: dict[str, Any] = json.loads(file.read_bytes())
    return restore(Step, frozen["step"]), [Job.from_json(value) for value in frozen["tasks"][index]]


def _done(jobs: list[Job]) -> bool:
    return all(Store(job.store).has(job.stage) for job in jobs)


def _srun(step: Step, file: str, index: int, owner: str) -> list[str]:
    return [
        "srun", f"--nodes={step.nodes}", f"--ntasks={step.ranks}", f"--ntasks-per-node={step.tasks_per_node}",
        *([f"--cpus-per-task={step.cpus_per_task}"] if step.cpus_per_task else []),
        "--kill-on-bad-exit=1", "--unbuffered", *step.srun_args,
        sys.executable, "-P", "-m", "sweep.launch.step", file, str(index), owner,
    ]  # fmt: skip


def _environment(step: Step) -> dict[str, str]:
    """The environment of every rank. Rank 0 runs on this node, so this node's name and a free port of it go in."""
    quiet = {"TOKENIZERS_PARALLELISM": "false", "HF_HUB_DISABLE_PROGRESS_BARS": "1", "TQDM_DISABLE": "1"}
    threads = step.cpus_per_task or int(os.environ["SLURM_CPUS_ON_NODE"]) // step.tasks_per_node
    shared = {"OMP_NUM_THREADS": str(max(1, threads))}
    if step.ranks > 1:
        with socket.socket() as probe:
            probe.bind(("", 0))
            shared |= {"MASTER_ADDR": socket.gethostname(), "MASTER_PORT": str(probe.getsockname()[1])}
    return {**os.environ, **quiet, **shared}


def main(arguments: list[str]) -> int:
    """Run a task, or with OWNER one rank of it under srun; return the exit status."""
    file, index, *owners = arguments
    if not owners:
        run(file, int(index))
        return 0
    return _run_rank(file, index, owners[0])


def _run_rank(file: str, index: str, owner: str) -> int:
    for number in (signal.SIGTERM, signal.SIGUSR2):  # preemption or time limit; training installs its own handlers
        signal.signal(number, lambda *_: sys.exit(TRY_AGAIN))
    step, jobs = _read_task(Path(file), int(index))
    rank = int(os.environ["SLURM_PROCID"]) if step.ranks > 1 else 0
    if part_of(jobs[0]) == "train":  # DeepSpeed reads them even of a single rank
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
