"""Tiny models of many architectures with random weights, as folders that a training stage starts from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import AutoModelForCausalLM, PreTrainedConfig

VOCABULARY = 400  # of the tests' tokenizer
SIZES: dict[str, Any] = {
    "vocab_size": VOCABULARY, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
    "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 256, "head_dim": 8,
    "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2,
}  # fmt: skip
GPT2: dict[str, Any] = {
    "vocab_size": VOCABULARY, "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 256, "bos_token_id": 1,
    "eos_token_id": 2,
}  # fmt: skip
WINDOW = 8  # shorter than the tests' samples

ISOLATING: dict[str, PreTrainedConfig] = {
    "llama": transformers.LlamaConfig(**SIZES),
    "mistral, sliding window": transformers.MistralConfig(**SIZES, sliding_window=WINDOW),
    "qwen2": transformers.Qwen2Config(**SIZES),
    "qwen3": transformers.Qwen3Config(**SIZES),
    "olmo2": transformers.Olmo2Config(**SIZES),
    "gemma2, sliding window": transformers.Gemma2Config(**SIZES, sliding_window=WINDOW),
    "gemma3, sliding window": transformers.Gemma3TextConfig(**SIZES, sliding_window=WINDOW),
    "gemma4, buffers": transformers.Gemma4TextConfig(
        **SIZES, hidden_size_per_layer_input=0, global_head_dim=8, layer_types=["sliding_attention", "full_attention"],
        num_kv_shared_layers=0,
    ),
    "phi3": transformers.Phi3Config(**SIZES),
    "gpt_neox": transformers.GPTNeoXConfig(**SIZES),
    "gpt2, dropout, learned positions": transformers.GPT2Config(**GPT2),
    "mixtral, experts": transformers.MixtralConfig(**SIZES, num_local_experts=4),
    "smollm3, layers without positions": transformers.SmolLM3Config(**SIZES, no_rope_layers=[0, 1]),
}  # fmt: skip
"""Families that keep packed samples apart."""

LEAKING: dict[str, PreTrainedConfig] = {
    "bloom, alibi": transformers.BloomConfig(
        vocab_size=VOCABULARY, hidden_size=32, n_layer=2, n_head=4, bos_token_id=1, eos_token_id=2
    ),
    "opt": transformers.OPTConfig(
        vocab_size=VOCABULARY, hidden_size=32, ffn_dim=64, num_hidden_layers=2, num_attention_heads=4,
        max_position_embeddings=256, word_embed_proj_dim=32,
    ),
    "mpt, alibi": transformers.MptConfig(vocab_size=VOCABULARY, d_model=32, n_layers=2, n_heads=4, max_seq_len=256),
    "falcon, alibi": transformers.FalconConfig(
        vocab_size=VOCABULARY, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, alibi=True, bos_token_id=1,
        eos_token_id=2,
    ),
    "falcon, rotary": transformers.FalconConfig(
        vocab_size=VOCABULARY, hidden_size=32, num_hidden_layers=2, num_attention_heads=4, alibi=False, bos_token_id=1,
        eos_token_id=2,
    ),
    "mamba2, a state": transformers.Mamba2Config(
        vocab_size=VOCABULARY, hidden_size=32, num_hidden_layers=2, num_heads=8, head_dim=8, state_size=8, n_groups=1,
        chunk_size=16,
    ),
    "gpt_oss, sinks": transformers.GptOssConfig(
        **SIZES, num_local_experts=4, sliding_window=WINDOW, rope_parameters={"rope_type": "default", "rope_theta": 1e4}
    ),
    "lfm2, convolutions": transformers.Lfm2Config(
        **{name: value for name, value in SIZES.items() if name != "head_dim"},
        layer_types=["conv", "full_attention"],
    ),
}  # fmt: skip
"""Families that do not."""


def write(config: PreTrainedConfig, folder: Path) -> Path:
    """Save a model in ``folder``, with random weights as large as trained ones, through which leaks show."""
    torch.manual_seed(0)
    model = AutoModelForCausalLM.from_config(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(4)
        for name, buffer in model.named_buffers():
            if name in model.state_dict():
                buffer.fill_(0.5)
    model.save_pretrained(str(folder))
    return folder
