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

from common.options import near
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
            "id": name_of(path, number, row), "prompt": _text(path, number, row),
            "answers": _accepted(path, number, row, reading.compare),
            "compare": reading.compare, "ignore": reading.ignore,
        }
        for number, row in rows(path, reading)
    ]  # fmt: skip


def name_of(path: Path, number: int, row: Row) -> str:
    """The row's id, or its number where it has none. Raises ValueError for one that is neither text nor number."""
    return str(field(path, number, row, "id", (str, int, float))) if "id" in row else str(number)


def _text(path: Path, number: int, row: Row) -> str:
    prompt: str = field(path, number, row, "prompt", str)
    if not prompt.strip():
        raise ValueError(f"{path}: item {number}, field 'prompt' is empty; give a question")
    return prompt


def _accepted(path: Path, number: int, row: Row, compare: str) -> list[str]:
    accepted = field(path, number, row, "answer", (str, int, float, list))
    answers = accepted if isinstance(accepted, list) else [accepted]
    for one in answers:
        if not isinstance(one, str | int | float) or (isinstance(one, float) and not math.isfinite(one)):
            raise ValueError(f"{path}: item {number}, field 'answer': {one!r} is neither a text nor a number")
    if not any(str(one).strip() for one in answers):
        raise ValueError(f"{path}: item {number}, field 'answer' is empty; give at least one answer")
    if compare == "number" and not any(only_number(str(one)) for one in answers):
        raise ValueError(f"{path}: item {number}: compare=number, but its answer {answers[0]!r} is no number")
    return [str(one) for one in answers]


def _filled(path: Path, number: int, row: Row, template: str) -> str:
    """The template with each ``{COLUMN}`` replaced.

    Raises ValueError for a column that the row does not have, or has no value of, and for one whose name is no word.
    """
    if odd := [column for column in row if f"{{{column}}}" in template and not PLACE.fullmatch(f"{{{column}}}")]:
        raise ValueError(
            f"{path}: the template names the column {odd[0]!r}, whose name is not one word; give it another name with "
            f"columns: {{NAME: {odd[0]!r}}}, and write {{NAME}} in the template"
        )

    def value(match: re.Match[str]) -> str:
        if match[1] not in row:
            hint = near(match[1], row)
            raise ValueError(
                f"{path}: item {number} has no column {match[1]!r} for the template{hint}; it has: {', '.join(row)}"
            )
        if row[match[1]] is None:
            raise ValueError(f"{path}: item {number}, column {match[1]!r} of the template is empty; give a value")
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
