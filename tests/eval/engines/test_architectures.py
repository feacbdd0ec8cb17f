"""The local engine gives the ids of `generate` at any batch size, whatever a model makes of positions and the past."""

from __future__ import annotations

import random

import pytest
import torch
from transformers import (
    Gemma3ForCausalLM,
    Gemma3TextConfig,
    GPT2Config,
    GPT2LMHeadModel,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    MistralConfig,
    MistralForCausalLM,
    Qwen2Config,
    Qwen2ForCausalLM,
)

from eval.engines import local
from eval.spec.answers import Decoding

NEW = 12
CONTEXT = 96  # the longest prompts leave less room than they are asked for
WINDOW = 16  # shorter than every prompt but the shortest ones
SIZE = {"hidden_size": 48, "intermediate_size": 96, "num_hidden_layers": 2, "num_attention_heads": 4}
SIZE |= {"max_position_embeddings": CONTEXT, "initializer_range": 0.2, "bos_token_id": 0, "eos_token_id": 1}
GROUPED = {**SIZE, "num_key_value_heads": 2, "head_dim": 12}
LEARNED = {"n_embd": 48, "n_layer": 2, "n_head": 4, "n_positions": CONTEXT, "initializer_range": 0.2}
MODELS = {
    "rotary in part": lambda size: GPTNeoXForCausalLM(GPTNeoXConfig(vocab_size=size, rotary_pct=0.25, **SIZE)),
    "sliding windows": lambda size: MistralForCausalLM(
        MistralConfig(vocab_size=size, sliding_window=WINDOW, tie_word_embeddings=True, **GROUPED)
    ),
    "windows in some layers": lambda size: Gemma3ForCausalLM(
        Gemma3TextConfig(
            vocab_size=size, sliding_window=WINDOW, layer_types=["sliding_attention", "full_attention"], **GROUPED
        )
    ),
    "tied weights": lambda size: Qwen2ForCausalLM(Qwen2Config(vocab_size=size, tie_word_embeddings=True, **GROUPED)),
    "learned positions": lambda size: GPT2LMHeadModel(GPT2Config(vocab_size=size, **LEARNED)),
}


@pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)
def test_ids_are_those_of_generate_at_any_batch_size(make, tokenizer):
    torch.manual_seed(1)
    model, draw = make(len(tokenizer)).eval(), random.Random(2)
    model.generation_config.eos_token_id = 1
    prompts = [
        local.Prompt(str(number), tuple(draw.randrange(2, len(tokenizer)) for _ in range(draw.randint(4, CONTEXT - 8))))
        for number in range(66)
    ]
    found = _answered(model, tokenizer, prompts, 64)
    assert _answered(model, tokenizer, prompts, 8) == found
    assert _answered(model, tokenizer, prompts[:16], 1) == found[:16]
    for prompt, tokens in zip(prompts[:16], found, strict=False):
        room = min(NEW, CONTEXT - len(prompt.tokens))
        ids = torch.tensor([prompt.tokens])
        with torch.inference_mode():
            out = model.generate(
                ids, attention_mask=torch.ones_like(ids), max_new_tokens=room, do_sample=False, pad_token_id=0
            )
        assert tuple(out[0, len(prompt.tokens) :].tolist()) == tokens
    assert len({len(tokens) for tokens in found}) > 1


def _answered(model, tokenizer, prompts, size):
    decoding = Decoding(NEW, 0.0, 0)
    batches = [prompts[start : start + size] for start in range(0, len(prompts), size)]
    answers = [local.answer(model, tokenizer, batch, decoding=decoding, stops=()) for batch in batches]
    return [answer.tokens for batch in answers for answer in batch]
