"""Group missing stages into tasks, each one SLURM job, and tasks with equal resources into arrays. No side effects."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from sweep.stages.stage import Stage, StageRef
from sweep.stages.worker import Job

PART = {
    "world": "data",
    "tokenizer": "data",
    "tokens": "data",
    "train": "train",
    "answer": "answer",
    "score": "score",
    "rows": "data",
    "overlap": "data",
}
"""The part of the pipeline that each kind belongs to. Parts have sections of their own in ``hydra.launcher``."""


@dataclass(frozen=True)
class Shape:
    """What a task needs: its part of the pipeline, number of ranks, whether it runs a model, and its resources.

    ``resources`` is the text of settings that only tasks of one array share.
    """

    part: str
    ranks: int
    model: bool
    resources: str = ""


def part_of(job: Job) -> str:
    """The part that a job belongs to. A score with a local judge runs a model, so it counts as an answer."""
    part = PART[job.stage.kind]
    return "answer" if part == "score" and job.runs_model else part


def plain_shape(jobs: Sequence[Job]) -> Shape:
    """The shape of a task of these jobs, without resources."""
    return Shape(part_of(jobs[0]), jobs[0].ranks, any(job.runs_model for job in jobs))


@dataclass(frozen=True, eq=False)
class SlurmTask:
    """Stages that one SLURM job runs one after another.

    ``needs`` holds what it waits for: tasks by name, SLURM jobs in flight by number.
    """

    name: str
    jobs: tuple[Job, ...]
    needs: frozenset[str]
    shape: Shape


@dataclass(frozen=True, eq=False)
class Array:
    """Tasks of one shape that are submitted together.

    Every task waits for all of ``needs``; task number i also waits for task number i of the array ``pairs``.
    """

    tasks: tuple[SlurmTask, ...]
    needs: frozenset[str]
    pairs: Array | None = None


def split(
    jobs: Mapping[str, Job],
    done: Collection[str],
    queued: Mapping[str, str],
    shape: Callable[[Sequence[Job]], Shape] = plain_shape,
) -> list[SlurmTask]:
    """The tasks for all stages that are neither ``done`` nor ``queued`` (key to SLURM job), parents before children.

    Data stages connected by inputs form one task, each training is a task, all answers of one model are one, and all
    its scores another, so that no GPU waits for a judge or a program under test. ``shape`` says what a task needs.
    """
    todo = {key: job for key, job in jobs.items() if key not in done and key not in queued}
    names = _names(jobs, todo)
    grouped: defaultdict[str, list[Job]] = defaultdict(list)
    needs: defaultdict[str, set[str]] = defaultdict(set)
    for key, job in todo.items():
        grouped[names[key]].append(job)
        for node in inputs(job.stage):
            need = queued.get(node.key) or names.get(node.key)
            if need is not None and need != names[key]:
                needs[names[key]].add(need)
    return _parents_first(
        [SlurmTask(name, tuple(group), frozenset(needs[name]), shape(group)) for name, group in grouped.items()]
    )


def inputs(stage: Stage) -> list[StageRef | Stage]:
    """The inputs of a stage that are stages themselves."""
    return [node for node in stage.inputs.values() if isinstance(node, StageRef | Stage)]


def _names(jobs: Mapping[str, Job], todo: Mapping[str, Job]) -> dict[str, str]:
    """The name of the task of every stage to do, by the stage's key."""
    names: dict[str, str] = {}
    for key, job in todo.items():
        match PART[job.stage.kind]:
            case "data":
                joined = {names[node.key] for node in inputs(job.stage) if node.key in names}
                names[key] = min(joined, default=f"data-{key}")
                if len(joined) > 1:
                    names |= {other: names[key] for other, name in names.items() if name in joined}
            case "train":
                names[key] = f"train-{key}"
            case _:
                part = "judge" if job.stage.kind == "score" and job.runs_model else PART[job.stage.kind]
                names[key] = f"{part}-{_model(jobs, job.stage)}"
    return names


def _model(jobs: Mapping[str, Job], stage: Stage) -> str:
    """The key, or hub name and revision, of the model that an answer or score is about."""
    if stage.kind == "score":
        stage = jobs[stage.inputs["answers"].key].stage
    model = stage.inputs.get("model")
    return model.key if model is not None else f"{stage.spec.model_repo}@{stage.spec.model_revision}"


def _parents_first(tasks: Sequence[SlurmTask]) -> list[SlurmTask]:
    depth = _depths(tasks)
    return sorted(tasks, key=lambda task: depth[task.name])


def _depths(tasks: Sequence[SlurmTask]) -> dict[str, int]:
    """The number of tasks in the longest chain that ends in each task."""
    left, depth = {task.name: task for task in tasks}, dict[str, int]()
    while left:
        for name, task in list(left.items()):
            if not any(need in left for need in task.needs):
                depth[name] = 1 + max((depth.get(need, 0) for need in task.needs), default=0)
                del left[name]
    return depth


def pack(tasks: Sequence[SlurmTask], limit: int) -> list[Array]:
    """Pack tasks into as few arrays as their dependencies allow, of at most ``limit`` tasks, parents before children.

    In SLURM all tasks of an array have the same dependencies, or are paired one to one with the tasks of another array.
    Tasks with the same needs and the same number of children of each shape form an array, so that their children can be
    paired with it.
    """
    depth, children = _depths(tasks), _children(tasks)
    levels: defaultdict[int, list[SlurmTask]] = defaultdict(list)
    for task in tasks:
        levels[depth[task.name]].append(task)
    arrays: list[Array] = []
    array_of: dict[str, Array] = {}
    for level in sorted(levels):
        for array in _level(levels[level], children, array_of, limit):
            arrays.append(array)
            array_of |= dict.fromkeys((task.name for task in array.tasks), array)
    return arrays


Children = Mapping[str, frozenset[tuple[Shape, int]]]


def _children(tasks: Iterable[SlurmTask]) -> Children:
    """How many children of each shape each task has."""
    counts: defaultdict[str, Counter[Shape]] = defaultdict(Counter)
    for task in tasks:
        for need in task.needs:
            counts[need][task.shape] += 1
    return defaultdict(frozenset, {name: frozenset(count.items()) for name, count in counts.items()})


def _level(tasks: Iterable[SlurmTask], children: Children, array_of: Mapping[str, Array], limit: int) -> list[Array]:
    alike: defaultdict[object, list[SlurmTask]] = defaultdict(list)
    for task in tasks:
        alike[task.shape, task.needs, children[task.name]].append(task)
    singles: defaultdict[object, list[SlurmTask]] = defaultdict(list)
    arrays: list[Array] = []
    for group in alike.values():
        if len(group) == 1:
            (task,) = group
            singles[task.shape, children[task.name], frozenset(map(array_of.get, task.needs))].append(task)
        else:
            chunks = [tuple(group[at : at + limit]) for at in range(0, len(group), limit)]
            arrays += [Array(chunk, group[0].needs) for chunk in chunks]
    for group in singles.values():
        paired = _pair(group, array_of)
        arrays += [paired] if paired else [Array((task,), task.needs) for task in group]
    return arrays


def _pair(tasks: Sequence[SlurmTask], array_of: Mapping[str, Array]) -> Array | None:
    """An array paired one to one with the array of the tasks' parents; None where they do not match one to one."""
    common = frozenset.intersection(*(task.needs for task in tasks))
    own = {next(iter(rest)): task for task in tasks if len(rest := task.needs - common) == 1}
    parents = {array_of.get(name) for name in own}
    parent = parents.pop() if len(parents) == 1 else None
    if parent is None or len(own) < len(tasks) or {task.name for task in parent.tasks} != set(own):
        return None
    return Array(tuple(own[before.name] for before in parent.tasks), common, parent)
