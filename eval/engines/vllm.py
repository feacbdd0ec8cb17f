"""The vLLM engine, for GPUs: one engine in one process, tensor parallel over the GPUs that the process sees.

Tested with vLLM's build for CPUs (``make test-vllm``): in fp32 greedy ids and texts are those of the local engine. In
bf16 they may differ where two tokens are almost equally likely, so the engine is part of the identity of a set of
answers.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, GenerationConfig, PreTrainedTokenizerBase

from eval.engines.models import end_tokens, load_tokenizer, source_of
from eval.engines.request import Answer, Engine, Request, available
from eval.engines.texts import answer_text
from eval.spec.answers import AnswerSpec

DTYPES = {"fp32": "float32", "bf16": "bfloat16"}


def load(spec: AnswerSpec, inputs: Mapping[str, Path]) -> Engine:
    """Load the model; return the engine. Raises ValueError where vLLM is not installed."""
    available(spec.engine)
    os.environ.setdefault("VLLM_LOGGING_LEVEL", "WARNING")  # else it prints a hundred lines on its way
    from vllm import LLM

    source, revision = source_of(spec, inputs)
    tokenizer = load_tokenizer(spec, inputs)
    model = LLM(
        model=source, revision=revision, tokenizer=tokenizer.name_or_path, dtype=DTYPES[spec.precision], seed=0,
        tensor_parallel_size=_parallel(source, revision), generation_config="vllm", trust_remote_code=False,
    )  # fmt: skip
    try:
        # vLLM is told to ignore generation_config, so its end tokens are passed explicitly.
        named = GenerationConfig.from_pretrained(source, revision=revision)
    except OSError:  # a folder without one
        named = GenerationConfig()
    return partial(_answer, model, tokenizer, sorted(end_tokens(named, tokenizer)))


def _parallel(source: str, revision: str) -> int:
    """The GPUs that share the model; says so where that is not all that the process sees."""
    visible = max(1, torch.cuda.device_count())
    config: Any = AutoConfig.from_pretrained(source, revision=revision, trust_remote_code=False).get_text_config()
    size = parallel_size(config.num_attention_heads, visible)
    if size < visible:
        print(
            f"model {source}: its {config.num_attention_heads} heads are shared by {size} of {visible} GPUs; "
            f"hydra.launcher.answer.gpus_per_node={size} leaves the rest to others",
            flush=True,
        )
    return size


def parallel_size(heads: int, visible: int) -> int:
    """The most of ``visible`` GPUs that share a model's attention heads evenly, which vLLM demands."""
    return max(size for size in range(1, visible + 1) if heads % size == 0)


def _answer(model: Any, tokenizer: PreTrainedTokenizerBase, ends: list[int], request: Request) -> list[Answer]:
    """Answer one batch. A prompt that fills the context gets an empty answer with finish 'context'.

    The texts are decoded from the ids as those of the local engine: vLLM's begin with a part of the prompt where that
    ends within a character, and lack the marks around thoughts that are special tokens.
    """
    from vllm import SamplingParams

    context = model.llm_engine.model_config.max_model_len
    fitting = [one for one in request.prompts if len(one.tokens) < context]
    settings = [
        SamplingParams(
            temperature=request.decoding.temperature, top_p=request.decoding.top_p, seed=_seed(request, one.id),
            max_tokens=min(request.decoding.max_new_tokens, context - len(one.tokens)), stop=list(request.stops),
            stop_token_ids=ends,
        )
        for one in fitting
    ]  # fmt: skip
    ids = [{"prompt_token_ids": list(one.tokens)} for one in fitting]
    outputs = (one.outputs[0] for one in model.generate(ids, settings, use_tqdm=False))
    answers = {
        one.id: Answer(
            answer_text(tokenizer, out.token_ids, one.tokens, request.stops), tuple(out.token_ids),
            "length" if out.finish_reason == "length" else "stop",
        )
        for one, out in zip(fitting, outputs, strict=True)
    }  # fmt: skip
    return [answers.get(one.id, Answer("", (), "context")) for one in request.prompts]


def _seed(request: Request, prompt_id: str) -> int:
    """The seed of one prompt, which depends on the decoding's seed and its id only, not on batch or order."""
    return int.from_bytes(hashlib.sha256(f"{request.decoding.seed}:{prompt_id}".encode()).digest()[:4])
