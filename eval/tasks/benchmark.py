"""What every kind of task provides: how it reads its items, asks them, and scores an answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from eval.items.jsonl import Row
from eval.items.metrics import Metric
from eval.sandbox.programs import Program
from eval.spec.answers import Reading

Messages = list[dict[str, str]]


@dataclass(frozen=True, kw_only=True)
class Benchmark:
    """One kind of task in one form.

    ``items`` reads a file into rows with a unique ``id``. ``messages`` gives the conversation that asks an item, or a
    single message with the role ``text`` that the model continues. ``parts`` names the fields of an item that hold its
    prompt and its answer ('': none). ``examples`` reads worked examples, which ``messages`` finds in
    ``item["shots"]``. ``stops`` are strings that end an answer. ``continuations`` are the texts of which a model finds
    one the likeliest. ``score`` gives the verdict on an answer text; a task without it is graded by a judge. Where
    there is a ``program``, it is built from item and answer and run first, and ``score`` gets its status as third
    argument, otherwise ''. ``metrics`` aggregates scores, the headline metric ``accuracy`` first.
    """

    items: Callable[[Path, Reading], list[Row]]
    messages: Callable[[Row], Messages]
    metrics: Callable[[Sequence[Row]], list[Metric]]
    parts: tuple[str, str]
    score: Callable[[Row, str, str], Row] | None = None
    stops: tuple[str, ...] = ()
    program: Callable[[Row, str], Program] | None = None
    examples: Callable[[Path, Reading], list[Row]] | None = None
    continuations: Callable[[Row], list[str]] | None = None


def turns(messages: Messages) -> list[Messages]:
    """A conversation cut after each user message that the model is to answer: one not followed by an answer."""
    parts: list[Messages] = [[]]
    for number, message in enumerate(messages):
        parts[-1].append(message)
        following = messages[number + 1]["role"] if number + 1 < len(messages) else None
        if message["role"] == following == "user":
            parts.append([])
    return parts
