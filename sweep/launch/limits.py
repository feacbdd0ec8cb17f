"""What partitions allow, held against what tasks ask for, before anything is submitted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from sweep.launch.settings import Request, Settings
from sweep.launch.squeue import Partition
from sweep.launch.tasks import Shape, SlurmTask

REMEDIES = {
    "timeout_min": "lower it: a training goes on from its resume point",
    "nodes": "lower engine.ranks, or put more of them on a node",
    "cpus_per_task": "set hydra.launcher.{part}.cpus_per_task",
    "mem_gb": "set hydra.launcher.{part}.mem_gb, or put fewer ranks on a node",
    "gpus_per_node": "hydra.launcher.gpus_per_node={allowed:g} puts no more ranks on a node",
}
"""What helps where a setting asks for more than a partition has."""


def within(tasks: Sequence[SlurmTask], partitions: Mapping[str, Partition]) -> list[SlurmTask]:
    """The tasks, whose planned time limits are cut to those of their partitions: a training goes on from where it was.

    Raises a ValueError that lists every setting which a partition never grants.
    """
    refused = dict.fromkeys(line for task in tasks for line in problems(task.shape, partitions))
    if refused:
        raise ValueError("\n  ".join(["no partition of SLURM would ever start what the sweep asks for:", *refused]))
    return [cut(task, partitions) for task in tasks]


def _partition(settings: Settings, partitions: Mapping[str, Partition]) -> Partition | None:
    """The most that the partitions of a setting allow, which may name several; None where none is known."""
    named = [partitions[name] for name in (settings.partition or "").split(",") if name in partitions]
    return max(named, key=lambda one: one.minutes or float("inf"), default=None)


def cut(task: SlurmTask, partitions: Mapping[str, Partition]) -> SlurmTask:
    """The task with a time limit of the plan's cut to that of its partition, where this leaves time to save."""
    settings = Request.settings(task.shape)
    found = _partition(settings, partitions)
    if found is None or found.minutes is None or not settings.planned or (settings.timeout_min or 0) <= found.minutes:
        return task
    if 60 * int(found.minutes) <= settings.delay:
        return task
    shorter = Request.text(replace(settings, timeout_min=int(found.minutes)))
    return replace(task, shape=replace(task.shape, resources=shorter))


def problems(shape: Shape, partitions: Mapping[str, Partition]) -> Iterator[str]:
    """What a task of this shape asks for that its partition never grants, a sentence each."""
    settings = Request.settings(shape)
    where = f"hydra.launcher (part {shape.part})"
    unknown = [name for name in (settings.partition or "").split(",") if name and name not in partitions]
    if unknown and partitions:
        known = ", ".join(sorted(name for name in partitions if name))
        yield f"{where}: partition={settings.partition} is none of this cluster's: {known}"
    found = _partition(settings, partitions)
    if found is None:
        return
    name = f"partition {settings.partition}" if settings.partition else "the default partition"
    if found.minutes is not None and settings.planned and 60 * int(found.minutes) <= settings.delay:
        yield (
            f"{where}: {name} ends a job after {found.minutes:g} minutes; of these signal_delay_s="
            f"{settings.delay} leaves none. Set hydra.launcher.{shape.part}.signal_delay_s, or choose another partition"
        )
    for key, wanted, allowed, unit in _amounts(shape, settings, found):
        if allowed is not None and wanted > allowed:
            remedy = REMEDIES[key].format(part=shape.part, allowed=allowed)
            if key == "gpus_per_node" and not allowed:
                remedy = "choose a partition that has some"
            elif key == "gpus_per_node" and shape.part == "answer":
                remedy = f"hydra.launcher.answer.gpus_per_node={allowed:g} answers fewer rows at a time"
            yield f"{where}: {key} asks for {wanted:g} {unit}; {name} has {allowed:g}; {remedy}"


def _amounts(shape: Shape, settings: Settings, found: Partition) -> list[tuple[str, float, float | None, str]]:
    """Of each setting that a partition bounds: its key, what a task asks for, what the partition has, and the unit."""
    step = settings.step(shape)
    gpus = max(settings.gpus_of(shape, step), step.tasks_per_node * (settings.gpus_per_task or 0))
    return [
        ("timeout_min", 0 if settings.planned else settings.timeout_min or 0, found.minutes, "minutes"),
        ("nodes", step.nodes, found.nodes, "nodes"),
        ("cpus_per_task", step.tasks_per_node * (settings.cpus or 0), found.cpus, "processors a node"),
        ("mem_gb", settings.mem_gb or 0, found.mib / 1024, "GiB a node"),
        ("gpus_per_node", gpus if shape.model else 0, found.gpus, "GPUs a node"),
    ]
