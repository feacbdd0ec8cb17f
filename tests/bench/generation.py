"""Answers a second: the local engine beside the model's own `generate`, one thread, a model of a million parameters."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial

from tests.conftest import ROOT

PROMPTS, EQUAL, MIXED, ROUNDS = 256, 64, 256, 2
BATCHES = (32, 64)


def generation() -> str:
    """256 prompts of mixed lengths: answers of 64 tokens each; and answers of mixed lengths, up to 256 tokens."""
    return subprocess.run(
        [sys.executable, "-m", "tests.bench.generation"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()


def _measure() -> None:
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    model, draw = million(), random.Random(0)
    prompts = [tuple(draw.randrange(2, 1000) for _ in range(draw.randint(20, 120))) for _ in range(PROMPTS)]
    model.generation_config.eos_token_id = None
    ends = _ends(_answered(model, prompts, MIXED, []))
    for name, most, stops in (("equal", EQUAL, None), ("mixed", MIXED, ends)):
        model.generation_config.eos_token_id = stops
        theirs = {size: _best(partial(_generated, model, prompts, size, most)) for size in BATCHES}
        size = min(theirs, key=lambda size: theirs[size][0])
        took, found = _best(partial(_answered, model, prompts, most, stops or []))
        assert found == [_until(tokens, stops or []) for tokens in theirs[size][1]], "the answers differ"
        tokens = sum(map(len, found))
        print(
            f"{name} lengths (mean {tokens / PROMPTS:.0f}): {tokens / took:.0f} tokens/s CPU, generate "
            f"{tokens / theirs[size][0]:.0f} at batch {size}, {theirs[size][0] / took:.2f} times"
        )


def million():  # type: ignore[no-untyped-def]
    """A Llama of about a million parameters, its weights drawn wide enough for clear choices."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=1024, hidden_size=128, intermediate_size=384, num_hidden_layers=4, num_attention_heads=4,
        max_position_embeddings=1024, tie_word_embeddings=True, initializer_range=0.1,
    )  # fmt: skip
    return LlamaForCausalLM(config).eval()


def _ends(whole: Sequence[Sequence[int]]) -> list[int]:
    """Tokens that, if they end answers, make these about 76 tokens long in the mean."""
    ends: list[int] = []
    while sum(map(len, (_until(tokens, ends) for tokens in whole))) / len(whole) > 85:
        left = [token for tokens in whole for token in _until(tokens, ends)[20:]]
        ends.append(min(set(left), key=lambda token: (abs(left.count(token) - len(left) // 200), token)))
    return ends


def _until(tokens: Sequence[int], ends: Sequence[int]) -> list[int]:
    for place, token in enumerate(tokens):
        if token in ends:
            return list(tokens[: place + 1])
    return list(tokens)


def _generated(model, prompts, size: int, most: int) -> list[list[int]]:  # type: ignore[no-untyped-def]
    """What `generate` says to the prompts as they come, in batches of that size; ended answers are filled up."""
    import torch

    found: list[list[int]] = []
    for start in range(0, len(prompts), size):
        batch = prompts[start : start + size]
        longest = max(map(len, batch))
        ids = torch.tensor([[0] * (longest - len(tokens)) + list(tokens) for tokens in batch])
        mask = torch.tensor([[0] * (longest - len(tokens)) + [1] * len(tokens) for tokens in batch])
        with torch.inference_mode():
            out = model.generate(ids, attention_mask=mask, max_new_tokens=most, do_sample=False, pad_token_id=0)
        found += out[:, longest:].tolist()
    return found


def _answered(model, prompts, most: int, ends: Sequence[int]) -> list[list[int]]:  # type: ignore[no-untyped-def]
    """What the local engine says, in batches as the stage plans them."""
    from eval.engines import local
    from eval.engines.batches import plan
    from eval.spec.answers import Decoding

    tokenizer = _tokenizer(ends)
    found: dict[int, list[int]] = {}
    for batch in plan([len(tokens) for tokens in prompts], rows=64, tokens=1 << 17):
        asked = [local.Prompt(str(row), prompts[row]) for row in batch]
        answers = local.answer(model, tokenizer, asked, decoding=Decoding(most, 0.0, 0), stops=())
        found |= {row: list(answer.tokens) for row, answer in zip(batch, answers, strict=True)}
    return [found[place] for place in range(len(prompts))]


def _tokenizer(ends: Sequence[int]):  # type: ignore[no-untyped-def]
    """One word a token; those that end an answer are special."""
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel({f"w{number}": number for number in range(1024)}, unk_token="w0"))
    return PreTrainedTokenizerFast(
        tokenizer_object=words, additional_special_tokens=[f"w{number}" for number in ends], eos_token=None
    )


def _best(act: Callable[[], list[list[int]]]) -> tuple[float, list[list[int]]]:
    """CPU seconds of the faster of two runs, and what it returned."""
    best, found = float("inf"), []
    for _ in range(ROUNDS):
        began = time.process_time()
        found = act()
        best = min(best, time.process_time() - began)
    return best, found


if __name__ == "__main__":
    _measure()
