"""One optimiser step, the same on one process and on many."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from train import batches, pack, schedule
from train.engine import Trainer
from train.ranks import Group
from train.samples import TokenizedSamples
from train.spec import EngineConfig, TrainSpec


@dataclass(frozen=True)
class Job:
    """What every step needs: the spec, the engine's settings, the processes, the samples and the plan of batches."""

    spec: TrainSpec
    engine: EngineConfig
    group: Group
    data: TokenizedSamples
    plan: batches.BatchPlan


def do(job: Job, trainer: Trainer, step: int) -> dict[str, float]:
    """Train on the batch of a step (from 0) and return its measures.

    The loss is the sum over the batch's supervised tokens divided by their number, whoever holds them. Raises a
    ValueError if it or the gradient is not finite.
    """
    # Seeded anew for every step and rank, so that a resumed run needs no saved generator.
    torch.manual_seed(_seed(job.spec.seed, step, job.group.rank))
    batch = job.plan.batch(step)
    sums = _accumulate(job, trainer, batch)
    counts = np.bincount(job.data.source[batch], weights=job.data.targets[batch], minlength=len(sums))
    loss = _finite("loss", float(sums.sum() / counts.sum()), step)
    rate = job.spec.recipe.learning_rate * schedule.share(job.spec.recipe, step=step, steps=job.plan.steps)
    norm = _finite("gradient norm", trainer.update(rate), step)
    record = {"loss": loss}
    for name, value, count in zip(job.data.names, sums, counts, strict=True):
        if count:  # a source without a target in this batch has no loss
            record[f"loss/{name}"] = float(value / count)
    return record | {"learning_rate": rate, "grad_norm": norm}


def _finite(name: str, value: float, step: int) -> float:
    if not math.isfinite(value):
        raise ValueError(
            f"step {step + 1}: the {name} is {value}; "
            "lower recipe.learning_rate, lengthen recipe.warmup, or set recipe.precision=fp32"
        )
    return value


def _accumulate(job: Job, trainer: Trainer, batch: np.ndarray) -> np.ndarray:
    """Add up the gradient of a batch; the summed loss of each source over all ranks, in nats."""
    engine = job.engine
    shares = pack.divide(
        batch, job.data.lengths, ranks=engine.ranks, micro_tokens=engine.micro_tokens, pack=engine.pack
    )
    mine = shares[job.group.rank]
    # Engines average gradients over ranks; times the number of ranks, their average is the sum.
    weight = job.group.size / int(job.data.targets[batch].sum())
    sums = np.zeros(len(job.data.names))
    for number, layout in enumerate(mine, start=1):
        micro = pack.collate(layout, job.data, pack=engine.pack)
        losses = trainer.losses(*_tensors(micro, job.group.device))
        trainer.backward(losses.sum() * weight, last=number == len(mine))
        sums += np.bincount(micro.source, weights=losses.detach().cpu().double().numpy(), minlength=len(sums))
    return np.array(job.group.total(sums.tolist()))


def _tensors(micro: pack.MicroBatch, device: torch.device) -> tuple[Tensor, Tensor | None, Tensor, Tensor]:
    positions = None if micro.positions is None else torch.from_numpy(micro.positions).to(device)
    ids, places, labels = (torch.from_numpy(part).to(device) for part in (micro.ids, micro.places, micro.labels))
    return ids, positions, places, labels


def _seed(seed: int, step: int, rank: int) -> int:
    digest = hashlib.sha256(f"{seed}\0{step}\0{rank}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1
