"""The SLURM launcher: submits all missing stages at once, as jobs chained by dependencies.

The store and SLURM's queue are the only state, so the command can be killed and run again at any time.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shlex
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from common.extras import require
from sweep.launch import squeue
from sweep.launch.step import Step, freeze, run
from sweep.launch.tasks import Array, Shape, SlurmTask, pack, split
from sweep.results.saved_sweep import SavedSweep
from sweep.stages import snapshot
from sweep.stages.store import Store


@dataclass(frozen=True)
class Settings:
    """The fields of ``hydra.launcher``, named as in Hydra's submitit launcher; null leaves the choice to SLURM.

    ``nodes`` and ``tasks_per_node`` apply to training stages. When null they follow engine.ranks: one task per rank, on
    each node as many as it has GPUs (``gpus_per_node``), or all ranks on one node. ``max_num_timeout`` is how often a
    job that was killed or ran out of time goes back into the queue. ``wait``, which Hydra's launcher does not have,
    keeps the command running until all jobs have ended.
    """

    submitit_folder: str | None
    name: str | None
    timeout_min: int
    nodes: int | None
    tasks_per_node: int | None
    cpus_per_task: int
    gpus_per_node: int | None
    gpus_per_task: int | None
    cpus_per_gpu: int | None
    mem_gb: float | None
    mem_per_gpu: str | None
    mem_per_cpu: str | None
    partition: str | None
    qos: str | None
    account: str | None
    comment: str | None
    constraint: str | None
    exclude: str | None
    gres: str | None
    stderr_to_stdout: bool
    signal_delay_s: int
    max_num_timeout: int
    array_parallelism: int
    setup: list[str] | None
    srun_args: list[str] | None
    additional_parameters: dict[str, Any]
    wait: bool

    def __post_init__(self) -> None:
        for name in ("timeout_min", "nodes", "tasks_per_node", "cpus_per_task", "array_parallelism"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, int) and value > 0):
                raise ValueError(f"hydra.launcher.{name}={value} must be a whole number above 0")
        if not isinstance(self.wait, bool):
            raise ValueError(f"hydra.launcher.wait={self.wait} must be true or false")

    def step(self, shape: Shape) -> Step:
        """Nodes and tasks per node for this shape. Raises a ValueError when its ranks do not fill the nodes."""
        per_node = self.tasks_per_node or self.gpus_per_node or shape.ranks
        if self.nodes is not None and shape.ranks > 1:
            per_node = -(-shape.ranks // self.nodes)
        per_node = min(per_node, shape.ranks)
        if shape.ranks % per_node:
            raise ValueError(
                f"engine.ranks={shape.ranks} cannot fill nodes of {per_node} tasks each; change engine.ranks, "
                "hydra.launcher.nodes or hydra.launcher.tasks_per_node"
            )
        arguments = tuple(self.srun_args or ())
        return Step(shape.ranks // per_node, per_node, self.cpus_per_task, arguments, self.max_num_timeout)


@dataclass(frozen=True)
class Submission:
    """The outcome of one command: its sbatch calls, the jobs it submitted, the jobs already in flight, the logs."""

    calls: int
    submitted: int
    attached: int
    logs: Path


def available() -> None:
    """Raise a ValueError where this machine lacks SLURM or submitit."""
    if shutil.which("sbatch") is None:
        raise ValueError("sbatch is not on PATH, so there is no SLURM to submit to; use hydra/launcher=local")
    require("hydra/launcher=submitit_slurm", ["slurm"])


def submit(saved: SavedSweep, store: Store, settings: Settings) -> Submission:
    """Submit the stages of a sweep that are neither done nor in flight. Raises a ValueError when SLURM refuses."""
    folder = store.sweep(saved.name)
    logs = Path(settings.submitit_folder or folder / "slurm").absolute()
    store.remove_dead_claims()
    with _lock(store):
        queued = squeue.stages(squeue.jobs_for(store))  # before the store: a job that ends in between is then done
        done = saved.jobs.keys() - store.lacking(job.stage for job in saved.jobs.values()).keys()
        flight = {key: queued[key].number for key in saved.jobs if key in queued and key not in done}
        tasks = split(saved.jobs, done, flight)
        for task in tasks:
            settings.step(task.shape)  # raises before anything is submitted
        numbers: dict[SlurmTask, str] = {}
        arrays = pack(tasks, squeue.array_limit()) if tasks else []
        code = snapshot.take(store.code) if tasks else folder
        for array in arrays:
            numbers |= _submit(array, numbers, _Place(saved.name, folder / "jobs", code, logs), settings)
    return Submission(len(arrays), len(tasks), len(set(flight.values())), logs)


@contextlib.contextmanager
def _lock(store: Store) -> Iterator[None]:
    """Let one command at a time read the queue and submit: two at once would both find it empty."""
    store.root.mkdir(parents=True, exist_ok=True)
    with (store.root / "slurm.lock").open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


@dataclass(frozen=True)
class _Place:
    """The name of a sweep, and the folders of its task files, its copy of the code and SLURM's logs."""

    name: str
    jobs: Path
    code: Path
    logs: Path


def _submit(array: Array, numbers: Mapping[SlurmTask, str], place: _Place, settings: Settings) -> dict[SlurmTask, str]:
    """Submit one array through submitit; return the SLURM job of each of its tasks."""
    import submitit  # slow to import, and needed only here
    from submitit.core.utils import FailedJobError, FailedSubmissionError

    shape = array.tasks[0].shape
    step = settings.step(shape)
    file = _frozen(array, step, place)
    executor = submitit.SlurmExecutor(folder=place.logs)
    executor.update_parameters(
        **_resources(shape, step, settings),
        **_names(shape, file, place, settings),
        dependency=_dependency(array, numbers),
        array_parallelism=settings.array_parallelism,
        use_srun=False,  # the batch script starts its own srun and then looks into the store
    )
    try:
        with _outside_of_jobs():
            jobs = executor.map_array(run, [str(file)] * len(array.tasks), range(len(array.tasks)))
    except (FailedJobError, FailedSubmissionError) as problem:
        raise ValueError(
            f"sbatch refused: {' '.join(str(problem).split())}; {len(numbers)} jobs were submitted before that and "
            "keep running; correct the setting it names, or wait for room in the queue, then repeat the command"
        ) from None
    return {task: job.job_id for task, job in zip(array.tasks, jobs, strict=True)}


@contextlib.contextmanager
def _outside_of_jobs() -> Iterator[None]:
    """Hide the variables of the SLURM job that this command may run in; keep SLURM_CONF, which names the cluster."""
    from submitit.helpers import clean_env

    conf = os.environ.get("SLURM_CONF")
    with clean_env():
        if conf is not None:
            os.environ["SLURM_CONF"] = conf
        yield


def _frozen(array: Array, step: Step, place: _Place) -> Path:
    """Write the array's tasks to a file named by their content, so that the same tasks get the same file again."""
    name = json.dumps([[job.stage.key for job in task.jobs] for task in array.tasks]) + repr(step)
    place.jobs.mkdir(parents=True, exist_ok=True)
    file = place.jobs / f"{hashlib.sha256(name.encode()).hexdigest()[:16]}.json"
    freeze(file, step, [task.jobs for task in array.tasks])
    return file


def _dependency(array: Array, numbers: Mapping[SlurmTask, str]) -> str | None:
    submitted = {task.name: number for task, number in numbers.items()}
    parts = []
    if array.needs:
        parts.append("afterok:" + ":".join(sorted(submitted.get(need, need) for need in array.needs)))
    if array.pairs:
        parts.append("aftercorr:" + numbers[array.pairs.tasks[0]].partition("_")[0])
    return ",".join(parts) or None


def _resources(shape: Shape, step: Step, settings: Settings) -> dict[str, Any]:
    """The resources each task of the array requests; GPUs only for tasks that run a model."""
    request: dict[str, Any] = {
        "time": settings.timeout_min, "nodes": step.nodes, "ntasks_per_node": step.tasks_per_node,
        "cpus_per_task": settings.cpus_per_task, "mem_per_cpu": settings.mem_per_cpu,
        "mem": settings.mem_gb and f"{round(settings.mem_gb * 1024)}MB", "signal_delay_s": settings.signal_delay_s,
    }  # fmt: skip
    if shape.model:
        request |= {
            "gpus_per_node": settings.gpus_per_node and min(settings.gpus_per_node, step.tasks_per_node),
            "gpus_per_task": settings.gpus_per_task, "cpus_per_gpu": settings.cpus_per_gpu,
            "mem_per_gpu": settings.mem_per_gpu, "gres": settings.gres,
        }  # fmt: skip
    return {name: value for name, value in request.items() if value is not None}


def _names(shape: Shape, file: Path, place: _Place, settings: Settings) -> dict[str, Any]:
    """The array's other parameters: names, partition, account, setup commands."""
    # Modules come from the copy of the code first, and never from the folder in which the command was given.
    code = [f"export PYTHONPATH={shlex.quote(str(place.code))}${{PYTHONPATH:+:$PYTHONPATH}}", "export PYTHONSAFEPATH=1"]
    fixed = {"kill-on-invalid-dep": "yes", "requeue": True}
    return {
        "job_name": f"{settings.name or place.name}-{shape.part}", "comment": squeue.comment(file, settings.comment),
        "partition": settings.partition, "qos": settings.qos, "account": settings.account,
        "constraint": settings.constraint, "exclude": settings.exclude, "stderr_to_stdout": settings.stderr_to_stdout,
        "setup": [*(settings.setup or ()), *code], "additional_parameters": fixed | settings.additional_parameters,
    }  # fmt: skip
