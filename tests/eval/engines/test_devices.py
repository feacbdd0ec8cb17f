"""On which GPUs models of known sizes lie, by accelerate's own arithmetic, and answers of a model that is spread."""

from __future__ import annotations

import sys

import pytest
import torch
from transformers import AutoModelForCausalLM, LlamaConfig, PreTrainedModel

from eval.engines import local
from eval.engines.devices import GIB, device_map
from eval.engines.vllm import parallel_size
from eval.spec.answers import Decoding

SHAPES = {7: (4096, 11008, 32, 32), 13: (5120, 13824, 40, 40), 33: (6656, 17920, 60, 52), 65: (8192, 22016, 80, 64)}


def llama(size: int) -> PreTrainedModel:
    """The shapes of LLaMA's weights in bf16, after its paper."""
    hidden, inner, layers, heads = SHAPES[size]
    config = LlamaConfig(
        vocab_size=32000, hidden_size=hidden, intermediate_size=inner, num_hidden_layers=layers,
        num_attention_heads=heads,
    )  # fmt: skip
    with torch.device("meta"):
        return AutoModelForCausalLM.from_config(config, dtype=torch.bfloat16)


@pytest.mark.parametrize(
    ("size", "card", "visible", "used"),
    [(7, 80, 8, 0), (13, 80, 8, 0), (33, 80, 1, 0), (33, 80, 2, 2), (33, 24, 4, 4), (65, 80, 2, 2), (65, 80, 4, 4)],
)
def test_a_model_lies_on_as_many_gpus_as_hold_it(size: int, card: int, visible: int, used: int):
    model = llama(size)
    found = device_map(model, [card * GIB] * visible, "llama")
    assert len(set(found.values())) == used
    if not used:
        return
    weights: dict[int, int] = dict.fromkeys(range(visible), 0)
    for name, weight in model.named_parameters():
        (place,) = {gpu for part, gpu in found.items() if name == part or name.startswith(f"{part}.")}
        weights[place] += 2 * weight.numel()
    even = sum(weights.values()) / visible
    assert max(weights.values()) < 1.2 * even and max(weights.values()) < 0.85 * card * GIB
    layers = {name.removesuffix(".self_attn") for name in found if ".layers." in name}
    assert all(name.count(".") <= 2 for name in layers)  # no layer is cut


@pytest.mark.parametrize(("size", "card", "visible"), [(65, 80, 1), (33, 24, 2), (7, 8, 1)])
def test_a_model_that_no_gpus_hold_is_named(size: int, card: int, visible: int):
    with pytest.raises(ValueError, match=rf"model big: its weights take .*; {visible} GPU\(s\) of {card} GiB do not"):
        device_map(llama(size), [card * GIB] * visible, "big")


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch):
    find = sys.modules["common.extras"].find_spec
    monkeypatch.setattr("common.extras.find_spec", lambda name: None if name == "accelerate" else find(name))
    with pytest.raises(ValueError, match=r"accelerate, which is not installed: pip install 'dosage-llm\[sharded\]'"):
        device_map(llama(65), [80 * GIB] * 2, "big")


@pytest.mark.parametrize(
    ("heads", "visible", "size"), [(32, 8, 8), (40, 8, 8), (52, 4, 4), (52, 8, 4), (64, 8, 8), (7, 1, 1)]
)
def test_vllm_gets_as_many_gpus_as_share_the_heads(heads: int, visible: int, size: int):
    assert parallel_size(heads, visible) == size


def test_a_model_in_parts_gives_the_same_answers(model_folder, tokenizer, tmp_path):
    """With accelerate's hooks around each part, which move weights and what parts exchange; one part is on disk."""
    prompts = [local.Prompt(str(number), tuple(range(2, 5 + 7 * number))) for number in range(4)]
    places = dict.fromkeys(("model.embed_tokens", "model.norm", "model.rotary_emb", "model.layers.0", "lm_head"), "cpu")
    places["model.layers.1"] = "disk"
    answers = []
    for where in (None, places):
        model = AutoModelForCausalLM.from_pretrained(
            model_folder, dtype=torch.float32, device_map=where, offload_folder=str(tmp_path)
        ).eval()
        assert hasattr(model.model.layers[0], "_hf_hook") == (where is not None)
        answers.append(local.answer(model, tokenizer, prompts, decoding=Decoding(24, 0.0, 0), stops=()))
    assert answers[0] == answers[1]
