"""Whether models fit the GPUs they are to run on, the smallest change with which they do, and the disk they take."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import replace
from itertools import combinations
from typing import Any

from common.wording import plural
from sweep.config.cell import Cell
from sweep.config.kept_models import goes
from sweep.plan.memory import GIB, LARGE, MODEL_BYTES, Memory, gib, of_cell
from sweep.plan.plan import Plan, PlannedCell
from sweep.plan.resume_points import save_seconds
from sweep.stages.stage import Stage
from train.spec import RESUME_BYTES, Architecture, EngineConfig

PROMPT_TOKENS = 256
"""Tokens of a prompt; a guess."""

SAFE_SHARE = 0.95
"""Share of a GPU that the estimate of a training may fill: it is right to about a tenth."""

ASSUMED_GIB = 80.0
"""Memory of a GPU for large models where nothing says it: that of an H100, whose speed the plan assumes too."""

ANSWER_SHARE = 0.9
"""Share of a GPU that answers may fill, as in vLLM."""


def lines(plan: Plan, missing: Collection[str], card: float | None) -> list[str]:
    """Sentences on the memory of each kind of training and of answers in the plan, and on the disk it takes.

    ``card`` as in `room_of`.
    """
    found: dict[str, None] = {}
    for planned in plan.cells:
        cell, parameters = planned.cell, parameters_of(plan, planned)
        room = room_of(cell, parameters, card)
        if room is not None and room != (cell.engine.gpu_gib or card):
            found[f"memory: GPUs of {room:g} GiB are assumed; engine.gpu_gib= says otherwise"] = None
        if planned.trained and (line := _training_line(plan, planned, room)):
            found[line] = None
        if (shape := cell.model.architecture) is not None and room is not None:
            need, gpus = answer_gib(cell, parameters, shape), answering_gpus(cell, parameters, room)
            found[f"memory: answers of {cell.model.name}: {gib(need)} GiB, {plural(gpus, 'GPU')} of {room:g}"] = None
    return [*found, *_disk(plan, missing)]


def room_of(cell: Cell, parameters: int, card: float | None) -> float | None:
    """GiB of a GPU for a cell: ``engine.gpu_gib``, else ``card``, the memory of this machine's, else `ASSUMED_GIB` for
    a large model and None for a small one, which needs no GPU.
    """
    return cell.engine.gpu_gib or card or (ASSUMED_GIB if parameters >= LARGE else None)


def _training_line(plan: Plan, planned: PlannedCell, room: float | None) -> str:
    cell, parameters = planned.cell, parameters_of(plan, planned)
    memory = estimate(cell, parameters, room)
    if memory is None or (room is None and memory.device < 1):
        return ""
    engine = cell.engine
    how = f"ZeRO {engine.zero_stage}, {plural(engine.ranks, 'rank')}, {engine.micro_tokens} tokens a pass"
    line = (
        f"memory: {cell.model.name} ({how}): {gib(memory.device)} GiB a rank: {memory.parts()}; host {gib(memory.host)}"
    )
    if room is None or is_within(memory, room):
        return line
    change = remedy(cell, parameters, room) or "no setting of the engine"
    return f"{line}. Does not fit {room:g} GiB safely; what does: {change}"


def estimate(cell: Cell, parameters: int, room: float | None) -> Memory | None:
    """The memory of a rank of a cell's training, on a GPU where there is one or the model is large; None if unknown."""
    return of_cell(cell, parameters, gpu=room is not None or parameters >= LARGE)


def is_within(memory: Memory | None, room: float | None) -> bool:
    """Whether a training fits a device of ``room`` GiB with some to spare, as far as both are known."""
    return memory is None or room is None or memory.device <= SAFE_SHARE * room


def of_stages(plan: Plan) -> dict[str, float]:
    """GiB of a rank of each training of the plan, and of all GPUs of each stage of answers, by key, as far as known."""
    found: dict[str, float] = {}
    for planned in plan.cells:
        room = planned.cell.engine.gpu_gib
        if planned.trained and (memory := estimate(planned.cell, parameters_of(plan, planned), room)) is not None:
            found |= {stage.key: memory.device for stage in planned.trained if stage.key not in found}
        if (shape := planned.cell.model.architecture) is not None:
            need = answer_gib(planned.cell, parameters_of(plan, planned), shape)
            found |= {key: need for key in _answers(planned) if key not in found}
    return found


def _answers(planned: PlannedCell) -> list[str]:
    """The keys of a cell's answers."""
    return [score.inputs["answers"].key for score in planned.every_score]


def answering_gpus_of(plan: Plan, card: float | None) -> dict[str, int]:
    """GPUs that hold the model of each stage of answers in the plan, by key; ``card`` as in `room_of`."""
    found: dict[str, int] = {}
    for planned in plan.cells:
        parameters = parameters_of(plan, planned)
        count = answering_gpus(planned.cell, parameters, room_of(planned.cell, parameters, card))
        found |= {key: count for key in _answers(planned) if key not in found}
    return found


def parameters_of(plan: Plan, planned: PlannedCell) -> int:
    """Parameters of the model of a cell."""
    measured = [score.inputs["answers"].key for score in planned.scores.values()]
    return max((plan.parameters.get(key, 0) for key in [*(s.key for s in planned.trained), *measured]), default=0)


def _disk(plan: Plan, missing: Collection[str]) -> list[str]:
    """What finished models take, before and after ``keep``, and resume points while a model trains."""
    trained = [stage for stage in plan.stages if stage.kind == "train" and stage.key in missing]
    last = {planned.trained[-1].key for planned in plan.cells if planned.trained}
    kept = [stage for stage in trained if not goes(stage, plan.keep, last)]
    whole, rest = models_gib(plan, trained), models_gib(plan, kept)
    if whole < 1:
        return []
    kept_in = " and ".join(sorted({stage.spec.recipe.export_precision for stage in trained}))
    stays = f"{plural(len(kept), 'model')}, {gib(rest)} GiB, stay{'s' if len(kept) == 1 else ''}"
    then = f" together, each until it is scored; {stays} (keep={plan.keep})"
    largest = max(plan.parameters.get(stage.key, 0) for stage in trained)
    between = sum(len(stage.spec.recipe.checkpoints) for stage in trained)
    models = plural(len(trained), "model") + (f" and {plural(between, 'checkpoint')}" if between else "")
    return [
        f"disk: {models}{' to keep' if plan.keep == 'all' else ''}, {gib(whole)} GiB in "
        f"{kept_in}{'' if plan.keep == 'all' else then}; while one trains, up to twice "
        f"{gib(RESUME_BYTES * largest / GIB)} GiB for its resume points, each saved in "
        f"about {save_seconds(largest, plan.store):.0f} s"
    ]


def models_gib(plan: Plan, trained: Collection[Stage]) -> float:
    """GiB that the models of these training stages take on disk, with those on the way."""
    recipes = [(stage.spec.recipe, plan.parameters.get(stage.key, 0)) for stage in trained]
    return sum((1 + len(r.checkpoints)) * MODEL_BYTES[r.export_precision] * size for r, size in recipes) / GIB


def answering(parameters: int, shape: Architecture, *, size: int, rows: int, positions: int) -> float:
    """GiB that answers take on all their GPUs: weights of ``size`` bytes, and keys and values of all rows."""
    width = shape.hidden_size * shape.num_kv_heads / shape.num_heads
    return size * (parameters + 2.0 * rows * positions * shape.num_layers * width) / GIB


def answering_gpus(cell: Cell, parameters: int, card: float | None) -> int:
    """GPUs that hold the cell's model while it answers: the next power of two; 1 where card or shape is unknown."""
    shape = cell.model.architecture
    if shape is None or card is None:
        return 1
    return gpus_for(answer_gib(cell, parameters, shape), card)


def gpus_for(need: float, card: float) -> int:
    """GPUs of ``card`` GiB that hold answers which take ``need`` GiB in all: a power of two."""
    return _power(need / (ANSWER_SHARE * card))


def answer_gib(cell: Cell, parameters: int, shape: Architecture) -> float:
    """GiB that the answers of a cell take in all, with as many rows at a time as the suite says."""
    positions = PROMPT_TOKENS + max((task.max_new_tokens or 0 for task in cell.suite.tasks.values()), default=0)
    size = 2 if cell.suite.precision == "bf16" else 4
    return answering(parameters, shape, size=size, rows=cell.suite.eval_batch_size, positions=positions)


def _power(number: float) -> int:
    """The smallest power of two that is not below ``number``."""
    power = 1
    while power < number:
        power *= 2
    return power


def remedy(cell: Cell, parameters: int, card: float) -> str:
    """The smallest change of the engine with which a training of the cell fits a GPU of ``card`` GiB; '' without one.

    Fewer changes come before more; of as many, what costs least time: a smaller micro-batch, recomputed activations,
    a higher ZeRO stage, more GPUs, offload.
    """
    for changes in _changes(cell.engine, cell.data.max_length):
        try:
            engine = replace(cell.engine, **changes)
        except ValueError:
            continue
        memory = of_cell(replace(cell, engine=engine), parameters, gpu=True)
        if memory is not None and is_within(memory, card):
            words = " ".join(f"engine.{name}={_word(value)}" for name, value in changes.items())
            return f"{words} ({gib(memory.device)} GiB)"
    return ""


def _changes(engine: EngineConfig, longest: int) -> Iterator[dict[str, Any]]:
    """Changes of an engine by the number of its keys that they touch."""
    halves = [engine.micro_tokens // 2**n for n in range(1, 8)]
    options: list[dict[str, Any]] = [{"micro_tokens": size} for size in halves if size >= longest]
    options += [] if engine.activation_checkpointing else [{"activation_checkpointing": True}]
    options += [{"zero_stage": stage} for stage in (2, 3) if stage > engine.zero_stage]
    options += [{"ranks": engine.ranks * 2**n} for n in range(1, 8)]
    options += [{"offload": part} for part in ("optimizer", "all") if part != engine.offload]
    sharded = {"name": "deepspeed"} if engine.name == "torch" else {}
    for number in range(1, 5):
        for chosen in combinations(options, number):
            merged = {name: value for option in chosen for name, value in option.items()}
            if len(merged) == number:
                yield {**sharded, **merged}


def _word(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
