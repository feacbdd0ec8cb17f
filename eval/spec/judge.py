"""Who judges, and how a judge is asked. Light: the planner reads it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

TOKEN = 4
"""Characters in a token, roughly."""

REPLY_TOKENS = 300
FRAME_TOKENS = 200
"""Tokens of a reply, a judge's or a model's, and of the judge's instructions: guesses, for estimates alone."""


@dataclass(frozen=True)
class Judge:
    """Who grades: ``model`` by its name at an endpoint, else the local model of `JudgeRun`, which its content names.

    Every prompt is put ``repeats`` times. ``extra`` is a JSON object of further fields of the request; null drops one
    of ours.
    """

    model: str | None = None
    repeats: int = 1
    temperature: float = 0.0
    max_tokens: int = 2048
    extra: str = ""

    def __post_init__(self) -> None:
        for name in ("repeats", "max_tokens"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name}={getattr(self, name)} must be at least 1")
        if self.temperature < 0:
            raise ValueError(f"temperature={self.temperature} must be 0 or more")
        if self.extra and not isinstance(_json(self.extra), dict):
            raise ValueError(f'extra={self.extra!r} is no JSON object, such as {{"reasoning_effort": "low"}}')


@dataclass(frozen=True)
class JudgeRun:
    """How a judge is asked, never what it is asked.

    An OpenAI-compatible endpoint at ``base_url``, with the key in the environment variable ``key_variable`` (``''``:
    none is sent), or the local model in the folder ``path``. ``prompts`` is a file of prompts in FastChat's format
    (None: our own). Prices are dollars a million tokens; ``dollars`` is what all runs under one ``ledger`` may spend.
    Replies are kept in the folder ``cache``, which is relative to the store.
    """

    base_url: str = "https://api.openai.com/v1"
    key_variable: str = "OPENAI_API_KEY"
    path: str | None = None
    prompts: str | None = None
    concurrency: int = 8
    seconds: float = 180.0
    retries: int = 8
    backoff: float = 1.0
    input_price: float | None = None
    output_price: float | None = None
    dollars: float = 10.0
    cache: str = "judge"
    ledger: str = "run"

    def __post_init__(self) -> None:
        if not self.base_url.startswith(("http://", "https://")):
            raise ValueError(f"base_url={self.base_url} must begin with http:// or https://, and end before /chat")
        for name in ("concurrency", "seconds", "backoff", "dollars"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name}={getattr(self, name)} must be above 0")
        for name in ("retries", "input_price", "output_price"):
            if (getattr(self, name) or 0) < 0:
                raise ValueError(f"{name}={getattr(self, name)} must be 0 or more")

    def price(self, input_tokens: float, output_tokens: float) -> float:
        """Dollars for so many tokens; 0 where there is no price."""
        return (input_tokens * (self.input_price or 0.0) + output_tokens * (self.output_price or 0.0)) / 1e6


@dataclass(frozen=True)
class CostEstimate:
    """What judging takes: calls, the tokens of their prompts and replies, and dollars."""

    calls: int
    input_tokens: float
    output_tokens: float
    dollars: float


def bill(conversations: Iterable[Sequence[str]], answer_tokens: int, judge: Judge, execution: JudgeRun) -> CostEstimate:
    """An estimate before anything is answered, from the user's turns and the most tokens of an answer."""
    calls, tokens, answer = 0, 0.0, min(answer_tokens, REPLY_TOKENS)
    for turns in conversations:
        shown = 0.0
        for turn in turns:
            shown += len(turn) / TOKEN + answer
            tokens += FRAME_TOKENS + shown
            calls += 1
    calls, tokens = calls * judge.repeats, tokens * judge.repeats
    replies = float(calls * min(REPLY_TOKENS, judge.max_tokens))
    return CostEstimate(calls, tokens, replies, 0.0 if execution.path else execution.price(tokens, replies))


def lacking(judge: Judge | None, execution: JudgeRun | None, environment: Mapping[str, str]) -> str:
    """What must be set before this judge can be asked, in one sentence; '' when nothing is missing."""
    if judge is None or execution is None or (judge.model is None) == (execution.path is None):
        return (
            "set suite.judge.model to the name of a judge (such as gpt-4-0613) at suite.judge_client.base_url, or "
            "suite.judge_client.path to the folder of a local one, not both"
        )
    if execution.path is not None:
        if judge.repeats > 1 and not judge.temperature:
            return (
                f"suite.judge.repeats={judge.repeats}: a local judge at temperature 0 says the same every time; "
                "set suite.judge.repeats=1, or suite.judge.temperature above 0"
            )
        return ""
    if execution.input_price is None or execution.output_price is None:
        return (
            "set suite.judge_client.input_price and suite.judge_client.output_price, in dollars a million tokens "
            "(0 for a server of your own)"
        )
    if execution.key_variable and not environment.get(execution.key_variable, "").strip():
        return (
            f"the environment variable {execution.key_variable} holds no key: set it, name another with "
            "suite.judge_client.key_variable, or set that to '' for a server that wants none"
        )
    return ""


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
