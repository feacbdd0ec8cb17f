"""The settings of ``hydra/launcher=submitit_slurm``: what each part of a sweep asks SLURM for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any

from common.restore import refuse, restore
from sweep.launch.gres import gpus_in
from sweep.launch.setting_checks import MEMORY, OF_GPUS, OF_TRAINING, PROCESSORS, problems, problems_of_part
from sweep.launch.step import Step
from sweep.launch.tasks import Shape, part_of
from sweep.plan.resume_points import SHORTEST_DELAY
from sweep.stages.worker import Job

PARTS = ("train", "answer", "score", "data")
"""The parts of a sweep, each with a section of its own."""

SHARED_NODES = ("exclusive", "gres", "gpus", "gpus-per-node", "gpus_per_node")
"""Options of sbatch that jobs without a GPU do not take over from ``additional_parameters``."""

SHORTEST_MIN = 60
"""The shortest time limit that the plan gives a job."""

MARGIN = 2.0
"""The time limit that the plan gives a job is at least so many times its estimate, a quarter of an hour, and
the time in which it is told to end."""


@dataclass(frozen=True)
class Settings:
    """The fields of ``hydra.launcher``, named as in Hydra's submitit launcher; null leaves the choice to SLURM.

    ``cpus_per_task`` null is one, unless ``cpus_per_gpu`` says how many a job gets. ``nodes`` and ``tasks_per_node``
    apply to training stages. When null they follow engine.ranks: one task per rank, on each node as many as it has GPUs
    (``gpus_per_node``, or those of ``gres``), or all on one node. ``timeout_min`` null follows the plan's estimate.
    ``max_num_timeout`` is how often in a row a job that was preempted or lost its node may go back into the queue
    without having advanced. ``wait``, which Hydra's launcher does not have, keeps the command running until all jobs
    have ended. ``train``, ``answer``, ``score`` and ``data`` hold fields that differ for one part. ``planned``, no
    field of the launcher, says that ``timeout_min`` comes from the plan.
    """

    submitit_folder: str | None
    name: str | None
    timeout_min: int | None
    nodes: int | None
    tasks_per_node: int | None
    cpus_per_task: int | None
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
    signal_delay_s: int | None
    max_num_timeout: int
    array_parallelism: int
    setup: list[str] | None
    srun_args: list[str] | None
    additional_parameters: dict[str, Any]
    wait: bool
    train: dict[str, Any] = field(default_factory=dict)
    answer: dict[str, Any] = field(default_factory=dict)
    score: dict[str, Any] = field(default_factory=dict)
    data: dict[str, Any] = field(default_factory=dict)
    planned: bool = False

    def __post_init__(self) -> None:
        whole = {one.name: getattr(self, one.name) for one in fields(self)}
        parts = {part: whole.pop(part) for part in PARTS}
        found = [line for part, own in parts.items() for line in problems_of_part(part, own, whole)]
        refuse([*problems(whole, "hydra.launcher"), *found])
        if self.timeout_min is not None and self.delay >= 60 * self.timeout_min:
            raise ValueError(
                f"hydra.launcher.signal_delay_s={self.delay} leaves nothing of "
                f"hydra.launcher.timeout_min={self.timeout_min}; lower the one or raise the other"
            )

    def of(self, part: str) -> Settings:
        """The settings of one part: the launcher's own with its section laid over them.

        What the section says of processors, memory or GPUs stands for all that the launcher says of them.
        """
        bare: dict[str, Any] = {name: {} for name in PARTS}
        if part != "train":
            bare |= dict.fromkeys(OF_TRAINING)
        if part in ("score", "data"):
            bare |= dict.fromkeys(OF_GPUS)
            options = {key: v for key, v in self.additional_parameters.items() if key not in SHARED_NODES}
            bare["additional_parameters"] = options
        own = {name: value for name, value in getattr(self, part).items() if value is not None}
        for names in (PROCESSORS, MEMORY):
            if not own.keys().isdisjoint(names):
                bare |= dict.fromkeys(names)
        if gpus_in(own.get("gres")) is not None or not own.keys().isdisjoint(("gpus_per_node", "gpus_per_task")):
            bare |= dict.fromkeys(("gpus_per_node", "gpus_per_task"))
            bare |= {} if gpus_in(self.gres) is None else {"gres": None}
        return replace(self, **bare | own)

    @property
    def gpus(self) -> int | None:
        """GPUs of a node, where the settings say it."""
        return gpus_in(self.gres) if self.gpus_per_node is None else self.gpus_per_node

    @property
    def cpus(self) -> int | None:
        """Processors that a task asks for; None where its GPUs bring theirs."""
        return self.cpus_per_task or (None if self.cpus_per_gpu else 1)

    @property
    def delay(self) -> int:
        """Seconds before its time limit at which a job is told to end."""
        return SHORTEST_DELAY if self.signal_delay_s is None else self.signal_delay_s

    def minutes(self, seconds: float) -> int:
        """The time limit of a job that is estimated to take so long; the plan's doubles until it has a margin."""
        if self.timeout_min is not None:
            return self.timeout_min
        limit = SHORTEST_MIN
        while limit < MARGIN * seconds / 60 + 15 + self.delay / 60:
            limit *= 2
        return limit

    def step(self, shape: Shape) -> Step:
        """Nodes and tasks per node for this shape.

        Raises a ValueError when its ranks do not fill the nodes, or outnumber their GPUs.
        """
        per_node = self.tasks_per_node or self.gpus or shape.ranks
        if self.nodes is not None and shape.ranks > 1:
            per_node = -(-shape.ranks // self.nodes)
        per_node = min(per_node, shape.ranks)
        if shape.ranks % per_node:
            raise ValueError(
                f"engine.ranks={shape.ranks} cannot fill nodes of {per_node} tasks each; change engine.ranks, "
                "hydra.launcher.nodes or hydra.launcher.tasks_per_node"
            )
        if self.gpus and per_node > self.gpus:
            raise ValueError(
                f"engine.ranks={shape.ranks} puts {per_node} ranks on a node, of which hydra.launcher asks for "
                f"{self.gpus} GPUs; change engine.ranks, hydra.launcher.nodes or hydra.launcher.tasks_per_node"
            )
        arguments = tuple(self.srun_args or ())
        return Step(shape.ranks // per_node, per_node, self.cpus, arguments, self.max_num_timeout, self.delay)

    def gpus_of(self, shape: Shape, step: Step) -> int:
        """GPUs that a task asks for on a node: a training at most one a rank, answers as many as they are given."""
        return min(self.gpus or 0, step.tasks_per_node) if shape.part == "train" else self.gpus or 0


@dataclass(frozen=True)
class Request:
    """The settings of each stage of a sweep, by key: those of the first cell that needs it."""

    of_stage: Mapping[str, Settings]

    def shape(self, jobs: Sequence[Job]) -> Shape:
        """What the task of these jobs asks for. Its time is that of its stages together."""
        part, first = part_of(jobs[0]), jobs[0]
        own = self.of_stage[first.stage.key].of(part)
        seconds = sum(job.seconds for job in jobs)
        own = replace(own, timeout_min=own.minutes(seconds), planned=own.timeout_min is None)
        return Shape(part, first.ranks, any(job.runs_model for job in jobs), self.text(own))

    @staticmethod
    def text(settings: Settings) -> str:
        """Settings as `Shape` holds them."""
        return _text(settings)

    @staticmethod
    def settings(shape: Shape) -> Settings:
        """The settings of a shape that `shape` made."""
        return restore(Settings, json.loads(shape.resources))

    def to_json(self) -> dict[str, Any]:
        """Plain values from which `from_json` makes the request again."""
        texts = list(dict.fromkeys(map(_text, self.of_stage.values())))
        place = {text: number for number, text in enumerate(texts)}
        return {
            "settings": [json.loads(text) for text in texts],
            "stages": {key: place[_text(settings)] for key, settings in self.of_stage.items()},
        }

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> Request:
        listed = [restore(Settings, settings) for settings in value["settings"]]
        return Request({key: listed[number] for key, number in value["stages"].items()})


def _text(settings: Settings) -> str:
    return json.dumps({part.name: getattr(settings, part.name) for part in fields(settings)})
