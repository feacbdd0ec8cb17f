"""Questions of the user's own where the last match of a pattern in the answer must be an accepted answer."""

from __future__ import annotations

import re
from pathlib import Path

from eval.items.jsonl import Row
from eval.spec.answers import AS_IS, Reading
from eval.tasks import matching, questions
from eval.tasks.benchmark import Benchmark


def items(path: Path, reading: Reading = AS_IS) -> list[Row]:
    """The questions with the pattern. Raises ValueError for a pattern that does not compile."""
    try:
        re.compile(reading.pattern)
    except re.error as error:
        raise ValueError(f"pattern={reading.pattern!r} is not a regular expression: {error}") from None
    return [{**item, "pattern": reading.pattern} for item in questions.items(path, reading)]


def score(item: Row, text: str, status: str = "") -> Row:
    """``correct`` when the last match of the pattern, or its first group if it has one, is an accepted answer."""
    if not item["pattern"]:
        raise ValueError("task regex needs a pattern, such as 'Answer: (.+)'")
    matches = [match.group(1 if match.re.groups else 0) or "" for match in re.finditer(item["pattern"], text)]
    return matching.verdict(item, matches[-1:])


CHAT = Benchmark(
    items=items, messages=questions.conversation, score=score, metrics=matching.metrics, parts=("prompt", "answers"),
    examples=questions.items,
)  # fmt: skip
FORMS = questions.both(CHAT)
