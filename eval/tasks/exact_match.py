"""Questions of the user's own whose whole answer, or what it states as its result, must be an accepted one."""

from __future__ import annotations

from eval.items.jsonl import Row
from eval.tasks import matching, questions
from eval.tasks.benchmark import Benchmark


def score(item: Row, text: str, status: str = "") -> Row:
    """``correct`` when the answer, or the place where it states its result, is an accepted one."""
    return matching.verdict(item, list(matching.stated(text)))


CHAT = Benchmark(
    items=questions.items, messages=questions.conversation, score=score, metrics=matching.metrics,
    parts=("prompt", "answers"), examples=questions.items,
)  # fmt: skip
FORMS = questions.both(CHAT)
