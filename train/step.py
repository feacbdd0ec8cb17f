"""One optimiser step, the same for one process and for several."""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import torch
from torch import Tensor

from train import batches, pack, schedule
from train.engine import Engine
from train.ranks import ProcessGroup
from train.samples import TokenizedSamples
from train.spec import EngineConfig, TrainSpec


@dataclass(frozen=True)
class TrainSetup:
    """What every step of a stage uses: spec, engine settings, processes, samples and batch plan."""

    spec: TrainSpec
    engine_config: EngineConfig
    group: ProcessGroup
    data: TokenizedSamples
    plan: batches.BatchPlan

    def checkpoints(self) -> dict[str, int]:
        """The step, the nearest one, after which the model of each share in ``recipe.checkpoints`` is published."""
        return {share: max(1, round(Fraction(share) * self.plan.steps)) for share in self.spec.recipe.checkpoints}


def train_step(setup: TrainSetup, engine: Engine, step: int) -> dict[str, float]:
    """Train on the batch of ``step`` (from 0).

    Returns ``loss`` in nats (the sum over the batch's supervised tokens, on all ranks, divided by their number), the
    same as ``loss/SOURCE`` for each source that has supervised tokens in the batch, ``learning_rate`` and
    ``grad_norm``. Raises a ValueError if the loss or the gradient norm is not finite.
    """
    # A seed for each step and rank makes dropout reproducible after a resume without saving generator states.
    torch.manual_seed(_seed(setup.spec.seed, step, setup.group.rank))
    batch = setup.plan.batch(step)
    loss_sums = accumulate(setup, engine, batch)
    targets = np.bincount(setup.data.source[batch], weights=setup.data.targets[batch], minlength=len(setup.data.names))
    loss = _finite("loss", float(loss_sums.sum() / targets.sum()), step)
    recipe = setup.spec.recipe
    rate = recipe.learning_rate * schedule.rate_factor(recipe, step=step, steps=setup.plan.steps)
    norm = _finite("gradient norm", engine.update(rate), step)
    source_losses = {
        f"loss/{name}": float(loss_sum / count)
        for name, loss_sum, count in zip(setup.data.names, loss_sums, targets, strict=True)
        if count
    }
    return {"loss": loss} | source_losses | {"learning_rate": rate, "grad_norm": norm}


def _finite(name: str, value: float, step: int) -> float:
    if not math.isfinite(value):
        raise ValueError(
            f"step {step + 1}: the {name} is {value}; "
            "lower recipe.learning_rate, lengthen recipe.warmup, or set recipe.precision=fp32"
        )
    return value


def accumulate(setup: TrainSetup, engine: Engine, batch: np.ndarray) -> np.ndarray:
    """Accumulate the gradient of the batch's mean loss; return each source's summed loss over all ranks, in nats.

    ``batch`` holds sample numbers; the result is [sources].
    """
    config = setup.engine_config
    micro_batches = pack.divide(
        batch, setup.data.lengths, ranks=config.ranks, micro_tokens=config.micro_tokens, pack=config.pack
    )[setup.group.rank]
    # Engines average gradients over the ranks; the factor ``size`` turns that average into a sum.
    weight = setup.group.size / int(setup.data.targets[batch].sum())
    loss_sums = np.zeros(len(setup.data.names))
    for number, layout in enumerate(micro_batches, start=1):
        micro = pack.collate(layout, setup.data, pack=config.pack)
        losses = engine.losses(*to_tensors(micro, setup.group.device))
        engine.backward(losses.sum() * weight, last=number == len(micro_batches))
        loss_sums += np.bincount(micro.source, weights=losses.detach().cpu().double().numpy(), minlength=len(loss_sums))
    return np.array(setup.group.total(loss_sums.tolist()))


def to_tensors(micro: pack.MicroBatch, device: torch.device) -> tuple[Tensor, Tensor | None, Tensor, Tensor]:
    """The ids, position ids, logit index and labels of a micro-batch on ``device``, as `Engine.losses` takes them."""
    position_ids = None if micro.position_ids is None else torch.from_numpy(micro.position_ids).to(device)
    ids, logit_index, labels = (
        torch.from_numpy(array).to(device) for array in (micro.ids, micro.logit_index, micro.labels)
    )
    return ids, position_ids, logit_index, labels


def _seed(seed: int, step: int, rank: int) -> int:
    digest = hashlib.sha256(f"{seed}\0{step}\0{rank}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1
