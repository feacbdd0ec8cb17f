"""Questions from the user's own file, so that any ability can be measured by YAML alone.

Task ``exact_match``: the whole answer must be one of the accepted ones; case, white space and a final full stop do not
count. ``regex``: the last match of a pattern in the answer must be. ``choice``: the answer must name the right one of
several choices, by letter or text. Items have ``prompt``, ``answer`` (a text, a number, or a list of them) and, for
``choice``, ``choices`` (a list of texts; ``answer`` is one of them, its letter, or its number from 0).
"""

from __future__ import annotations

import re
import string
from collections.abc import Sequence
from pathlib import Path

from eval.items.jsonl import Row, field, read
from eval.items.metrics import Metric, present, rate
from eval.spec.answers import AS_IS, Reading

LETTERS = string.ascii_uppercase
ANNOUNCED = re.compile(r"answer(?:\s+is|\s*[:=])?[\s*(\[\"']*([A-Z])(?![A-Za-z0-9'\u2019])")
ALONE = re.compile(r"^[\s*(\[\"']*([A-Z])(?:[\s*)\].:,\"']|$)")


def items(path: Path, reading: Reading = AS_IS) -> list[Row]:
    """The questions. ``id`` is the field of that name, else the row number from 0. ValueError for a malformed row."""
    questions = []
    for number, row in enumerate(read(path, dict(reading.fields))):
        accepted = field(path, number, row, "answer", (str, int, float, list))
        answers = [str(one) for one in (accepted if isinstance(accepted, list) else [accepted])]
        prompt = field(path, number, row, "prompt", str)
        questions.append({"id": str(row.get("id", number)), "prompt": prompt, "answers": answers})
    return questions


def patterned(path: Path, reading: Reading = AS_IS) -> list[Row]:
    """The questions with the pattern of task ``regex``. Raises ValueError for a pattern that does not compile."""
    try:
        re.compile(reading.pattern)
    except re.error as error:
        raise ValueError(f"pattern={reading.pattern!r} is not a regular expression: {error}") from None
    return [{**item, "pattern": reading.pattern} for item in items(path, reading)]


def choosing(path: Path, reading: Reading = AS_IS) -> list[Row]:
    """The questions with their choices and the letter of the right one. Raises ValueError when that is not a choice."""
    rows, questions = read(path, dict(reading.fields)), []
    for number, (row, item) in enumerate(zip(rows, items(path, reading), strict=True)):
        choices = [str(one) for one in field(path, number, row, "choices", list)]
        right = _right(item["answers"][0], choices)
        if right is None or not 2 <= len(choices) <= len(LETTERS):
            answer = item["answers"][0]
            raise ValueError(f"{path}: item {number}: answer {answer!r} is not one of its choices {choices}")
        questions.append({**item, "choices": choices, "letter": right})
    return questions


def messages(item: Row) -> list[dict[str, str]]:
    """The question and, if there are choices, a line for each that begins with its letter."""
    lines = [f"{letter}. {choice}" for letter, choice in zip(LETTERS, item.get("choices", ()), strict=False)]
    return [{"role": "user", "content": "\n".join([item["prompt"], *lines])}]


def match(item: Row, text: str, status: str = "") -> Row:
    """``correct`` when the whole answer is an accepted one."""
    return _verdict(item, _plain(text))


def find(item: Row, text: str, status: str = "") -> Row:
    """``correct`` when the last match of the pattern, or its first group if it has one, is an accepted answer."""
    if not item["pattern"]:
        raise ValueError("task regex needs a pattern, such as 'Answer: (.+)'")
    matches = [match.group(1 if match.re.groups else 0) or "" for match in re.finditer(item["pattern"], text)]
    return _verdict(item, _plain(matches[-1]) if matches else None)


def choose(item: Row, text: str, status: str = "") -> Row:
    """``correct`` when the answer names the right choice by text, by an announced letter, or by its first letter."""
    by_text = {_plain(choice): letter for letter, choice in zip(LETTERS, item["choices"], strict=False)}
    # An announcement counts before a letter at the start, as models reason before they decide.
    letters = [*ANNOUNCED.findall(text)[-1:], *ALONE.findall(text.strip())]
    letter = by_text.get(_plain(text)) or next(iter(letters), None)
    return {
        "correct": letter == item["letter"], "parsed": letter is not None, "extracted": letter, "gold": item["letter"],
    }  # fmt: skip


def metrics(scores: Sequence[Row]) -> list[Metric]:
    """``accuracy``, the share of right answers."""
    return present(rate("accuracy", scores, "correct"))


def _verdict(item: Row, answer: str | None) -> Row:
    accepted = {_plain(one) for one in item["answers"]}
    return {"correct": answer in accepted, "parsed": bool(answer), "extracted": answer, "gold": item["answers"]}


def _plain(text: str) -> str:
    """A text without what does not count: case, white space, a final full stop."""
    return " ".join(text.casefold().split()).removesuffix(".")


def _right(answer: str, choices: Sequence[str]) -> str | None:
    """The letter of the right choice, which ``answer`` gives as its text, number or letter; None for none of these."""
    if answer in choices:
        return LETTERS[choices.index(answer)]
    if answer.isdigit() and int(answer) < len(choices):
        return LETTERS[int(answer)]
    return answer.upper() if answer.upper() in LETTERS[: len(choices)] and len(answer) == 1 else None
