"""What a stage costs in tokens, operations and time. For plans and progress, never part of an identity."""

from __future__ import annotations

import contextlib
import math
import os
import shutil
import subprocess
from dataclasses import dataclass, replace
from pathlib import Path

from eval.spec.answers import EvalRun
from eval.spec.judge import JudgeRun
from sweep.plan import fit, judge_cost
from sweep.plan.memory import LARGE, MODEL_BYTES
from sweep.plan.plan import Plan
from sweep.plan.rates import Rates, units
from sweep.stages.stage import Stage
from train.spec import TrainRun

CPU_FLOPS = 4.5e10
"""Operations per second of one CPU thread on small models, measured: 37,000 tokens/s at 0.2 M parameters."""

GPU_PEAK = 9.89e14
"""Operations per second of one H100 in bf16, dense, as its maker states it."""

SHARE_OF_PEAK = ((1, 0.5), (8, 0.42), (32, 0.33))
"""Up to so many GPUs, the share of their peak that fine-tuning reaches, as published for 7B to 70B on H100."""

FAR_SHARE = 0.25
"""The share with more GPUs than that."""

GPU_BANDWIDTH = 3.35e12
"""Bytes per second that one H100 reads from its memory. Each token of an answer reads all weights once a batch."""

DISK_BANDWIDTH = 1.0e9
"""Bytes per second in which a model is read from or written to a shared file system; a guess."""

HOST_STEP = 5.5e-10
NODE_RANKS = 8
"""Seconds a parameter of a node in which the hosts' processors update offloaded states: 10 s were reported for 72B on
four nodes (DeepSpeed, issue 6834). Ranks of a node, and the most that share one, where nothing says how many it has."""

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
    """Tokens processed, floating-point operations, seconds of wall-clock, and on how many cores or GPUs.

    ``measured`` says that the seconds follow from finished stages of the store that did such work.
    """

    tokens: float
    flops: float
    seconds: float
    gpu: bool
    devices: int = 1
    measured: bool = False

    @property
    def hours(self) -> float:
        """Hours of one core or GPU."""
        return self.seconds * self.devices / 3600


def gpus() -> list[str]:
    """Identifiers of this machine's GPUs that this process may use. Loads no driver library."""
    visible = os.environ.get("CUDA_VISIBLE_DEVICES")
    if visible is not None:
        return [name for name in visible.split(",") if name and name != "-1"]
    return [str(number) for number, _ in enumerate(sorted(Path("/proc/driver/nvidia/gpus").glob("*")))]


def card_gib() -> float | None:
    """Memory of this machine's first GPU in GiB, as its driver's own tool says; None without a GPU or that tool."""
    if not gpus() or shutil.which("nvidia-smi") is None:
        return None
    asked = ["nvidia-smi", "--query-gpu=memory.total", "--format=csv,noheader,nounits"]
    with contextlib.suppress(subprocess.SubprocessError, ValueError, IndexError):
        return float(subprocess.run(asked, capture_output=True, text=True, timeout=10).stdout.split()[0]) / 1024
    return None


def estimates(plan: Plan) -> dict[str, Cost]:
    """The cost of every stage of the plan by key, whatever was measured: the same for the same plan."""
    has_gpus, answering = bool(gpus()), fit.answering_gpus_of(plan, card_gib())
    return {stage.key: _cost(stage, plan, has_gpus, answering.get(stage.key, 1)) for stage in plan.stages}


def costs(plan: Plan) -> dict[str, Cost]:
    """The cost of every stage of the plan by key, with the times that finished stages of the store took."""
    rates, estimated = Rates(plan.store), estimates(plan)
    return {stage.key: _measured(estimated[stage.key], stage, plan, rates) for stage in plan.stages}


def _measured(cost: Cost, stage: Stage, plan: Plan, rates: Rates) -> Cost:
    """The cost with the seconds that finished stages of the store took for such work, where there are any."""
    parameters = plan.parameters.get(stage.key, 0)
    rate = rates.of(stage.kind, stage.spec, plan.execution[stage.key], parameters, cost.gpu)
    if rate is None:
        return cost
    amount = cost.tokens if stage.kind == "train" else units(stage.spec)
    return replace(cost, seconds=rate.seconds(amount), measured=True)


def _cost(stage: Stage, plan: Plan, has_gpus: bool, answering: int) -> Cost:
    """The cost of one stage; ``answering`` is the number of GPUs that hold the model of an answer."""
    parameters = plan.parameters.get(stage.key, 0)
    gpu = has_gpus or parameters >= LARGE
    match stage.kind:
        case "train":
            return _training(stage, plan, parameters, gpu)
        case "answer":
            return _answering(stage, plan, parameters, answering if gpu else 0)
        case "score" if stage.spec.judge is not None:
            return Cost(0.0, 0.0, OVERHEAD_SECONDS["score"] + _judging_seconds(stage, plan), False)
    return Cost(0.0, 0.0, OVERHEAD_SECONDS[stage.kind], False)


def share_of_peak(devices: int) -> float:
    """The share of their peak that so many GPUs reach together."""
    return next((share for most, share in SHARE_OF_PEAK if devices <= most), FAR_SHARE)


def _training(stage: Stage, plan: Plan, parameters: int, gpu: bool) -> Cost:
    execution = plan.execution[stage.key]
    assert isinstance(execution, TrainRun)
    (tokens, steps), engine = _training_tokens(stage, plan), execution.engine
    ranks = engine.ranks
    flops = 6.0 * parameters * tokens
    if not (gpu and flops):
        return Cost(tokens, flops, OVERHEAD_SECONDS["train"] + flops / (CPU_FLOPS * ranks), False, ranks)
    recipe = stage.spec.recipe
    written = (1 + len(recipe.checkpoints)) * MODEL_BYTES[recipe.export_precision]
    moving = (2.0 + written) * parameters / DISK_BANDWIDTH  # weights are read in bf16
    seconds = OVERHEAD_SECONDS["train"] + moving + flops / (GPU_PEAK * share_of_peak(ranks) * ranks)
    if engine.offload != "none":
        seconds += steps * HOST_STEP * parameters / math.ceil(ranks / NODE_RANKS)
    return Cost(tokens, flops, seconds, True, ranks)


def _answering(stage: Stage, plan: Plan, parameters: int, devices: int) -> Cost:
    """Answers on GPUs take as long as it takes to read all weights for every token that a batch of rows writes.

    ``devices`` GPUs share the weights, which are read one part after another; without a GPU it is 0.
    """
    spec, execution = stage.spec, plan.execution[stage.key]
    assert isinstance(execution, EvalRun)
    answers = (spec.items or DEFAULT_ITEMS) * spec.samples
    tokens = float(answers * ANSWER_TOKENS)
    flops = 2.0 * parameters * tokens
    if not (devices and flops):
        return Cost(tokens, flops, OVERHEAD_SECONDS["answer"] + flops / CPU_FLOPS, False)
    weights = (2.0 if spec.precision == "bf16" else 4.0) * parameters
    written = spec.decoding.max_new_tokens * math.ceil(answers / execution.batch_rows) if spec.decoding else 0
    seconds = OVERHEAD_SECONDS["answer"] + weights / DISK_BANDWIDTH + flops / (GPU_PEAK * share_of_peak(1))
    return Cost(tokens, flops, seconds + written * weights / GPU_BANDWIDTH, True, devices)


def _judging_seconds(stage: Stage, plan: Plan) -> float:
    execution = plan.execution[stage.key]
    assert isinstance(execution, JudgeRun)
    return judge_cost.estimate_score(stage, plan).calls * CALL_SECONDS / execution.concurrency


def _training_tokens(stage: Stage, plan: Plan) -> tuple[float, float]:
    """Tokens that all steps of a training stage see together, and how many steps these are."""
    recipe = stage.spec.recipe
    samples = sum(portion.samples for portion in stage.spec.portions)
    epoch = sum(
        portion.samples * sum(plan.lengths[stage.inputs[name].key] for name in portion.sources) / len(portion.sources)
        for portion in stage.spec.portions
    )
    batch = recipe.batch_tokens or recipe.batch_samples * epoch / samples
    tokens = float(recipe.steps * batch if recipe.epochs is None else epoch * recipe.epochs)
    return tokens, tokens / batch if batch else 0.0
