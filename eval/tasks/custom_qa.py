"""Questions of the user's own, so that any ability can be measured by YAML alone.

``exact_match``: the answer is one of the given ones, but for case, white space and a last full stop. ``regex``: what a
pattern finds last in the answer is. ``choice``: the answer names the right one of several choices, by letter or text.
Items have ``prompt``, ``answer`` (a text, a number, or a list of them) and, for ``choice``, ``choices`` (a list of
texts, of which ``answer`` is one, its letter, or its number from 0).
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
    """The questions; ``id`` is the field of that name, else the row number from 0."""
    found = []
    for number, row in enumerate(read(path, dict(reading.fields))):
        given = field(path, number, row, "answer", (str, int, float, list))
        answers = [str(one) for one in (given if isinstance(given, list) else [given])]
        prompt = field(path, number, row, "prompt", str)
        found.append({"id": str(row.get("id", number)), "prompt": prompt, "answers": answers})
    return found


def patterned(path: Path, reading: Reading = AS_IS) -> list[Row]:
    """Questions with the pattern that finds the answer, which only scoring needs. ValueError for one that is none."""
    try:
        re.compile(reading.pattern)
    except re.error as error:
        raise ValueError(f"pattern={reading.pattern!r} is no regular expression: {error}") from None
    return [{**item, "pattern": reading.pattern} for item in items(path, reading)]


def choosing(path: Path, reading: Reading = AS_IS) -> list[Row]:
    """Questions with their choices and the letter of the right one."""
    rows, found = read(path, dict(reading.fields)), []
    for number, (row, item) in enumerate(zip(rows, items(path, reading), strict=True)):
        choices = [str(one) for one in field(path, number, row, "choices", list)]
        right = _right(item["answers"][0], choices)
        if right is None or not 2 <= len(choices) <= len(LETTERS):
            raise ValueError(f"{path}: item {number}: answer {item['answers'][0]!r} is none of its choices {choices}")
        found.append({**item, "choices": choices, "letter": right})
    return found


def messages(item: Row) -> list[dict[str, str]]:
    """The question; with choices, one a line after its letter."""
    lines = [f"{letter}. {choice}" for letter, choice in zip(LETTERS, item.get("choices", ()), strict=False)]
    return [{"role": "user", "content": "\n".join([item["prompt"], *lines])}]


def match(item: Row, text: str, status: str = "") -> Row:
    """``correct`` when the whole answer is a given one."""
    return _judged(item, _plain(text))


def find(item: Row, text: str, status: str = "") -> Row:
    """``correct`` when the last match of the pattern, its first group where it has one, is a given answer."""
    if not item["pattern"]:
        raise ValueError("task regex needs a pattern, such as 'Answer: (.+)'")
    found = [match.group(1 if match.re.groups else 0) or "" for match in re.finditer(item["pattern"], text)]
    return _judged(item, _plain(found[-1]) if found else None)


def choose(item: Row, text: str, status: str = "") -> Row:
    """``correct`` when the answer names the right choice: by its text, by a letter announced, or by a letter first."""
    named = {_plain(choice): letter for letter, choice in zip(LETTERS, item["choices"], strict=False)}
    letters = [*ANNOUNCED.findall(text)[-1:], *ALONE.findall(text.strip())]
    found = named.get(_plain(text)) or next(iter(letters), None)
    return {"correct": found == item["letter"], "parsed": found is not None, "extracted": found, "gold": item["letter"]}


def metrics(scores: Sequence[Row]) -> list[Metric]:
    """The share of right answers, ``accuracy``."""
    return present(rate("accuracy", scores, "correct"))


def _judged(item: Row, found: str | None) -> Row:
    gold = {_plain(answer) for answer in item["answers"]}
    return {"correct": found in gold, "parsed": bool(found), "extracted": found, "gold": item["answers"]}


def _plain(text: str) -> str:
    return " ".join(text.casefold().split()).removesuffix(".")


def _right(answer: str, choices: Sequence[str]) -> str | None:
    """The letter of the right choice."""
    if answer in choices:
        return LETTERS[choices.index(answer)]
    if answer.isdigit() and int(answer) < len(choices):
        return LETTERS[int(answer)]
    return answer.upper() if answer.upper() in LETTERS[: len(choices)] and len(answer) == 1 else None
