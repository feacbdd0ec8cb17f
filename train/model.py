"""The model of a training stage, loaded or built, and its loss per token."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor, nn
from torch.nn import functional
from transformers import AutoModelForCausalLM, LlamaConfig, LlamaForCausalLM, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import logging

from common.hub import download
from train.render import TOKENIZER_FILES
from train.spec import Architecture, TrainSpec

logging.disable_progress_bar()


# Families whose logits are the output embedding of the decoder's last state and nothing else, so that only the
# supervised places need logits at all.
PLAIN_HEADS = ("llama", "mistral", "qwen2", "qwen3", "olmo2")
CHECKED_WEIGHTS = 4
MODEL_FILES = ["*.safetensors", *TOKENIZER_FILES]


class TokenLoss(nn.Module):
    """A causal language model that returns the loss of each target, in nats."""

    def __init__(self, model: PreTrainedModel) -> None:
        super().__init__()
        self.model = model
        self.plain = model.config.model_type in PLAIN_HEADS

    def forward(self, ids: Tensor, positions: Tensor | None, places: Tensor, labels: Tensor) -> Tensor:
        """Losses [targets] for ``ids`` [rows, width]; ``places`` index the flattened rows.

        No attention mask is passed and no cache is used: only so do positions that restart keep packed samples apart.
        """
        if self.plain:
            states = self.model.base_model(input_ids=ids, position_ids=positions, use_cache=False).last_hidden_state
            logits = self.model.get_output_embeddings()(states.flatten(0, 1)[places])
        else:
            logits = self.model(input_ids=ids, position_ids=positions, use_cache=False).logits.flatten(0, 1)[places]
        return functional.cross_entropy(logits.float(), labels, reduction="none")


def load(
    spec: TrainSpec,
    inputs: Mapping[str, Path],
    tokenizer: PreTrainedTokenizerBase,
    read: Callable[[Path], PreTrainedModel],
) -> PreTrainedModel:
    """The model to train, in fp32, with the tokenizer's special tokens as its own; ``read`` opens a folder."""
    if "init" in inputs:
        model = read(inputs["init"])
    elif spec.hub is not None:
        model = read(download(spec.hub.repo, spec.hub.revision, MODEL_FILES))
    elif spec.architecture is not None:
        model = build(spec.architecture, vocabulary=len(tokenizer), seed=spec.seed)
    else:
        raise ValueError("no weights to start from: give the input `init`, `hub`, or `architecture`")
    if len(tokenizer) > model.config.vocab_size:
        raise ValueError(
            f"the tokenizer has {len(tokenizer)} tokens, the model only {model.config.vocab_size}; "
            "tokenise the sources with the tokenizer of this model"
        )
    for config in (model.config, model.generation_config):
        config.bos_token_id, config.eos_token_id = tokenizer.bos_token_id, tokenizer.eos_token_id
        config.pad_token_id = tokenizer.pad_token_id
    return model


def build(architecture: Architecture, *, vocabulary: int, seed: int) -> LlamaForCausalLM:
    """A Llama with fresh weights that depend on the seed alone; embeddings and output are tied."""
    config = LlamaConfig(
        vocab_size=vocabulary, hidden_size=architecture.hidden_size, intermediate_size=architecture.intermediate_size,
        num_hidden_layers=architecture.num_layers, num_attention_heads=architecture.num_heads,
        num_key_value_heads=architecture.num_kv_heads, max_position_embeddings=architecture.max_length,
        rope_parameters={"rope_type": "default", "rope_theta": architecture.rope_theta}, tie_word_embeddings=True,
    )  # fmt: skip
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return LlamaForCausalLM(config)


def read_folder(folder: Path) -> PreTrainedModel:
    """The model of a Hugging Face folder, whole, checked against the file."""
    model = AutoModelForCausalLM.from_pretrained(str(folder), dtype=torch.float32)
    check_weights(model, folder)
    return model


def check_weights(model: PreTrainedModel, folder: Path) -> None:
    """Raise a RuntimeError unless a few loaded weights equal those in the folder's safetensors file."""
    file = folder / "model.safetensors"
    if not file.is_file():  # several shards: their loader checks each against the index
        return
    weights = model.state_dict()
    with safe_open(str(file), framework="pt") as stored:
        names = sorted(stored.keys())
        for name in names[:: max(1, len(names) // CHECKED_WEIGHTS)]:
            weight = weights.get(name)
            if weight is None or weight.numel() == 0:
                continue
            if not torch.equal(weight.cpu(), stored.get_tensor(name).to(weight.dtype)):
                raise RuntimeError(f"{file}: {name} differs after loading; the model library has initialised it anew")
