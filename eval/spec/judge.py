"""Judges: who grades, how a judge is called, and what the calls cost. No heavy imports: the planner reads this."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from common.restore import refuse

TOKEN = 4
"""Characters per token, a rough average for English text, used in estimates."""

REPLY_TOKENS = 300
FRAME_TOKENS = 200
"""Assumed tokens of one reply (a judge's or a model's) and of the judge's instructions, used in estimates."""


@dataclass(frozen=True)
class Judge:
    """Who grades: the model called ``model`` at an endpoint, or a local one, whose ``model`` is a digest of its files.

    Every prompt is sent ``repeats`` times, for replies of up to ``max_tokens`` tokens. ``extra`` is a JSON object of
    further fields for the request to an endpoint; a null there removes one of the usual fields. Raises ValueError for a
    value outside its range.
    """

    model: str | None = None
    repeats: int = 1
    temperature: float = 0.0
    max_tokens: int = 2048
    extra: str = ""

    def __post_init__(self) -> None:
        refuse(self._problems())

    def _problems(self) -> Iterator[str]:
        for name in ("repeats", "max_tokens"):
            if getattr(self, name) < 1:
                yield f"{name}={getattr(self, name)} must be at least 1"
        if not self.temperature >= 0:
            yield f"temperature={self.temperature} must be 0 or more"
        if self.extra:
            yield from object_problems("extra", self.extra, '{"reasoning_effort": "low"}')


@dataclass(frozen=True)
class JudgeRun:
    """How a judge is called. Nothing here changes what it is asked.

    The judge is an OpenAI-compatible endpoint at ``base_url``, with its key in the environment variable
    ``key_variable`` ('' sends none), or the local model in the folder ``path``. ``prompts`` is a file of prompts in
    FastChat's format; without it the built-in prompts are used. ``seconds`` is the timeout of one call and ``backoff``
    the first wait, in seconds, before one of up to ``retries`` further tries. Prices are in dollars per million tokens;
    ``dollars`` is the most that all runs under one ``ledger`` may spend. Replies are kept in the folder ``cache``,
    relative to the store. Raises ValueError for a value outside its range.
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
        refuse(self._problems())

    def _problems(self) -> Iterator[str]:
        if not self.base_url.startswith(("http://", "https://")):
            yield f"base_url={self.base_url} must begin with http:// or https://, and end before /chat"
        for name in ("concurrency", "seconds", "backoff", "dollars"):
            if not getattr(self, name) > 0:
                yield f"{name}={getattr(self, name)} must be above 0"
        for name in ("retries", "input_price", "output_price"):
            if not (getattr(self, name) or 0) >= 0:  # nor is it no number at all
                yield f"{name}={getattr(self, name)} must be 0 or more"

    def price(self, input_tokens: float, output_tokens: float) -> float:
        """Dollars for that many tokens; 0 where no price is set."""
        return (input_tokens * (self.input_price or 0.0) + output_tokens * (self.output_price or 0.0)) / 1e6


@dataclass(frozen=True)
class CostEstimate:
    """What judging takes: the number of calls, the tokens of their prompts and of their replies, and dollars."""

    calls: int
    input_tokens: float
    output_tokens: float
    dollars: float


def estimate_cost(
    conversations: Iterable[Sequence[str]], answer_tokens: int, judge: Judge, execution: JudgeRun
) -> CostEstimate:
    """The cost of grading, estimated before there are any answers.

    ``conversations`` holds the user's turns of each item, ``answer_tokens`` the most tokens of one answer.
    """
    calls, tokens, answer = 0, 0.0, min(answer_tokens, REPLY_TOKENS)
    for turns in conversations:
        dialogue = 0.0
        for turn in turns:  # the judge of a later turn reads the whole dialogue up to it
            dialogue += len(turn) / TOKEN + answer
            tokens += FRAME_TOKENS + dialogue
            calls += 1
    # Every repeat reads the same prompt again.
    calls, tokens = calls * judge.repeats, tokens * judge.repeats
    replies = float(calls * min(REPLY_TOKENS, judge.max_tokens))
    return CostEstimate(calls, tokens, replies, 0.0 if execution.path else execution.price(tokens, replies))


def missing_settings(judge: Judge | None, execution: JudgeRun | None, environment: Mapping[str, str]) -> str:
    """One sentence that says what must be set before this judge can be called; '' when nothing is missing."""
    if judge is None or execution is None or (judge.model is None) == (execution.path is None):
        return (
            "set suite.judge.model to the name of a judge (such as gpt-4-0613) at suite.judge_client.base_url, or "
            "suite.judge_client.path to the folder of a local one, not both"
        )
    if execution.path is not None:
        if judge.repeats > 1 and not judge.temperature:
            return (
                f"suite.judge.repeats={judge.repeats}: a local judge at temperature 0 gives the same reply every time; "
                "set suite.judge.repeats=1, or suite.judge.temperature above 0"
            )
        return ""
    # Without prices the budget could not be kept, so they are required even for a free server.
    if execution.input_price is None or execution.output_price is None:
        return (
            "set suite.judge_client.input_price and suite.judge_client.output_price, in dollars per million tokens "
            "(0 for a server of your own)"
        )
    if execution.key_variable and not environment.get(execution.key_variable, "").strip():
        return (
            f"the environment variable {execution.key_variable} holds no key: set it, name another with "
            "suite.judge_client.key_variable, or set that to '' for a server that needs none"
        )
    return ""


def object_problems(name: str, text: str, example: str) -> Iterator[str]:
    """What is wrong with a text that is no JSON object, such as ``example``."""
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        yield f"{name}={text!r} is not a JSON object such as {example}"
