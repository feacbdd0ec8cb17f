"""The SLURM launcher: submits all missing stages at once, as jobs chained by dependencies.

The store and SLURM's queue are the only state, so the command can be killed and run again at any time.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import shutil
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from common.extras import require
from common.json_file import write_json
from sweep.launch import limits, slurm_logs, squeue
from sweep.launch.gres import gpus_in, with_gpus
from sweep.launch.settings import Request, Settings
from sweep.launch.step import Step, freeze
from sweep.launch.tasks import Array, Shape, SlurmTask, pack, split
from sweep.results.saved_sweep import SavedSweep
from sweep.stages import snapshot
from sweep.stages.disk import locked
from sweep.stages.store import Store


@dataclass(frozen=True)
class Submission:
    """The outcome of one command: its sbatch calls, the jobs it submitted, the jobs already in flight, the logs."""

    calls: int
    submitted: int
    attached: int
    logs: Path


def available() -> None:
    """Raise a ValueError where this machine lacks submitit or SLURM, or where no cluster answers."""
    if shutil.which("sbatch") is None:
        raise ValueError("sbatch is not on PATH, so there is no SLURM to submit to; use hydra/launcher=local")
    require("hydra/launcher=submitit_slurm", ["slurm"])
    squeue.command("sinfo", "--noheader", "--format=%P")


def submit(saved: SavedSweep, store: Store, request: Request) -> Submission:
    """Submit the stages of a sweep that are neither done nor in flight.

    Raises a ValueError, before anything is submitted, for a job that its partition would never start, and one when
    SLURM refuses.
    """
    folder = store.sweep(saved.name)
    first = next(iter(request.of_stage.values()))
    logs = slurm_logs.folder_of(first.submitit_folder, folder)
    store.remove_dead_claims()
    with locked(store.root / "slurm.lock"):  # two commands at once would both find the queue empty
        queued = squeue.stages(squeue.jobs_for(store))  # before the store: a job that ends in between is then done
        done = saved.jobs.keys() - store.lacking(job.stage for job in saved.jobs.values()).keys()
        flight = {key: queued[key].number for key in saved.jobs if key in queued and key not in done}
        tasks = split(saved.jobs, done, flight, request.shape)
        if tasks:
            tasks = limits.within(tasks, squeue.partitions())
        numbers: dict[SlurmTask, str] = {}
        arrays = pack(tasks, squeue.array_limit()) if tasks else []
        code = snapshot.take(store.code) if tasks else folder
        write_json(folder / slurm_logs.REQUEST, request.to_json())
        for array in arrays:
            place = _Place(saved.name, folder / "jobs", code, logs, saved.tracker.mirrors and not first.wait)
            numbers |= _submit(array, numbers, place)
    return Submission(len(arrays), len(tasks), len(set(flight.values())), logs)


def last_request(store: Store, name: str) -> Request | None:
    """What a sweep asked SLURM for when it was last submitted; None for one that last ran on a machine of its own."""
    path = store.sweep(name) / slurm_logs.REQUEST
    return Request.from_json(json.loads(path.read_bytes())) if path.exists() else None


def forget_request(store: Store, name: str) -> None:
    """Note that a sweep runs on this machine, and not on SLURM, from now on."""
    (store.sweep(name) / slurm_logs.REQUEST).unlink(missing_ok=True)


@dataclass(frozen=True)
class _Place:
    """The name of a sweep, and the folders of its task files, its copy of the code and SLURM's logs.

    ``mirrors`` says that the jobs bring its runs in the tracker up to date, because no command waits for them.
    """

    name: str
    jobs: Path
    code: Path
    logs: Path
    mirrors: bool


def _submit(array: Array, numbers: Mapping[SlurmTask, str], place: _Place) -> dict[SlurmTask, str]:
    """Submit one array; return the SLURM job of each of its tasks.

    All that its jobs need is written before: a command that is killed after sbatch leaves jobs that can run.
    """
    shape, count = array.tasks[0].shape, len(array.tasks)
    step = replace(Request.settings(shape).step(shape), sweep=place.name if place.mirrors else None)
    file = _frozen(array, step, place)
    script = file.with_suffix(".sh")
    script.write_text(_script(array, file, place, _dependency(array, numbers)), encoding="utf-8")
    try:
        number = squeue.command("sbatch", "--parsable", str(script), environment=_outside_of_jobs()).split(";")[0]
    except ValueError as problem:
        raise ValueError(
            f"sbatch refused: {problem}; {len(numbers)} jobs were submitted before that and "
            "keep running; correct the setting it names, or wait for room in the queue, then repeat the command"
        ) from None
    own = number.strip()
    return {task: own if count == 1 else f"{own}_{index}" for index, task in enumerate(array.tasks)}


def _script(array: Array, file: Path, place: _Place, dependency: str | None) -> str:
    """The batch script of an array. submitit writes the options of sbatch; the command reads its task from ``file``."""
    from submitit import SlurmExecutor  # slow to import, and needed only here

    shape, count = array.tasks[0].shape, len(array.tasks)
    settings = Request.settings(shape)
    logs = place.logs / file.stem
    logs.mkdir(parents=True, exist_ok=True)  # SLURM itself creates no folder, and fails a job that has none
    executor = SlurmExecutor(folder=logs)
    asked = resources(shape, settings.step(shape), settings)
    names = _names(shape, file, place, settings)
    if processors := asked.pop("cpus_per_gpu", None):  # submitit warns of it beside gpus_per_node, which sbatch takes
        names["additional_parameters"] |= {"cpus-per-gpu": processors}
    executor.update_parameters(
        **asked,
        **names,
        dependency=dependency,
        array_parallelism=settings.array_parallelism,
        use_srun=False,  # the command starts its own srun and then looks into the store
    )
    if count > 1:
        executor.parameters["map_count"] = count  # as submitit does for arrays of its own
    words = [sys.executable, "-P", "-m", "sweep.launch.step", str(file)]
    return executor._make_submission_file_text(f"{shlex.join(words)} ${{SLURM_ARRAY_TASK_ID:-0}}", "")


def _outside_of_jobs() -> dict[str, str]:
    """The environment without the variables of the SLURM job that this command may run in, but for SLURM_CONF."""
    inherited = ("SLURM_", "SLURMD_", "SBATCH_", "SRUN_")
    return {name: v for name, v in os.environ.items() if name == "SLURM_CONF" or not name.startswith(inherited)}


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


def resources(shape: Shape, step: Step, settings: Settings) -> dict[str, Any]:
    """The resources each task of an array requests, by submitit's names; GPUs only for tasks that run a model."""
    request: dict[str, Any] = {
        "time": settings.timeout_min, "nodes": step.nodes, "ntasks_per_node": step.tasks_per_node,
        "cpus_per_task": settings.cpus, "mem_per_cpu": settings.mem_per_cpu,
        "mem": settings.mem_gb and f"{round(settings.mem_gb * 1024)}MB", "signal_delay_s": settings.delay,
    }  # fmt: skip
    if shape.model:
        request |= {
            "gpus_per_node": settings.gpus_per_node and settings.gpus_of(shape, step),
            "gpus_per_task": settings.gpus_per_task, "cpus_per_gpu": settings.cpus_per_gpu,
            "mem_per_gpu": settings.mem_per_gpu, "gres": settings.gres,
        }  # fmt: skip
        if settings.gres and gpus_in(settings.gres):
            request["gres"] = with_gpus(settings.gres, settings.gpus_of(shape, step))
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
