"""What every engine is asked and what it answers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from common.extras import require
from eval.spec.answers import Decoding


@dataclass(frozen=True)
class Prompt:
    """The token ids of one item, and its name, from which the item's own random numbers are drawn."""

    id: str
    tokens: tuple[int, ...]


@dataclass(frozen=True)
class Request:
    """One batch of prompts that are decoded alike and end at the same strings."""

    prompts: tuple[Prompt, ...]
    decoding: Decoding
    stops: tuple[str, ...]


@dataclass(frozen=True)
class Answer:
    """``text`` without special tokens, all ids generated (an end token included), ``finish``: 'stop' or 'length'."""

    text: str
    tokens: tuple[int, ...]
    finish: str


Engine = Callable[[Request], list[Answer]]


def available(engine: str) -> None:
    """ValueError where an engine is not installed."""
    if engine == "vllm":
        require("backend=vllm", ["vllm"], ", or take backend=local")
