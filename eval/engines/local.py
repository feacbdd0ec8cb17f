"""Answers by an own batched loop over the Hugging Face forward: any causal architecture, CPU or GPU.

Rows are padded on the left, share one growing cache of keys and values, and leave the batch as they finish. Greedy
decoding gives the ids that ``generate`` gives. Only the decoding asked for applies: penalties or processors in a
model's generation_config do not.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import torch
from transformers import DynamicCache, PreTrainedModel, PreTrainedTokenizerBase

from eval.engines.cache import growing_cache
from eval.engines.models import end_tokens, load_model, load_tokenizer
from eval.engines.request import Answer, Engine, Prompt, Request
from eval.spec.answers import AnswerSpec, Decoding


@dataclass
class _Row:
    """One answer in the making."""

    room: int
    random: random.Random
    tokens: list[int] = field(default_factory=list)
    finish: str = ""


@dataclass(frozen=True)
class _Rules:
    """How rows grow and what ends them; ``last`` remembers which tokens can be the last of a stop string."""

    decoding: Decoding
    stops: tuple[str, ...]
    ends: frozenset[int]
    last: dict[int, bool] = field(default_factory=dict)

    @property
    def tail(self) -> int:
        """The number of last tokens that are sure to hold a stop string which has just been completed."""
        return max((len(stop.encode()) for stop in self.stops), default=0) + 8


def load(spec: AnswerSpec, inputs: Mapping[str, Path]) -> Engine:
    """The engine with the weights in it."""
    model, tokenizer = load_model(spec, inputs), load_tokenizer(spec, inputs)

    def engine(asked: Request) -> list[Answer]:
        return answer(model, tokenizer, asked.prompts, decoding=asked.decoding, stops=asked.stops)

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
    """Answer one batch of prompts; one that fills the model's context gets an empty answer that finishes by length."""
    context = getattr(model.config.get_text_config(), "max_position_embeddings", None) or 1 << 30
    rows = [_Row(min(decoding.max_new_tokens, context - len(one.tokens)), _draws(decoding, one.id)) for one in prompts]
    live = [place for place, row in enumerate(rows) if row.room > 0]
    if live:
        rules = _Rules(decoding, stops, end_tokens(model.generation_config, tokenizer))
        _grow(model, tokenizer, rules, [rows[place] for place in live], [prompts[place] for place in live])
    return [_finished(tokenizer, row, stops) for row in rows]


def _grow(
    model: PreTrainedModel,
    tokenizer: PreTrainedTokenizerBase,
    rules: _Rules,
    rows: list[_Row],
    prompts: Sequence[Prompt],
) -> None:
    """Add a token to every live row until none is left; finished rows leave the batch and its cache at once."""
    ids, mask = _padded(prompts, model.device)
    positions = (mask.cumsum(1) - 1).clamp(min=0)
    cache = growing_cache(model.config)
    while rows:
        logits = _forward(model, ids, mask, positions, cache)
        for row, token in zip(rows, _chosen(logits, rows, rules.decoding), strict=True):
            row.tokens.append(token)
            row.finish = _ending(tokenizer, rules, row)
        keep = [place for place, row in enumerate(rows) if not row.finish]
        if keep and len(keep) < len(rows):
            chosen = torch.tensor(keep, device=model.device)
            cache.batch_select_indices(chosen)
            mask, positions = mask[chosen], positions[chosen]
        rows = [rows[place] for place in keep]
        ids = torch.tensor([[row.tokens[-1]] for row in rows], device=model.device)
        mask = torch.nn.functional.pad(mask, (0, 1), value=1)
        positions = positions[:, -1:] + 1


def _ending(tokenizer: PreTrainedTokenizerBase, rules: _Rules, row: _Row) -> str:
    """'stop' or 'length' if the row's last token ends it, otherwise ''."""
    token = row.tokens[-1]
    if token in rules.ends:
        return "stop"
    if rules.stops and token not in rules.last:
        rules.last[token] = _completes(_text(tokenizer, [token]), rules.stops)
    if rules.stops and rules.last[token] and _holds(_text(tokenizer, row.tokens[-rules.tail :]), rules.stops):
        return "stop"
    return "length" if len(row.tokens) >= row.room else ""


def _forward(
    model: PreTrainedModel, ids: torch.Tensor, mask: torch.Tensor, positions: torch.Tensor, cache: DynamicCache
) -> torch.Tensor:
    """Logits of the next token, [rows, vocabulary]; the cache grows by the ids given."""
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


def _draws(decoding: Decoding, item: str) -> random.Random:
    """The random numbers of one item: they depend on the seed and its name alone, never on batch or order."""
    return random.Random(hashlib.sha256(f"{decoding.seed}:{item}".encode()).digest())


def _chosen(logits: torch.Tensor, rows: Sequence[_Row], decoding: Decoding) -> list[int]:
    """The next token of each row: the most likely one, or a draw by the inverse of the cumulated distribution."""
    if decoding.temperature == 0:
        return logits.argmax(-1).tolist()
    cumulated = _nucleus(torch.softmax(logits.double().cpu() / decoding.temperature, -1), decoding.top_p).cumsum(-1)
    draws = torch.tensor([[row.random.random()] for row in rows], dtype=torch.float64) * cumulated[:, -1:]
    return torch.searchsorted(cumulated, draws, right=True).squeeze(1).clamp(max=logits.shape[-1] - 1).tolist()


def _nucleus(chances: torch.Tensor, top_p: float) -> torch.Tensor:
    """The chances of the likeliest tokens that together reach ``top_p``, 0 for all others: [rows, vocabulary]."""
    if top_p == 1:
        return chances
    ranked, order = torch.sort(chances, dim=-1, descending=True, stable=True)
    return chances.scatter(-1, order, ranked.masked_fill(ranked.cumsum(-1) - ranked >= top_p, 0.0))


def _text(tokenizer: PreTrainedTokenizerBase, tokens: list[int]) -> str:
    text = tokenizer.decode(tokens, skip_special_tokens=True)
    assert isinstance(text, str)  # a list of ids decodes to one text
    return text


def _completes(piece: str, stops: tuple[str, ...]) -> bool:
    """Whether a token of that text can end a stop string. Spaces and parts of characters may be lost on their own."""
    return any(stop[-1] in piece or not stop[-1].isascii() or stop[-1].isspace() for stop in stops)


def _holds(text: str, stops: tuple[str, ...]) -> bool:
    return any(stop in text for stop in stops)


def _finished(tokenizer: PreTrainedTokenizerBase, row: _Row, stops: tuple[str, ...]) -> Answer:
    """The answer of a row; its text ends before the first stop string."""
    text = _text(tokenizer, row.tokens)
    for stop in stops:
        text = text.partition(stop)[0]
    return Answer(text, tuple(row.tokens), row.finish or "length")
