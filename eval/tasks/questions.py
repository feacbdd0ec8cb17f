"""Questions from the user's own file, so that any ability can be measured by YAML alone.

Items have ``prompt`` and ``answer`` (a text, a number, or a list of them). A template may write the prompt from any
columns. The tasks ``exact_match``, ``regex`` and ``choice`` differ in how they read an answer.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from eval.items.jsonl import Row, field, read
from eval.spec.answers import AS_IS, Reading
from eval.tasks.benchmark import Benchmark, Messages
from eval.tasks.numbers import only_number

PLACE = re.compile(r"\{(\w+)\}")
STOPS = ("\n\n", "Question:")  # a model that continues a plain text goes on with a question of its own


def rows(path: Path, reading: Reading) -> Iterator[tuple[int, Row]]:
    """The rows of a file by number, with ``prompt`` written by the template, if there is one."""
    for number, row in enumerate(read(path, dict(reading.fields))):
        yield number, row | ({"prompt": _filled(path, number, row, reading.template)} if reading.template else {})


def items(path: Path, reading: Reading = AS_IS) -> list[Row]:
    """The questions. ``id`` is the field of that name, else the row number from 0. ValueError for a malformed row."""
    return [
        {
            "id": name_of(row, number), "prompt": field(path, number, row, "prompt", str),
            "answers": _accepted(path, number, row, reading.compare),
            "compare": reading.compare, "ignore": reading.ignore,
        }
        for number, row in rows(path, reading)
    ]  # fmt: skip


def name_of(row: Row, number: int) -> str:
    return str(row.get("id", number))


def _accepted(path: Path, number: int, row: Row, compare: str) -> list[str]:
    accepted = field(path, number, row, "answer", (str, int, float, list))
    answers = accepted if isinstance(accepted, list) else [accepted]
    for one in answers:
        if not isinstance(one, str | int | float) or (isinstance(one, float) and not math.isfinite(one)):
            raise ValueError(f"{path}: item {number}, field 'answer': {one!r} is neither a text nor a number")
    if not answers:
        raise ValueError(f"{path}: item {number}, field 'answer' is an empty list; give at least one answer")
    if compare == "number" and not any(only_number(str(one)) for one in answers):
        raise ValueError(f"{path}: item {number}: compare=number, but its answer {answers[0]!r} is no number")
    return [str(one) for one in answers]


def _filled(path: Path, number: int, row: Row, template: str) -> str:
    """The template with each ``{COLUMN}`` replaced; ValueError for one that the row does not have."""

    def value(match: re.Match[str]) -> str:
        if match[1] not in row:
            raise ValueError(
                f"{path}: item {number} has no column {match[1]!r} for the template; it has: {', '.join(row)}"
            )
        return _as_text(row[match[1]])

    return PLACE.sub(value, template)


def _as_text(value: Any) -> str:
    return "\n".join(map(_as_text, value)) if isinstance(value, list) else str(value)


def conversation(item: Row) -> Messages:
    """The question, after the worked examples in ``item["shots"]`` as earlier turns."""
    turns = [("user", item["prompt"])]
    for one in reversed(item.get("shots", ())):
        turns = [("user", one["prompt"]), ("assistant", one["answers"][0]), *turns]
    return [{"role": role, "content": text} for role, text in turns]


def completion(item: Row) -> Messages:
    """The same as one text to continue. A prompt without a line ``Answer:`` of its own gets one."""
    examples = [f"{_asking(one)} {one['answers'][0]}\n\n" for one in item.get("shots", ())]
    return [{"role": "text", "content": "".join(examples) + _asking(item)}]


def _asking(item: Row) -> str:
    prompt: str = item["prompt"].rstrip()
    return prompt if prompt.endswith(":") else f"{prompt}\nAnswer:"


def both(chat: Benchmark) -> dict[str, Benchmark]:
    """The chat form of a task, and its completion form."""
    return {"chat": chat, "completion": replace(chat, messages=completion, stops=STOPS)}
