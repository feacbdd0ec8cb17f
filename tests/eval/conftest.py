"""Tiny real models of three architectures, a tokenizer, and files of items, made once."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import (
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForCausalLM,
)

TEMPLATE = (
    "<s>{% for message in messages %}{{ message['role'] }}: {{ message['content'] }}<end>{% endfor %}"
    "{% if add_generation_prompt %}assistant:\n{% endif %}"
)
WORDS = ["apples", "pears", "boxes", "of", "Tom", "has", "gives", "away", "and", "buys", "how", "many", "are", "left"]


@pytest.fixture(scope="session", autouse=True)
def one_thread():
    torch.set_num_threads(1)


def sentence(draw: random.Random) -> str:
    return " ".join(draw.choices(WORDS, k=draw.randint(3, 30))) + f" {draw.randint(0, 99)}?"


@pytest.fixture(scope="session")
def tokenizer():
    pieces = Tokenizer(models.BPE())
    pieces.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    pieces.decoder = decoders.ByteLevel()
    draw = random.Random(0)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(vocab_size=400, special_tokens=["<s>", "<end>"], initial_alphabet=alphabet)
    pieces.train_from_iterator([sentence(draw) for _ in range(200)], trainer)
    made = PreTrainedTokenizerFast(tokenizer_object=pieces, bos_token="<s>", eos_token="<end>")
    made.chat_template = TEMPLATE
    return made


def tiny(name: str, vocabulary: int, width: int = 48):
    """A model with random weights, drawn wide enough for its choices to be clear."""
    torch.manual_seed(0)
    ends = {"bos_token_id": 0, "eos_token_id": 1}
    if name == "gpt2":
        config = GPT2Config(vocab_size=vocabulary, n_embd=width, n_layer=2, n_head=4, n_positions=256, **ends)
        config.initializer_range = 0.2
        return GPT2LMHeadModel(config).eval()
    shape = {"hidden_size": width, "intermediate_size": 2 * width, "num_hidden_layers": 2, "num_attention_heads": 4}
    shape |= {"num_key_value_heads": 2, "max_position_embeddings": 256, "initializer_range": 0.2, **ends}
    if name == "qwen2":
        return Qwen2ForCausalLM(Qwen2Config(vocab_size=vocabulary, **shape)).eval()
    return LlamaForCausalLM(LlamaConfig(vocab_size=vocabulary, **shape)).eval()


@pytest.fixture(scope="session", params=["llama", "gpt2", "qwen2"])
def model(request, tokenizer):
    return tiny(request.param, len(tokenizer))


@pytest.fixture(scope="session")
def model_folder(tokenizer, tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    tiny("llama", len(tokenizer)).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def problems(tmp_path_factory):
    """A folder with 90 items in the format of GSM8K."""
    draw = random.Random(1)
    rows = [{"question": sentence(draw), "answer": f"So it is.\n#### {draw.randint(0, 9)}"} for _ in range(90)]
    folder = tmp_path_factory.mktemp("problems")
    (folder / "math.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


@pytest.fixture(scope="session")
def tokens_folder(tmp_path_factory, tokenizer):
    """Twelve tokenised samples, of which the second half of the tokens is supervised; the last has none."""
    folder, draw = tmp_path_factory.mktemp("tokens"), np.random.default_rng(0)
    lengths = draw.integers(4, 60, size=12)
    offsets = np.concatenate([[0], lengths.cumsum()])
    flags = np.concatenate([np.arange(length) >= length // 2 for length in lengths])
    flags[offsets[-2] :] = False
    np.save(folder / "ids.npy", draw.integers(0, len(tokenizer), size=offsets[-1]).astype(np.int32))
    np.save(folder / "supervised.npy", flags)
    np.save(folder / "offsets.npy", offsets.astype(np.int64))
    return folder


def descendants(root: int) -> set[int]:
    """All living processes below one, by the kernel's word."""
    parents = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
            except OSError:
                continue
            if fields[0] != "Z":
                parents[int(entry.name)] = int(fields[1])
    found, front = set(), {root}
    while front:
        front = {child for child, parent in parents.items() if parent in front}
        found |= front
    return found


@pytest.fixture
def living():
    return lambda: descendants(os.getpid())
