"""Requests to an engine, and its answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from common.extras import require
from eval.spec.answers import Decoding


@dataclass(frozen=True)
class Prompt:
    """The token ids of one prompt, and its id, which seeds the prompt's own random numbers."""

    id: str
    tokens: tuple[int, ...]


@dataclass(frozen=True)
class Request:
    """One batch of prompts, decoded alike. An answer ends before the first of the strings ``stops``."""

    prompts: tuple[Prompt, ...]
    decoding: Decoding
    stops: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """The text without special tokens, and all generated ids, an end token included.

    ``finish`` is 'length' where the answer was cut off, 'context' where its prompt left no room for one, otherwise
    'stop'.
    """

    text: str
    tokens: tuple[int, ...]
    finish: str


Engine = Callable[[Request], list[Answer]]


def available(engine: str) -> None:
    """Raise ValueError where an engine is not installed."""
    if engine == "vllm":
        require("backend=vllm", ["vllm"], ", or take backend=local")
