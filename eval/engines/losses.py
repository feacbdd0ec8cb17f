"""Teacher-forced losses of tokenised samples: a smooth measure, meaningful where accuracies are still zero."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import PreTrainedModel

Ids = NDArray[np.int32]
"""Token ids of one sample, [tokens]."""

Flags = NDArray[np.bool_]
"""Which tokens of one sample are supervised, [tokens]."""


@torch.inference_mode()
def losses(model: PreTrainedModel, ids: Sequence[Ids], supervised: Sequence[Flags]) -> list[tuple[float, int]]:
    """For each sample the summed loss in nats over its supervised tokens, and their number, in one forward pass.

    A token's loss is that of predicting it from the tokens before it, so the first token of a sample never counts.
    Samples are padded on the right, where the padding cannot affect a causal model.
    """
    longest = max(len(sample) for sample in ids)
    tokens = np.zeros((len(ids), longest), dtype=np.int64)
    mask = np.zeros((len(ids), longest), dtype=bool)
    for row, (sample, flags) in enumerate(zip(ids, supervised, strict=True)):
        tokens[row, : len(sample)], mask[row, : len(sample)] = sample, flags
    targets = torch.from_numpy(tokens)[:, 1:].to(model.device)
    counted = torch.from_numpy(mask)[:, 1:].to(model.device)
    logits = model(input_ids=torch.from_numpy(tokens).to(model.device), use_cache=False).logits[:, :-1]
    # Only supervised positions are converted to float32, as a whole batch of logits may not fit in memory.
    each = torch.nn.functional.cross_entropy(logits[counted].float(), targets[counted], reduction="none")
    rows = counted.nonzero()[:, 0]
    sums = torch.zeros(len(ids), dtype=torch.float64, device=model.device).index_add_(0, rows, each.double())
    return list(zip(sums.tolist(), counted.sum(1).tolist(), strict=True))
