"""Thoughts before an answer: what a reasoning model writes between marks such as ``<think>`` and ``</think>``."""

from __future__ import annotations

from collections.abc import Container, Sequence
from typing import NamedTuple

MARKS = (
    ("<think>", "</think>"), ("<thinking>", "</thinking>"), ("<thought>", "</thought>"),
    ("<reasoning>", "</reasoning>"), ("<seed:think>", "</seed:think>"), ("[THINK]", "[/THINK]"),
    ("<|begin_of_thought|>", "<|end_of_thought|>"), ("\u25c1think\u25b7", "\u25c1/think\u25b7"),
)  # fmt: skip
"""The opening and closing marks of known models."""


class Thought(NamedTuple):
    """What stands between the marks, the answer after it, and whether the thought has an end."""

    thought: str
    answer: str
    closed: bool


def marks_of(known: Container[str]) -> tuple[tuple[str, str], ...]:
    """The marks whose closing one is ``known`` to a tokenizer or template; all where none is."""
    return tuple(pair for pair in MARKS if pair[1] in known) or MARKS


def split(text: str, *, prompt: str = "", marks: Sequence[tuple[str, str]] = MARKS) -> Thought:
    """A text without the thoughts with which it begins. One that has no end leaves an empty answer.

    A thought whose opening mark the ``prompt`` ends with, or that has lost it, ends at its closing mark.
    """
    for opening, closing in marks:
        begun = prompt.rstrip().endswith(opening)
        inside = text.lstrip().removeprefix(opening)
        if not begun and inside == text.lstrip():
            before, closed, _ = text.partition(closing)
            if not closed or opening in before:
                continue
        thought, closed, rest = inside.partition(closing)
        if not closed:
            return Thought(thought.strip(), "", False)
        later = split(rest, marks=((opening, closing),)) if rest.lstrip().startswith(opening) else None
        if later:
            return Thought(f"{thought.strip()}\n{later.thought}".strip(), later.answer, later.closed)
        return Thought(thought.strip(), rest.lstrip(), True)
    return Thought("", text, True)
