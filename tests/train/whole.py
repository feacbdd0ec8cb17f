"""The parts of a training stage put together, without its loop."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from transformers import PreTrainedTokenizerBase

from train import batches, samples, step
from train.ranks import Group
from train.render import load_tokenizer
from train.spec import TrainRun, TrainSpec


def job_of(
    spec: TrainSpec, inputs: Mapping[str, Path], execution: TrainRun, group: Group
) -> tuple[step.Job, PreTrainedTokenizerBase]:
    data = samples.load(spec.portions, inputs)
    plan = batches.plan(spec, sizes=data.sizes(), lengths=data.lengths)
    tokenizer = load_tokenizer(samples.tokenizer_folder(data.names, inputs), None)
    return step.Job(spec, execution.engine, group, data, plan), tokenizer
