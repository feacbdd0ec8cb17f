"""Tokens a second: the local engine beside the model's own `generate`, with a model of a million parameters."""

from __future__ import annotations

import random
from collections.abc import Sequence
from functools import partial

from tests.bench.timing import cpu_seconds, fresh_process

PROMPTS = 256
EQUAL_TOKENS, MIXED_TOKENS = 64, 256  # most tokens of an answer, where all are of one length and where they differ
MIXED_MEAN = 85
ROUNDS = 2  # of which the faster one counts
BATCHES = (32, 64)  # of `generate`, of which the faster one counts


def generation() -> str:
    """256 prompts of mixed lengths on one thread: answers of 64 tokens each, and of mixed lengths up to 256 tokens."""
    return fresh_process("-m", "tests.bench.generation")


def _measure() -> None:
    import torch

    torch.set_num_threads(1)
    torch.manual_seed(0)
    model, draw = million(), random.Random(0)
    prompts = [tuple(draw.randrange(2, 1000) for _ in range(draw.randint(20, 120))) for _ in range(PROMPTS)]
    model.generation_config.eos_token_id = None
    ends = end_tokens(answered(model, prompts, MIXED_TOKENS, []), MIXED_MEAN)
    for name, most, stops in (("equal", EQUAL_TOKENS, None), ("mixed", MIXED_TOKENS, ends)):
        model.generation_config.eos_token_id = stops
        usual = {size: cpu_seconds(partial(_generated, model, prompts, size, most), ROUNDS) for size in BATCHES}
        size = min(usual, key=lambda size: usual[size][0])
        seconds, answers = cpu_seconds(partial(answered, model, prompts, most, stops or []), ROUNDS)
        assert answers == [_until(tokens, stops or []) for tokens in usual[size][1]], "the answers differ"
        tokens = sum(map(len, answers))
        print(
            f"{name} lengths (mean {tokens / PROMPTS:.0f}): {tokens / seconds:.0f} tokens/s CPU, generate "
            f"{tokens / usual[size][0]:.0f} at batch {size}, {usual[size][0] / seconds:.2f} times"
        )


def million():  # type: ignore[no-untyped-def]
    """A Llama of about a million parameters, with weights drawn so widely that its most likely tokens stand out."""
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=1024, hidden_size=128, intermediate_size=384, num_hidden_layers=4, num_attention_heads=4,
        max_position_embeddings=1024, tie_word_embeddings=True, initializer_range=0.1,
    )  # fmt: skip
    return LlamaForCausalLM(config).eval()


def end_tokens(answers: Sequence[Sequence[int]], mean: int) -> list[int]:
    """Tokens that shorten the answers to at most ``mean`` tokens in the mean, if they end them."""
    ends: list[int] = []
    while sum(map(len, (_until(tokens, ends) for tokens in answers))) / len(answers) > mean:
        # A token of middling frequency after the first 20, so that neither all answers are short nor any token is rare.
        late = [token for tokens in answers for token in _until(tokens, ends)[20:]]
        ends.append(min(set(late) - set(ends), key=lambda token: (abs(late.count(token) - len(late) // 200), token)))
    return ends


def _until(tokens: Sequence[int], ends: Sequence[int]) -> list[int]:
    """The tokens up to the first that ends an answer."""
    for place, token in enumerate(tokens):
        if token in ends:
            return list(tokens[: place + 1])
    return list(tokens)


def _generated(model, prompts, size: int, most: int) -> list[list[int]]:  # type: ignore[no-untyped-def]
    """The answers of `generate`, in batches of ``size`` prompts in their order, each padded to its longest."""
    import torch

    answers: list[list[int]] = []
    for start in range(0, len(prompts), size):
        batch = prompts[start : start + size]
        longest = max(map(len, batch))
        ids = torch.tensor([[0] * (longest - len(tokens)) + list(tokens) for tokens in batch])
        mask = torch.tensor([[0] * (longest - len(tokens)) + [1] * len(tokens) for tokens in batch])
        with torch.inference_mode():
            out = model.generate(ids, attention_mask=mask, max_new_tokens=most, do_sample=False, pad_token_id=0)
        answers += out[:, longest:].tolist()
    return answers


def answered(model, prompts, most: int, ends: Sequence[int]) -> list[list[int]]:  # type: ignore[no-untyped-def]
    """The answers of the local engine, in batches as the stage plans them."""
    from eval.engines import local
    from eval.engines.batches import plan
    from eval.spec.answers import Decoding

    tokenizer = _tokenizer(ends)
    answers: dict[int, list[int]] = {}
    for batch in plan([len(tokens) for tokens in prompts], rows=64, tokens=1 << 17):
        batched = [local.Prompt(str(row), prompts[row]) for row in batch]
        answered = local.answer(model, tokenizer, batched, decoding=Decoding(most, 0.0, 0), stops=())
        answers |= {row: list(answer.tokens) for row, answer in zip(batch, answered, strict=True)}
    return [answers[row] for row in range(len(prompts))]


def _tokenizer(ends: Sequence[int]):  # type: ignore[no-untyped-def]
    """A tokenizer with one word for each token; tokens that end an answer are special."""
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(models.WordLevel({f"w{number}": number for number in range(1024)}, unk_token="w0"))
    return PreTrainedTokenizerFast(
        tokenizer_object=words, additional_special_tokens=[f"w{number}" for number in ends], eos_token=None
    )


if __name__ == "__main__":
    _measure()
