"""What partitions allow, held against what tasks ask for, before anything is submitted."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from sweep.launch.settings import Request, Settings
from sweep.launch.squeue import Partition
from sweep.launch.tasks import Shape, SlurmTask


def within(tasks: Sequence[SlurmTask], partitions: Mapping[str, Partition]) -> list[SlurmTask]:
    """The tasks, whose planned time limits are cut to those of their partitions: a training goes on from where it was.

    Raises a ValueError that lists every setting which a partition never grants.
    """
    problems: dict[str, None] = {}
    fitted = []
    for task in tasks:
        settings = Request.settings(task.shape)
        problems |= dict.fromkeys(_problems(task.shape, settings, partitions))
        fitted.append(replace(task, shape=_cut(task.shape, settings, partitions)))
    if problems:
        raise ValueError("\n  ".join(["no partition of SLURM would ever start what the sweep asks for:", *problems]))
    return fitted


def _partition(settings: Settings, partitions: Mapping[str, Partition]) -> Partition | None:
    """The most that the partitions of a setting allow, which may name several; None where none is known."""
    named = [partitions[name] for name in (settings.partition or "").split(",") if name in partitions]
    return max(named, key=lambda one: one.minutes or float("inf"), default=None)


def _cut(shape: Shape, settings: Settings, partitions: Mapping[str, Partition]) -> Shape:
    found = _partition(settings, partitions)
    if found is None or found.minutes is None or not settings.planned or (settings.timeout_min or 0) <= found.minutes:
        return shape
    return replace(shape, resources=Request.text(replace(settings, timeout_min=int(found.minutes))))


def _problems(shape: Shape, settings: Settings, partitions: Mapping[str, Partition]) -> Iterator[str]:
    where = f"hydra.launcher (part {shape.part})"
    step = settings.step(shape)
    unknown = [name for name in (settings.partition or "").split(",") if name and name not in partitions]
    if unknown and partitions:
        known = ", ".join(sorted(name for name in partitions if name))
        yield f"{where}: partition={settings.partition} is none of this cluster's: {known}"
    found = _partition(settings, partitions)
    if found is None:
        return
    name = settings.partition or "the default one"
    asked = [
        ("timeout_min", 0 if settings.planned else settings.timeout_min or 0, found.minutes, "minutes"),
        ("nodes", step.nodes, found.nodes, "nodes"),
        ("cpus_per_task", step.tasks_per_node * (settings.cpus or 0), found.cpus, "processors a node"),
        ("mem_gb", settings.mem_gb or 0, found.mib / 1024, "GiB a node"),
        ("gpus_per_node", (settings.gpus_per_node or 0) if shape.model else 0, found.gpus, "GPUs a node"),
    ]
    for key, wanted, allowed, unit in asked:
        if allowed is not None and wanted > allowed:
            yield f"{where}: {key} asks for {wanted:g} {unit}; partition {name} has {allowed:g}"
