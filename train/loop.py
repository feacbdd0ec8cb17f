"""Stage ``train``: plan the batches, take the steps, keep resume points and export the model."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from common.json_file import write_json
from train import batches, checkpoint, export, model, probe, ranks, records, samples, step, stop
from train.engine import Engine, TorchEngine, count_parameters
from train.render import load_tokenizer
from train.spec import TrainRun, TrainSpec, checkpoint_folder

SUMMARY = "summary.json"
EXPORTED = {"fp32": torch.float32, "bf16": torch.bfloat16}

log = logging.getLogger(__name__)


def run(spec: TrainSpec, inputs: Mapping[str, Path], out: Path, execution: TrainRun) -> None:
    """Train a model and write a Hugging Face folder, metrics.jsonl, summary.json and timings.json to ``out``.

    Called in each of ``execution.engine.ranks`` processes. Continues from the newest resume point in ``out``; on one
    processor the result then equals that of an uninterrupted run byte for byte. After SIGTERM, SIGINT or SIGUSR2 it
    saves a resume point and exits with code 75. Raises a ValueError if the loss or the gradient is not finite.
    """
    if (out / SUMMARY).is_file():  # the summary is written last, so a killed attempt had only to clean up
        checkpoint.clear(out)
        return
    always = execution.engine.name == "deepspeed"
    with ranks.join(execution.engine.ranks, always=always) as group, stop.on_signals() as stop_flag:
        setup, tokenizer = prepare(spec, inputs, execution, group)
        engine, parameters = make_engine(setup, inputs, tokenizer)
        setup = probe.unpack_if_leaking(setup, engine)
        point = checkpoint.latest(out)
        if point is not None:
            engine.load(point.folder)
            log.info("continuing after step %d of %d", point.step, setup.plan.steps)
        _train(setup, engine, tokenizer, out, stop_flag, done=point.step if point else 0)
        publish(engine, tokenizer, setup, out)
        if group.first:
            write_json(out / SUMMARY, records.summary(setup, records.read_metrics(out), parameters=parameters))
            checkpoint.clear(out)


def prepare(
    spec: TrainSpec, inputs: Mapping[str, Path], execution: TrainRun, group: ranks.ProcessGroup
) -> tuple[step.TrainSetup, PreTrainedTokenizerBase]:
    """Load the samples, plan the batches, and load the tokenizer that the sources share.

    Raises a ValueError if the plan's steps would train nothing.
    """
    data = samples.load(spec.portions, inputs)
    plan = batches.plan(spec, sizes=data.sizes(), lengths=data.lengths)
    spec.recipe.check_steps(plan.steps)
    tokenizer = load_tokenizer(samples.tokenizer_folder(data.names, inputs), None)
    return step.TrainSetup(spec, execution.engine, group, data, plan), tokenizer


def make_engine(
    setup: step.TrainSetup, inputs: Mapping[str, Path], tokenizer: PreTrainedTokenizerBase
) -> tuple[Engine, int]:
    """The engine with the model to train, and the model's number of parameters."""
    recipe, config = setup.spec.recipe, setup.engine_config
    zero_stage = config.zero_stage if config.name == "deepspeed" else 0
    stored: Mapping[str, Any] = {}

    def read(folder: Path) -> PreTrainedModel:
        nonlocal stored
        if zero_stage == 3:
            stored = zero.sources(folder)
            return zero.empty(folder, recipe, config)
        return model.read_folder(folder, exact=zero_stage == 0 or recipe.precision == "fp32")

    if config.name == "deepspeed":
        from train import zero  # an optional dependency, which takes seconds to import

        zero.free_builds()
    network = model.load(setup.spec, inputs, tokenizer, read)
    parameters = count_parameters(network)
    network.train()
    if config.activation_checkpointing:
        network.gradient_checkpointing_enable()
    module = model.TokenLoss(network, autocast=recipe.precision == "bf16" and zero_stage == 0)
    if config.name == "torch":
        return TorchEngine(module, recipe, setup.group), parameters
    if zero_stage and recipe.precision == "bf16" and not stored:  # DeepSpeed rounds the weights that it is given
        stored = {name: weight.detach() for name, weight in export.weights(network)}
    engine = zero.ZeroEngine(module, recipe, config, setup.group)
    if stored:
        engine.read_weights(stored)
    return engine, parameters


def publish(engine: Engine, tokenizer: PreTrainedTokenizerBase, setup: step.TrainSetup, folder: Path) -> None:
    """Write model and tokenizer into a folder, and force them to disk. Every rank must call it."""
    folder.mkdir(parents=True, exist_ok=True)
    engine.export(folder, EXPORTED[setup.spec.recipe.export_precision])
    if setup.group.first:
        tokenizer.save_pretrained(str(folder))
        checkpoint.sync(file for file in folder.iterdir() if file.is_file())  # before resume points go, or rely on it


def _train(
    setup: step.TrainSetup, engine: Engine, tokenizer: PreTrainedTokenizerBase, out: Path, stop_flag: stop.StopFlag,
    *, done: int,
) -> None:  # fmt: skip
    """Take the steps after the first ``done``; if asked to stop, save a resume point and exit with code 75."""
    steps, group = setup.plan.steps, setup.group
    checkpoints = setup.checkpoints()
    samples_done, tokens_done = records.presented(setup, done)
    tokens_before, began = tokens_done, time.perf_counter()
    saver = checkpoint.Saver(engine, setup.engine_config, group, out, resumed=done > 0)
    with records.open_metrics(out, done=done, first=group.first) as metrics:
        for number in range(done + 1, steps + 1):
            measures = step.train_step(setup, engine, number - 1)
            batch = setup.plan.batch(number - 1)
            samples_done, tokens_done = samples_done + len(batch), tokens_done + int(setup.data.lengths[batch].sum())
            metrics.write({"step": number, "tokens": tokens_done, "samples": samples_done} | measures)
            paused = time.perf_counter()
            for share in (share for share, after in checkpoints.items() if after == number):
                publish(engine, tokenizer, setup, out / checkpoint_folder(share))
            began += time.perf_counter() - paused  # the seconds that are recorded are those of the steps
            # A signal may reach only some ranks, but all must save and stop after the same step.
            stopping, *votes = group.total([stop_flag.is_set, *saver.votes(number)])
            # A stage long enough for resume points has one before its export too, which can fail.
            ending = stopping > 0 or (number == steps and saver.has_saved)
            if ending or saver.is_due(votes):
                metrics.sync()  # before the resume point, which relies on these lines
            if ending:
                saver.save(number)
            else:
                saver.go_on(number, votes)
            if stopping and number < steps:
                log.warning("asked to stop: resume point saved after step %d of %d", number, steps)
                raise SystemExit(stop.EXIT_CODE)
    peak = group.peak_memory()
    if group.first:
        seconds = time.perf_counter() - began
        rate = (tokens_done - tokens_before) / seconds
        measured = {"steps": steps - done, "seconds": seconds, "tokens_per_second": rate, "peak_memory_bytes": peak}
        measured |= saver.timings
        write_json(out / "timings.json", measured)
