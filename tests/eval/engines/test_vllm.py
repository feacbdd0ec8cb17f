"""vLLM beside the local engine, on tiny models: the same greedy texts. Needs vLLM: ``make test-vllm``."""

from __future__ import annotations

import os
import random
from collections.abc import Iterator

import pytest

from eval.engines import local
from eval.engines.models import encode
from eval.engines.request import Answer, Engine, Prompt, Request
from eval.spec.answers import AnswerSpec, Decoding
from tests.eval.conftest import sentence, tiny

pytest.importorskip("vllm")

from eval.engines import vllm

SPEC = AnswerSpec("gsm8k", "", None, None, None, Decoding(24, 0.0, 0), "fp32")
DRAWN = Decoding(24, 1.0, 5)
CONTEXT = 256


@pytest.fixture(scope="module", params=["llama", "gpt2", "qwen2"])
def engines(request, tokenizer, tmp_path_factory) -> Iterator[tuple[Engine, Engine]]:
    """The local engine and vLLM, with one model in fp32, whose four heads have a width that vLLM has code for."""
    folder = tmp_path_factory.mktemp("model")
    tiny(request.param, len(tokenizer), width=128).save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    os.environ |= {"VLLM_CPU_KVCACHE_SPACE": "1", "VLLM_ENABLE_V1_MULTIPROCESSING": "0"}
    yield local.load(SPEC, {"model": folder}), vllm.load(SPEC, {"model": folder})


@pytest.fixture(scope="module")
def prompts(tokenizer) -> tuple[Prompt, ...]:
    """Texts, and random ids, which may end within a character."""
    draw = random.Random(3)
    texts = encode(tokenizer, [sentence(draw) for _ in range(16)])
    ids = [tuple(draw.randrange(2, len(tokenizer)) for _ in range(draw.randint(1, 40))) for _ in range(16)]
    return tuple(Prompt(str(number), tokens) for number, tokens in enumerate([*texts, *ids]))


def answers(
    engine: Engine, prompts: tuple[Prompt, ...], decoding: Decoding = SPEC.decoding, *stops: str
) -> list[Answer]:
    return engine(Request(prompts, decoding, stops))


def test_greedy_answers_are_the_same(engines, prompts):
    ours, theirs = (answers(engine, prompts) for engine in engines)
    assert [one.tokens for one in theirs] == [one.tokens for one in ours]
    assert [one.text for one in theirs] == [one.text for one in ours]
    assert [one.finish for one in theirs] == [one.finish for one in ours]


def test_stop_strings_end_the_same_answers(engines, prompts):
    prompts = prompts[:16]  # within a character vLLM looks for the stop in the end of the prompt too
    stop = answers(engines[0], prompts)[0].text[5:8]
    ours, theirs = (answers(engine, prompts, SPEC.decoding, stop) for engine in engines)
    assert "stop" in {one.finish for one in ours}
    assert [(one.text, one.finish) for one in theirs] == [(one.text, one.finish) for one in ours]


def test_a_prompt_that_fills_the_context_gets_no_answer_and_one_that_nearly_does_a_short_one(engines):
    full = tuple(Prompt(str(size), tuple(range(2, 12)) * 30) for size in (CONTEXT, CONTEXT - 3, 10))
    full = tuple(Prompt(one.id, one.tokens[: int(one.id)]) for one in full)
    ours, theirs = (answers(engine, full) for engine in engines)
    assert [one.finish for one in theirs] == [one.finish for one in ours]
    assert [one.tokens for one in theirs] == [one.tokens for one in ours]


def test_draws_depend_on_seed_and_item_alone(engines, prompts):
    _, engine = engines
    first = answers(engine, prompts, DRAWN)
    shuffled = tuple(random.Random(0).sample(prompts, len(prompts)))
    again = {one.id: answer for one, answer in zip(shuffled, answers(engine, shuffled, DRAWN), strict=True)}
    assert [again[one.id] for one in prompts] == first
    assert answers(engine, prompts, Decoding(24, 1.0, 6)) != first
