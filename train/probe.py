"""Whether a model keeps the samples of a packed row apart, tried on the model itself.

In transformers 5.23 Bloom, Falcon, GPT-OSS, LFM2, Mamba, MPT and OPT do not, without a message, and releases differ.
"""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
from torch import Tensor

from train import pack
from train.engine import Engine
from train.samples import TokenizedSamples
from train.step import TrainSetup, to_tensors

TOKENS = 16  # of a probe sample; also enough for convolutions and short windows
TOLERANCE = {"fp32": 1e-5, "bf16": 1e-3}
ROW_TOLERANCE = {"fp32": 1e-3, "bf16": 0.5}
"""Nats by which rounding may change the loss of a token: in a row of the same shape beside another sample, and in a row
of another shape, where other kernels may run."""

NOISE = 8  # a change of up to 8 times the rounding measured still counts as rounding

log = logging.getLogger(__name__)


def unpack_if_leaking(setup: TrainSetup, engine: Engine) -> TrainSetup:
    """``setup``, with packing off if the engine's model lets packed samples see each other. Every rank must call it."""
    config = setup.engine_config
    if not config.pack or not setup.group.any(leaks(setup, engine)):
        return setup
    log.warning(
        "this model lets samples that are packed into one row see each other, so it is trained with one sample a row, "
        "as with engine.pack=false"
    )
    return replace(setup, engine_config=replace(config, pack=False))


def leaks(setup: TrainSetup, engine: Engine) -> bool:
    """Whether the loss of a sample depends on the sample before it in a packed row, or differs from its loss alone."""
    device, precision = setup.group.device, setup.spec.recipe.precision
    data = _probe_samples(setup.data)
    # After a copy of itself that it sees, a trained model knows each next token, the largest change a leak can make.
    rows = ((0, 0), (1, 0), (0, 1))
    packed = engine.evaluate(*to_tensors(pack.collate(rows, data, pack=True), device))
    alone = engine.evaluate(*to_tensors(pack.collate(((0,),), data, pack=False), device))
    before_itself, after_itself, _, after_other, before_other, _ = packed.reshape(6, TOKENS - 1).unbind()
    # No causal model sees what follows a sample, so a change is rounding.
    rounding = _largest_change(before_itself, before_other)
    return (
        _largest_change(after_itself, after_other) > TOLERANCE[precision] + NOISE * rounding
        or _largest_change(after_itself, alone) > ROW_TOLERANCE[precision] + NOISE * rounding
    )


def _largest_change(losses: Tensor, others: Tensor) -> float:
    return float((losses - others).abs().max())


def _probe_samples(data: TokenizedSamples) -> TokenizedSamples:
    """Two samples of random tokens that occur in ``data``; all but the first token of each are targets."""
    ids = np.random.default_rng(0).choice(np.unique(data.ids), 2 * TOKENS)
    offsets = np.arange(3) * TOKENS
    supervised = np.ones(2 * TOKENS, dtype=np.bool_)
    supervised[offsets[:2]] = False
    return TokenizedSamples(("probe",), ids, supervised, offsets, np.zeros(2, dtype=np.int64))
