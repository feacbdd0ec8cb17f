"""What a stage costs in tokens, operations, seconds and memory. For plans and progress, never part of an identity."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from eval.spec.judge import JudgeRun
from sweep.plan import judge_cost
from sweep.plan.plan import Plan
from sweep.stages.stage import Stage
from train.spec import EngineConfig

CPU_FLOPS = 4.5e10
"""Operations per second of one CPU thread on small models, measured: 37,000 tokens/s at 0.2 M parameters."""

GPU_FLOPS = 4.0e14
"""Operations per second of one large GPU: 40 % of the bf16 peak of an H100, as in published fine-tuning runs."""

LARGE = 10**8
"""Parameters above which models are estimated for GPUs even on a machine without one."""

OVERHEAD_SECONDS = {
    "world": 3.0,
    "tokenizer": 1.0,
    "tokens": 1.0,
    "train": 0.5,
    "answer": 0.5,
    "score": 0.2,
    "rows": 5.0,
    "overlap": 1.0,
}
"""Seconds that a stage takes besides the operations of its model, on a core as fast as `CPU_FLOPS`."""

CALL_SECONDS = 5.0
"""Seconds until a judge has replied; a guess."""

ANSWER_TOKENS = 60
DEFAULT_ITEMS = 300
"""Tokens of an answer with its prompt, and items of a task; guesses."""


@dataclass(frozen=True)
class Cost:
    """Tokens processed, floating-point operations, and seconds on one core, or on one GPU where ``gpu`` says so."""

    tokens: float
    flops: float
    seconds: float
    gpu: bool


def gpus() -> list[str]:
    """Identifiers of this machine's GPUs that this process may use. Loads no driver library."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name for name in visible.split(",") if name and name != "-1"]
    return [str(number) for number, _ in enumerate(sorted(Path("/proc/driver/nvidia/gpus").glob("*")))]


def costs(plan: Plan) -> dict[str, Cost]:
    """The cost of every stage of the plan by key."""
    has_gpus = bool(gpus())
    return {stage.key: _cost(stage, plan, has_gpus) for stage in plan.stages}


def _cost(stage: Stage, plan: Plan, has_gpus: bool) -> Cost:
    tokens, operations, parameters = 0.0, 0.0, plan.parameters.get(stage.key, 0)
    if stage.kind == "train":
        tokens, operations = _training_tokens(stage, plan), 6.0
    elif stage.kind == "answer":
        tokens, operations = float((stage.spec.items or DEFAULT_ITEMS) * ANSWER_TOKENS), 2.0
    elif stage.kind == "score" and stage.spec.judge is not None:
        return Cost(0.0, 0.0, OVERHEAD_SECONDS["score"] + _judging_seconds(stage, plan), False)
    flops = operations * parameters * tokens
    gpu = bool(flops) and (has_gpus or parameters >= LARGE)
    return Cost(tokens, flops, OVERHEAD_SECONDS[stage.kind] + flops / (GPU_FLOPS if gpu else CPU_FLOPS), gpu)


def _judging_seconds(stage: Stage, plan: Plan) -> float:
    execution = plan.execution[stage.key]
    assert isinstance(execution, JudgeRun)
    return judge_cost.estimate_score(stage, plan).calls * CALL_SECONDS / execution.concurrency


def _training_tokens(stage: Stage, plan: Plan) -> float:
    """Tokens that all steps of a training stage see together."""
    recipe = stage.spec.recipe
    samples = sum(portion.samples for portion in stage.spec.portions)
    epoch = sum(
        portion.samples * sum(plan.lengths[stage.inputs[name].key] for name in portion.sources) / len(portion.sources)
        for portion in stage.spec.portions
    )
    if recipe.epochs is not None:
        return float(epoch * recipe.epochs)
    batch = recipe.batch_tokens or recipe.batch_samples * epoch / samples
    return float(recipe.steps * batch)


def memory_gib(parameters: int, layers: int, hidden: int, engine: EngineConfig, bf16: bool) -> float:
    """Peak memory of one rank in GiB: weights, gradients, master weights with Adam moments, activations of one pass.

    Bytes by ZeRO stage as in the ZeRO paper (Rajbhandari et al. 2020): 2 + 2 + 12 bytes a parameter in mixed precision,
    16 in fp32, sharded over the ranks from stage 1 (optimizer), 2 (gradients), 3 (weights) on. Activations: 34 bytes a
    token, layer and hidden unit without checkpointing, 2 with (Korthikanti et al. 2022, without attention scores).
    """
    weights, gradients, optimizer = (2.0, 2.0, 12.0) if bf16 else (4.0, 4.0, 8.0)
    shard = engine.ranks
    if engine.offload != "none":
        optimizer = 0.0
    if engine.offload == "all":
        weights = 0.0
    state = (
        weights / (shard if engine.zero_stage >= 3 else 1)
        + gradients / (shard if engine.zero_stage >= 2 else 1)
        + optimizer / (shard if engine.zero_stage >= 1 else 1)
    )
    activation = (2.0 if engine.activation_checkpointing else 34.0) * engine.micro_tokens * layers * hidden
    return (parameters * state + activation) / 2**30
