"""The local engine: a batched loop over the Hugging Face forward pass, for any causal architecture on CPU or GPU.

Rows are padded on the left, share one growing cache of keys and values, and leave the batch as they finish. Greedy
decoding gives the same ids as ``generate``. Only the requested decoding applies; penalties and logits processors in a
model's generation_config are ignored.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch
from transformers import DynamicCache, PreTrainedModel, PreTrainedTokenizerBase

from eval.engines.cache import growing_cache
from eval.engines.models import end_tokens, load_model, load_tokenizer, source_of
from eval.engines.request import Answer, Engine, Prompt, Request
from eval.engines.rows import Rows
from eval.engines.texts import answer_text, plain
from eval.spec.answers import AnswerSpec, Decoding

NUCLEUS = 1024  # tokens among which a nucleus is looked for first


@dataclass
class _LiveRow:
    """One unfinished answer. ``max_tokens`` is what decoding and context allow."""

    max_tokens: int
    random: random.Random
    tokens: list[int] = field(default_factory=list)
    finish: str = ""


@dataclass(frozen=True)
class _Rules:
    """How tokens are chosen and what ends a row: ids in ``ends``, or a string in ``stops``.

    ``may_complete`` caches, by token, whether it can be the last token of a stop string.
    """

    decoding: Decoding
    stops: tuple[str, ...]
    ends: frozenset[int]
    may_complete: dict[int, bool] = field(default_factory=dict)

    @property
    def tail(self) -> int:
        """A number of last tokens that contains any stop string just completed: one per byte, and a margin."""
        return max((len(stop.encode()) for stop in self.stops), default=0) + 8


def load(spec: AnswerSpec, inputs: Mapping[str, Path]) -> Engine:
    """Load the model; return the engine, which takes fewer rows at a time once memory runs out."""
    model, tokenizer = load_model(spec, inputs), load_tokenizer(spec, inputs)
    rows = Rows(source_of(spec, inputs)[0], spec.task)

    def engine(request: Request) -> list[Answer]:
        work = partial(answer, model, tokenizer, decoding=request.decoding, stops=request.stops)
        return rows.run(work, request.prompts, lambda one: len(one.tokens) + request.decoding.max_new_tokens)

    return engine


@torch.inference_mode()
def answer(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    prompts: Sequence[Prompt],
    *,
    decoding: Decoding,
    stops: tuple[str, ...],
) -> list[Answer]:
    """Answer one batch of prompts. One that fills the model's context gets an empty answer with finish 'context'."""
    # Architectures without a limit on positions say so by having no such setting.
    context = getattr(model.config.get_text_config(), "max_position_embeddings", None) or 1 << 30
    rows = [
        _LiveRow(min(decoding.max_new_tokens, context - len(one.tokens)), _draws(decoding, one.id)) for one in prompts
    ]
    live = [number for number, row in enumerate(rows) if row.max_tokens > 0]
    if live:
        rules = _Rules(decoding, stops, end_tokens(model.generation_config, tokenizer))
        _generate(model, tokenizer, rules, [rows[number] for number in live], [prompts[number] for number in live])
    # The loop ends a row only after the stop string is complete, and checks the tail in whole tokens.
    return [
        Answer(answer_text(tokenizer, row.tokens, one.tokens, stops), tuple(row.tokens), row.finish or "context")
        for row, one in zip(rows, prompts, strict=True)
    ]


def _generate(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    rules: _Rules,
    rows: list[_LiveRow],
    prompts: Sequence[Prompt],
) -> None:
    """Add a token to every row until all are finished. Finished rows leave the batch and its cache at once."""
    ids, mask = _padded(prompts, model.device)
    # Positions count from the first real token, so padding on the left does not shift them.
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    cache = growing_cache(model.config)
    while rows:
        logits = _forward(model, ids, mask, positions, cache)
        for row, token in zip(rows, _chosen(logits, rows, rules.decoding), strict=True):
            row.tokens.append(token)
            row.finish = _ending(tokenizer, rules, row)
        unfinished = [number for number, row in enumerate(rows) if not row.finish]
        if unfinished and len(unfinished) < len(rows):
            # On the CPU, since the layers of the cache may lie on several GPUs.
            selection = torch.tensor(unfinished)
            cache.batch_select_indices(selection)
            mask, positions = mask[selection], positions[selection]
        rows = [rows[number] for number in unfinished]
        ids = torch.tensor([[row.tokens[-1]] for row in rows], device=model.device)
        # The new token is real in every row that is left.
        mask = torch.nn.functional.pad(mask, (0, 1), value=1)
        positions = positions[:, -1:] + 1


def _ending(tokenizer: PreTrainedTokenizerBase, rules: _Rules, row: _LiveRow) -> str:
    """'stop' or 'length' if the row's last token ends it, otherwise ''."""
    token = row.tokens[-1]
    if token in rules.ends:
        return "stop"
    if rules.stops and token not in rules.may_complete:
        rules.may_complete[token] = _completes(plain(tokenizer, [token]), rules.stops)
    # Decoding the tail of every row after every token would be slow, so only tokens that may complete a stop do it.
    if rules.stops and rules.may_complete[token] and _holds(plain(tokenizer, row.tokens[-rules.tail :]), rules.stops):
        return "stop"
    return "length" if len(row.tokens) >= row.max_tokens else ""


def _forward(
    model: PreTrainedModel, ids: torch.Tensor, mask: torch.Tensor, positions: torch.Tensor, cache: DynamicCache
) -> torch.Tensor:
    """Logits of the next token, [rows, vocabulary]. The cache grows by ``ids``, [rows, new positions]."""
    logits: torch.Tensor = model(
        input_ids=ids, attention_mask=mask, position_ids=positions, past_key_values=cache, use_cache=True,
        logits_to_keep=1,
    ).logits  # fmt: skip
    return logits[:, -1]


def _padded(prompts: Sequence[Prompt], device: torch.device) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and mask, [rows, longest], padded on the left with id 0."""
    longest = max(len(one.tokens) for one in prompts)
    ids = [[0] * (longest - len(one.tokens)) + list(one.tokens) for one in prompts]
    mask = [[0] * (longest - len(one.tokens)) + [1] * len(one.tokens) for one in prompts]
    return torch.tensor(ids, device=device), torch.tensor(mask, device=device)


def _draws(decoding: Decoding, prompt_id: str) -> random.Random:
    """The random numbers of one prompt, which depend on the seed and its id only, not on batch or order."""
    return random.Random(hashlib.sha256(f"{decoding.seed}:{prompt_id}".encode()).digest())


def _chosen(logits: torch.Tensor, rows: Sequence[_LiveRow], decoding: Decoding) -> list[int]:
    """The next token of each row: the most likely one, or a draw by inverting the cumulative distribution."""
    if decoding.temperature == 0:
        return logits.argmax(-1).tolist()
    # On the model's device: moving and sorting a large vocabulary elsewhere would take longer than the forward pass.
    probabilities, tokens = _nucleus(torch.softmax(logits.float() / decoding.temperature, -1), decoding.top_p)
    cumulative = probabilities.cumsum(-1)
    # Scaled by the last sum, which rounding and a nucleus may leave below 1.
    draws = torch.tensor([[row.random.random()] for row in rows], device=logits.device) * cumulative[:, -1:]
    places = torch.searchsorted(cumulative, draws, right=True).clamp(max=cumulative.shape[-1] - 1)
    return (places if tokens is None else tokens.gather(1, places)).squeeze(1).tolist()


def _nucleus(probabilities: torch.Tensor, top_p: float) -> tuple[torch.Tensor, torch.Tensor | None]:
    """The probabilities of the likeliest tokens that together reach ``top_p``, and these tokens (None: all), by rank.

    Tokens outside the nucleus have probability 0. See Holtzman et al. 2020 (arXiv:1904.09751).
    """
    if top_p == 1:
        return probabilities, None
    # Sorting a whole vocabulary is slow, and a nucleus is nearly always small.
    most = min(NUCLEUS, probabilities.shape[-1])
    ranked, tokens = torch.topk(probabilities, most)
    if bool((ranked.sum(-1) < top_p).any()):
        ranked, tokens = torch.sort(probabilities, dim=-1, descending=True)
    return ranked.masked_fill(ranked.cumsum(-1) - ranked >= top_p, 0.0), tokens


def _completes(piece: str, stops: tuple[str, ...]) -> bool:
    """Whether a token with that text can complete a stop string.

    A token decoded on its own may lose a space or be part of a character, so stops that end in either count always.
    """
    return any(stop[-1] in piece or not stop[-1].isascii() or stop[-1].isspace() for stop in stops)


def _holds(text: str, stops: tuple[str, ...]) -> bool:
    return any(stop in text for stop in stops)
