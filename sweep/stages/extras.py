"""The extras of dosage-llm that the stages of a sweep need."""

from __future__ import annotations

from collections.abc import Iterable

from eval.spec.answers import AnswerSpec, EvalRun
from eval.spec.judge import JudgeRun
from sweep.stages.stage import Stage
from train.spec import TrainRun

Execution = TrainRun | EvalRun | JudgeRun | None


def extras(work: Iterable[tuple[Stage, Execution]]) -> list[str]:
    """Names of the extras without which these stages cannot run, each once."""
    names: dict[str, None] = {}
    for stage, execution in work:
        names |= {"train": None, "eval": None}  # a worker imports both before its first stage
        if isinstance(execution, TrainRun) and execution.engine.name == "deepspeed":
            names["gpu"] = None
        if isinstance(stage.spec, AnswerSpec) and stage.spec.engine == "vllm":
            names["vllm"] = None
    return list(names)
