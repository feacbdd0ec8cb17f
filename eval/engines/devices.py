"""On which GPUs a model lies: on one where that holds it, otherwise layer by layer on all that the process sees."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from common.extras import require

SHARE = 0.7
"""Share of a GPU above which weights are spread over several, where there are any, for the sake of the cache."""

FULL = 0.9
"""Share of a GPU that weights may fill at most."""

GIB = 2**30


def cards() -> list[int]:
    """Bytes of memory of each GPU that this process sees."""
    return [torch.cuda.get_device_properties(number).total_memory for number in range(torch.cuda.device_count())]


def outline(source: str, revision: str, dtype: torch.dtype) -> PreTrainedModel:
    """A model with the shapes of its weights alone. Raises OSError where its config cannot be read."""
    config = AutoConfig.from_pretrained(source, revision=revision, trust_remote_code=False)
    with torch.device("meta"):
        model: PreTrainedModel = AutoModelForCausalLM.from_config(config, dtype=dtype)
    return model


def device_map(model: PreTrainedModel, memory: Sequence[int], name: str) -> dict[str, int]:
    """The GPU of each part of a model, by the part's name; empty where one holds all of it.

    ``memory`` holds the bytes of each GPU. The parts are spread evenly, so that every GPU has room for its share of the
    cache. Raises ValueError where all GPUs together do not hold the model, or accelerate is not installed.
    """
    weights = _bytes(model)
    if weights <= (SHARE if len(memory) > 1 else FULL) * memory[0]:
        return {}
    whole = set(getattr(model, "_no_split_modules", None) or ())
    blocks = [part for part in model.modules() if type(part).__name__ in whole or not any(part.children())]
    # One block more than an even part, since blocks are not cut; and one that accelerate keeps free on the first GPU.
    limit = weights // len(memory) + 2 * max(map(_bytes, blocks))
    if len(memory) == 1 or limit > FULL * min(memory):
        raise ValueError(
            f"model {name}: its weights take {weights / GIB:.3g} GiB; {len(memory)} GPU(s) of "
            f"{min(memory) / GIB:.3g} GiB do not hold them with room for answers; give it more GPUs (on SLURM "
            "hydra.launcher.answer.gpus_per_node, elsewhere CUDA_VISIBLE_DEVICES), or precision bf16"
        )
    require(f"model {name}, which no single GPU holds,", ["sharded"])
    from accelerate import infer_auto_device_map

    limits = dict.fromkeys(range(len(memory)), limit)
    found: dict[str, int] = infer_auto_device_map(model, limits, sorted(whole))
    assert set(found.values()) <= set(limits)  # nothing on disk: the limits have room for all blocks
    return found


def _bytes(part: torch.nn.Module) -> int:
    return sum(weight.numel() * weight.element_size() for weight in part.parameters())
