"""Stage ``train``: plan the batches, do the steps, keep resume points, export."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping
from functools import partial
from pathlib import Path

from transformers import PreTrainedTokenizerBase

from common.json_file import write_json
from train import batches, checkpoint, model, ranks, records, samples, step, stop, track
from train.engine import TorchTrainer, Trainer
from train.render import load_tokenizer
from train.spec import TrainRun, TrainSpec

SUMMARY = "summary.json"

log = logging.getLogger(__name__)


def run(spec: TrainSpec, inputs: Mapping[str, Path], out: Path, execution: TrainRun) -> None:
    """Train, and write a Hugging Face folder, metrics.jsonl, summary.json and timings.json to ``out``.

    Called in each of ``how.engine.ranks`` processes. Goes on from the newest resume point in ``out``; on the CPU the
    result is then equal, byte for byte, to an uninterrupted one's. After SIGTERM, SIGINT or SIGUSR2 it saves a resume
    point and exits with code 75. Raises a ValueError when the loss is not finite.
    """
    if (out / SUMMARY).is_file():  # killed after its last act: the summary is written when all else is
        checkpoint.clear(out)
        return
    with (
        ranks.group(execution.engine.ranks, always=execution.engine.name == "deepspeed") as group,
        stop.listening() as wish,
    ):
        data = samples.load(spec.portions, inputs)
        plan = batches.plan(spec, sizes=data.sizes(), lengths=data.lengths)
        job = step.Job(spec, execution.engine, group, data, plan)
        tokenizer = load_tokenizer(samples.tokenizer_folder(data.names, inputs), None)
        trainer, parameters = make_trainer(job, inputs, tokenizer)
        point = checkpoint.latest(out, execution.engine)
        if point is not None:
            trainer.load(point.folder)
            log.info("going on after step %d of %d", point.step, plan.steps)
        _train(job, trainer, out, execution, wish, done=point.step if point else 0)
        trainer.export(out)
        if group.first:
            tokenizer.save_pretrained(str(out))
            account = records.summary(job, records.read_metrics(out), parameters=parameters)
            write_json(out / SUMMARY, account)
            checkpoint.clear(out)


def make_trainer(job: step.Job, inputs: Mapping[str, Path], tokenizer: PreTrainedTokenizerBase) -> tuple[Trainer, int]:
    """The engine with the model in it, and the model's number of parameters."""
    recipe, engine = job.spec.recipe, job.engine
    read = model.read_folder
    if engine.name == "deepspeed":
        from train import zero  # DeepSpeed takes seconds to import and is an extra

        if engine.zero_stage == 3:
            read = partial(zero.read_sharded, recipe=recipe, engine=engine)
    network = model.load(job.spec, inputs, tokenizer, read)
    parameters = network.num_parameters()
    network.train()
    if engine.activation_checkpointing:
        network.gradient_checkpointing_enable()
    module = model.TokenLoss(network)
    if engine.name == "deepspeed":
        return zero.ZeroTrainer(module, recipe, engine, job.group), parameters
    return TorchTrainer(module, recipe, job.group), parameters


def _train(job: step.Job, trainer: Trainer, out: Path, execution: TrainRun, wish: stop.Stop, *, done: int) -> None:
    """Do the steps after the first ``done``; exit with code 75 if asked to stop."""
    steps, group = job.plan.steps, job.group
    shown, tokens = records.shown_before(job, done)
    before, began = tokens, time.perf_counter()
    with (
        records.open_metrics(out, done=done, first=group.first) as metrics,
        track.open_tracker(execution, job) as tracker,
    ):
        for number in range(done, steps):
            measures = step.do(job, trainer, number)
            batch = job.plan.batch(number)
            shown, tokens = shown + len(batch), tokens + int(job.data.lengths[batch].sum())
            record = {"step": number + 1, "tokens": tokens, "samples": shown} | measures
            metrics.write(record)
            tracker.log(record)
            stopping = group.any(wish.asked) and number + 1 < steps
            if stopping or ((number + 1) % job.engine.checkpoint_steps == 0 and number + 1 < steps):
                metrics.sync()
                checkpoint.save(trainer, step=number + 1, engine=job.engine, group=group, out=out)
            if stopping:
                log.warning("asked to stop: resume point saved after step %d of %d", number + 1, steps)
                raise SystemExit(stop.EXIT_CODE)
    if group.first:
        seconds = time.perf_counter() - began
        timings = {"steps": steps - done, "seconds": seconds, "tokens_per_second": (tokens - before) / seconds}
        write_json(out / "timings.json", timings)
