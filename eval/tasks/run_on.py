"""Answers that run on: after its answer a model may go on with a question of its own and answer that too."""

from __future__ import annotations

import re

QUESTION = re.compile(
    r"^[ \t]*(?:[#>*_]{1,4}[ \t]?)?(?:question|problem|instruction|exercise|example|human|user|q)"
    r"(?: ?\d{1,3})?[*_]{0,2}[ \t]?[:.][*_]{0,2}(?=\s)",
    re.IGNORECASE | re.MULTILINE,
)
ANSWERED = re.compile(r"####|\\boxed\{|answer[\s*_]{0,4}(?:is\b|:)|=", re.IGNORECASE)


def without_run_on(text: str) -> str:
    """The text up to a question that follows an answer; a question before any answer only repeats the one asked."""
    for match in QUESTION.finditer(text):
        if ANSWERED.search(text, 0, match.start()):
            return text[: match.start()].rstrip()
    return text
