"""Load or build the model of a training stage, and compute its loss per token."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging

from common.hub import MODEL_FILES, download
from common.model_folder import check, weight_files
from train.spec import Architecture, TrainSpec

logging.disable_progress_bar()  # it would fill the log files of stages


# Model families whose logits are the output layer applied to the decoder's last hidden state, without scaling or
# capping. For these, logits of the supervised tokens alone can be computed, which saves memory and time.
PLAIN_HEADS = ("llama", "mistral", "qwen2", "qwen3", "olmo2")
CHECKED_WEIGHTS = 4  # tensors compared; comparing all would read the whole file twice
STORED = {"F16": torch.float16, "BF16": torch.bfloat16}


class TokenLoss(nn.Module):
    """A causal language model that returns the loss of each target, in nats; with ``autocast`` computed in bf16."""

    def __init__(self, model: PreTrainedModel, *, autocast: bool = False) -> None:
        super().__init__()
        self.model, self.autocast = model, autocast
        self.plain_head = model.config.model_type in PLAIN_HEADS
        parameters = inspect.signature(model.forward).parameters.values()
        # Families without position ids refuse them or ignore them; `train.probe` sees that packing does not suit those.
        self.takes_positions = any(part.name == "position_ids" or part.kind is part.VAR_KEYWORD for part in parameters)

    def forward(self, ids: Tensor, position_ids: Tensor | None, logit_index: Tensor, labels: Tensor) -> Tensor:
        """Losses [targets] in nats for ``ids`` [rows, width].

        ``position_ids`` [rows, width] restart at 0 with each sample of a packed row, None without packing. Target i is
        ``labels[i]``, predicted by the logits at ``logit_index[i]`` of the flattened rows.
        """
        with torch.autocast(ids.device.type, torch.bfloat16, enabled=self.autocast):
            logits = self._logits(ids, position_ids, logit_index)
        # In bf16, the loss of a large vocabulary would lose precision.
        return functional.cross_entropy(logits.float(), labels, reduction="none")

    def _logits(self, ids: Tensor, position_ids: Tensor | None, logit_index: Tensor) -> Tensor:
        # transformers keeps packed samples apart by their restarting positions only without a mask and without a cache.
        if self.plain_head:
            output = self.model.base_model(input_ids=ids, position_ids=position_ids, use_cache=False)
            logits: Tensor = self.model.get_output_embeddings()(output.last_hidden_state.flatten(0, 1)[logit_index])
            return logits
        positions = {"position_ids": position_ids} if self.takes_positions else {}
        output = self.model(input_ids=ids, use_cache=False, **positions)
        whole: Tensor = output.logits
        return whole.flatten(0, 1)[logit_index]


def load(
    spec: TrainSpec,
    inputs: Mapping[str, Path],
    tokenizer: PreTrainedTokenizerBase,
    read: Callable[[Path], PreTrainedModel],
) -> PreTrainedModel:
    """The model to train, in fp32, with its special tokens set to the tokenizer's. ``read`` loads a model folder.

    Raises a ValueError if there is nothing to start from, if a hub model lacks a part, or if the tokenizer has more
    tokens than the model.
    """
    if "init" in inputs:
        model = read(inputs["init"])
    elif spec.hub is not None:
        folder = download(spec.hub.repo, spec.hub.revision, MODEL_FILES)
        check(folder, f"the model {spec.hub.repo!r} at revision {spec.hub.revision!r}")
        model = read(folder)
    elif spec.architecture is not None:
        model = build(spec.architecture, vocabulary=len(tokenizer), seed=spec.seed)
    else:
        raise ValueError("no weights to start from: give the input `init`, or set `hub` or `architecture`")
    if len(tokenizer) > model.config.vocab_size:
        raise ValueError(
            f"the tokenizer has {len(tokenizer)} tokens, but the model has only {model.config.vocab_size}; "
            "tokenise the sources with this model's tokenizer"
        )
    # Generation stops at the eos token of the exported configs, which the chat template may have changed.
    for config in (model.config, model.generation_config):
        config.bos_token_id, config.eos_token_id = tokenizer.bos_token_id, tokenizer.eos_token_id
        config.pad_token_id = tokenizer.pad_token_id
    return model


def build(architecture: Architecture, *, vocabulary: int, seed: int) -> LlamaForCausalLM:
    """A Llama model in fp32 with random weights drawn from ``seed``; its output layer is tied to its embedding."""
    config = LlamaConfig(
        vocab_size=vocabulary, hidden_size=architecture.hidden_size, intermediate_size=architecture.intermediate_size,
        num_hidden_layers=architecture.num_layers, num_attention_heads=architecture.num_heads,
        num_key_value_heads=architecture.num_kv_heads, max_position_embeddings=architecture.max_length,
        rope_parameters={"rope_type": "default", "rope_theta": architecture.rope_theta}, tie_word_embeddings=True,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):  # leaves the caller's random state as it was
        torch.manual_seed(seed)
        return LlamaForCausalLM(config)


def read_folder(folder: Path, *, exact: bool = True) -> PreTrainedModel:
    """Load the model of a Hugging Face folder in fp32 and check it with `check_weights`.

    Without ``exact`` in the precision of its files instead: all ranks of a node then share the memory of one copy.
    Raises a ValueError if the folder lacks a weight, which transformers would draw at random.
    """
    dtype = torch.float32 if exact else stored_dtype(folder)
    loaded: Any = AutoModelForCausalLM.from_pretrained(
        str(folder), dtype=dtype, output_loading_info=True, trust_remote_code=False
    )
    model: PreTrainedModel = loaded[0]
    if missing := loaded[1]["missing_keys"]:
        raise ValueError(lacking(folder, missing))
    check_weights(model, folder)
    return model


def stored_dtype(folder: Path) -> torch.dtype:
    """The precision that holds all weights of a folder exactly: fp16 or bf16 where all are, else fp32."""
    found: set[torch.dtype] = set()
    for file in weight_files(folder):
        if file.suffix != ".safetensors":
            return torch.float32
        with safe_open(str(file), framework="pt") as stored:
            found |= {STORED.get(stored.get_slice(name).get_dtype(), torch.float32) for name in stored.keys()}  # noqa: SIM118
    return found.pop() if len(found) == 1 else torch.float32


def lacking(folder: Path, names: Iterable[str]) -> str:
    """The message about weights that the files of ``folder`` lack."""
    first = sorted(names)
    return (
        f"{folder}: its files lack {len(first)} weights of the model, {', '.join(first[:3])} first; "
        "get all files again, or give the folder of a whole causal language model"
    )


def check_weights(model: PreTrainedModel, folder: Path) -> None:
    """Raise a RuntimeError unless a few loaded weights equal those in the folder's safetensors files.

    Some releases of transformers re-initialised weights while loading them, without a message.
    """
    files: dict[str, Path] = {}
    for file in weight_files(folder):
        if file.suffix == ".safetensors":
            with safe_open(str(file), framework="pt") as stored:
                files |= dict.fromkeys(stored.keys(), file)
    weights = model.state_dict()
    names = sorted(files)
    for name in names[:: max(1, len(names) // CHECKED_WEIGHTS)]:
        weight = weights.get(name)
        if weight is None:  # stored under another name
            continue
        with safe_open(str(files[name]), framework="pt") as stored:
            expected = stored.get_tensor(name).to(weight.dtype)
        if not torch.equal(weight.cpu(), expected):
            raise RuntimeError(
                f"{files[name]}: {name} differs after loading, as transformers re-initialised it; use another release"
            )
