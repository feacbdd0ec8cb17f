"""What each cell of a sweep asks SLURM for: ``hydra.launcher`` with its interpolations resolved in the cell."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from omegaconf import DictConfig, OmegaConf
from omegaconf.errors import OmegaConfBaseException

from common.restore import restore
from sweep.config.cell import Cell
from sweep.config.overrides import at_cell, given
from sweep.config.template import references
from sweep.launch import squeue
from sweep.launch.gres import gpus_in, with_gpus
from sweep.launch.limits import cut, problems
from sweep.launch.setting_checks import MEMORY, TEXTS, says_gpus
from sweep.launch.settings import PARTS, Request, Settings
from sweep.launch.slurm import resources
from sweep.launch.tasks import Shape, split
from sweep.plan.cost import NODE_RANKS, card_gib
from sweep.plan.fit import answering_gpus, estimate, parameters_of, room_of
from sweep.plan.memory import LARGE
from sweep.plan.plan import CellError, Plan, PlannedCell
from sweep.plan.resume_points import signal_delay
from sweep.results.cell_configs import plain
from sweep.results.saved_sweep import jobs
from sweep.stages.stage import with_parents
from sweep.stages.store import Store

HOST_GIB = 8.0
"""Host memory of a rank above which a training asks for what the plan estimates; below it SLURM's default will do."""

HOST_MARGIN = 1.25
"""How many times the estimate it asks for: reading data and saving take some more."""

HOST_THREADS = 8
"""Processors a rank for updating states that lie on the host: an eighth of a node of eight GPUs and 64 processors."""


def request(plan: Plan, config: DictConfig) -> Request:
    """The settings of every stage of a plan. ``config`` is that of the whole command, with Hydra's own node.

    Raises a `CellError` that names the cell and the key whose interpolation the cell cannot resolve.
    """
    resolve, card = _resolver(config), card_gib()
    of_stage: dict[str, Settings] = {}
    for number, planned in enumerate(plan.cells):
        try:
            settings = _as_planned(resolve(planned.cell), plan, planned, card)
        except (ValueError, OmegaConfBaseException) as problem:
            cells = [given(one.label, one.factors) for one in plan.cells]
            raise CellError(f"{at_cell(cells, number)}{_told(problem)}") from None
        for stage in with_parents([*planned.trained, *planned.every_score]):
            of_stage.setdefault(stage.key, settings)
    return Request(of_stage)


def _told(problem: Exception) -> str:
    """What is wrong with the launcher's settings; of what OmegaConf says the first line, as the rest is about types."""
    if isinstance(problem, OmegaConfBaseException):
        return f"hydra.launcher: {str(problem).splitlines()[0]}"
    return str(problem) if "hydra.launcher" in str(problem) else f"hydra.launcher: {problem}"


def requests(plan: Plan, store: Store, config: DictConfig) -> list[dict[str, Any]]:
    """A row for jobs of one part of the plan that ask for the same but for their time; only what is still to run.

    ``minutes`` has the shortest and the longest time limit, ``refused`` what no partition of this machine's SLURM, if
    it has one, would grant. Raises as `request`, and a ValueError for ranks that cannot fill their nodes.
    """
    asked, every = request(plan, config), jobs(plan, store)
    rows: dict[str, dict[str, Any]] = {}
    tasks = split(every, every.keys() - store.lacking(plan.stages).keys(), {}, asked.shape)
    partitions = squeue.known_partitions()
    for task in map(partial(cut, partitions=partitions), tasks):
        settings = Request.settings(task.shape)
        row = resources(task.shape, settings.step(task.shape), settings)
        minutes = row.pop("time")
        del row["signal_delay_s"]
        refused = list(problems(task.shape, partitions))
        row = {"part": task.shape.part, **row, "partition": settings.partition, "refused": refused}
        same = rows.setdefault(str(row), {**row, "jobs": 0, "minutes": [minutes, minutes]})
        same["jobs"] += 1
        same["minutes"] = [min(minutes, same["minutes"][0]), max(minutes, same["minutes"][1])]
    return sorted(rows.values(), key=lambda row: PARTS.index(row["part"]))


def _resolver(config: DictConfig) -> Callable[[Cell], Settings]:
    """A function from a cell to the launcher's settings, which resolves them once for all cells that agree."""
    hydra: Any = OmegaConf.to_container(config.hydra, resolve=False)
    read = {key.partition(".")[0] for key in references(hydra["launcher"])}
    known: dict[tuple[str, ...], Settings] = {}

    def resolve(cell: Cell) -> Settings:
        values = {name: getattr(cell, name) for name in read if hasattr(cell, name)}
        place = tuple(repr(values[name]) for name in sorted(values))
        if place not in known:
            known[place] = _settings({name: plain(value) for name, value in values.items()}, hydra)
        return known[place]

    return resolve


def _settings(cell: Mapping[str, Any], hydra: Mapping[str, Any]) -> Settings:
    whole = OmegaConf.create({**cell, "hydra": hydra})
    value = OmegaConf.to_container(whole.hydra.launcher, resolve=True)
    assert isinstance(value, dict)
    value.pop("_target_", None)
    for table in (value, *(value[part] for part in PARTS if isinstance(value.get(part), dict))):
        for name in TEXTS:  # an account may be a number
            if type(table.get(name)) in (int, float):
                table[name] = str(table[name])
    return restore(Settings, value)  # type: ignore[arg-type]


def _as_planned(settings: Settings, plan: Plan, planned: PlannedCell, card: float | None) -> Settings:
    """The settings with what the model needs, where they do not say it.

    A training gets a GPU a rank, what it keeps on the host, and is told to save as long before its end as saving takes;
    answers get as many GPUs as hold the model.
    """
    parameters = parameters_of(plan, planned)
    room = room_of(planned.cell, parameters, card)
    own, train = settings.of("train"), dict(settings.train)
    asked, large = says_gpus(vars(settings)), parameters >= LARGE
    if own.signal_delay_s is None:
        train["signal_delay_s"] = signal_delay(parameters, plan.store)
    each = own.tasks_per_node or _ranks_a_node(planned.cell.engine.ranks, own.nodes)
    if large and not asked and not says_gpus(train):
        train["gpus_per_node"] = each
    elif own.gpus_per_task and own.gpus is None:
        train["tasks_per_node"] = each
    answer = dict(settings.answer)
    if (large or asked) and not says_gpus(answer):
        answer |= _for_answers(settings, answering_gpus(planned.cell, parameters, room), asked)
    settings = replace(settings, train=train, answer=answer)
    memory = estimate(planned.cell, parameters, room) if planned.trained else None
    if memory is None or memory.host <= HOST_GIB:
        return settings
    return replace(settings, train=train | _for_host(settings.of("train"), planned.cell, memory.host))


def _ranks_a_node(ranks: int, nodes: int | None) -> int:
    """Ranks on each node; where the number of nodes is not said, as many as fill nodes of at most `NODE_RANKS`."""
    if nodes is not None:
        return -(-ranks // nodes)
    return max(count for count in range(1, min(ranks, NODE_RANKS) + 1) if ranks % count == 0)


def _for_answers(settings: Settings, gpus: int, asked: bool) -> dict[str, Any]:
    """How a job of answers asks for so many GPUs: where the settings ask for any, as they do."""
    if not asked:
        return {"gpus_per_node": gpus}
    own: dict[str, Any] = {name: gpus for name in ("gpus_per_node", "gpus_per_task") if getattr(settings, name)}
    return own | ({"gres": with_gpus(settings.gres, gpus)} if settings.gres and gpus_in(settings.gres) else {})


def _for_host(own: Settings, cell: Cell, gib: float) -> dict[str, Any]:
    """What a cell's training that holds so many GiB a rank on the host asks for, where its settings do not say it."""
    asked: dict[str, Any] = {}
    if cell.engine.offload != "none" and not (own.cpus_per_task or own.cpus_per_gpu):
        asked["cpus_per_task"] = HOST_THREADS
    more = any(name.startswith("mem") for name in own.additional_parameters)
    if not more and all(getattr(own, name) is None for name in MEMORY):
        ranks = own.step(Shape("train", cell.engine.ranks, True, "")).tasks_per_node
        asked["mem_gb"] = math.ceil(HOST_MARGIN * gib * ranks)
    return asked
