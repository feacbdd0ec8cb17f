"""What a judge's reply says: a rating from 1 to 10, or which of two answers is better. Pure, linear in the reply."""

from __future__ import annotations

import re
from collections.abc import Sequence

from eval.tasks.mtbench import HIGHEST, LOWEST

BRACKETS = re.compile(r"\[\[([^\[\]]{1,40})\]\]")
AMOUNT = r"(\d{1,3}(?:\.\d{1,4})?)(?:\s*(?:/|out\s+of)\s*(\d{1,3}))?"
INSIDE = re.compile(rf"(?:(?:rating|score)\s*[:=]?\s*)?{AMOUNT}(?:\s*points?)?", re.IGNORECASE)
ENDED = r"(?![\d%/]|\.\d|\s*(?:-|\u2013|to\b)\s*\d)"  # no longer number, no per cent, no range
NAMED = re.compile(
    rf"\b(?:rating|score|grade)\b\W{{0,12}}(?:(?:is|of|would be)\b\W{{0,8}})?{AMOUNT}{ENDED}", re.IGNORECASE
)
OUT_OF_TEN = re.compile(rf"(?<![\d.])(\d{{1,3}}(?:\.\d{{1,4}})?)\s*(?:/|out\s+of)\s*(10){ENDED}")
ALONE = re.compile(rf"[\W_]{{0,8}}{AMOUNT}[\W_]{{0,8}}")
CHOICES = {"a": "A", "b": "B", "c": "C", "tie": "C", "assistant a": "A", "assistant b": "B"}
FASTCHAT = (re.compile(r"\[\[(\d+\.?\d*)\]\]"), re.compile(r"\[(\d+\.?\d*)\]"))


def rating(reply: str) -> float | None:
    """The rating a reply ends with; None when it holds none, or one that is not from 1 to 10.

    The last number in double brackets counts, also as ``[[ 7 ]]``, ``[[7/10]]`` or ``[[**7**]]``; without any, the
    last announced one (``Rating: 7``, ``7/10``), or a reply that is but a number. A citation such as ``[1]`` is none.
    """
    text = reply.replace("\\[", "[").replace("\\]", "]")
    bracketed = [found.strip(" *_`\t\n") for found in BRACKETS.findall(text)]
    bracketed = [found for found in bracketed if any(sign.isdigit() for sign in found)]
    if bracketed:
        return _value(INSIDE.fullmatch(bracketed[-1]))
    announced = sorted([*NAMED.finditer(text), *OUT_OF_TEN.finditer(text)], key=lambda match: match.end())
    return _value(announced[-1] if announced else ALONE.fullmatch(text.strip()))


def _value(found: re.Match[str] | None) -> float | None:
    if found is None or found.group(2) not in (None, "10"):
        return None
    value = float(found.group(1))
    return value if LOWEST <= value <= HIGHEST else None


def choice(reply: str) -> str | None:
    """'A', 'B' or 'C' (neither) as the last double brackets say; None when they say nothing of the kind."""
    named = [CHOICES.get(found.strip(" *_`\"'\t\n").casefold()) for found in BRACKETS.findall(reply)]
    return next((found for found in reversed(named) if found), None)


def fastchat(reply: str) -> float:
    """The rating as FastChat reads it, for comparison: the first number in double, else in single brackets, else -1."""
    found = next((match for pattern in FASTCHAT if (match := pattern.search(reply))), None)
    return float(found.group(1)) if found else -1.0


def fastchat_mean(ratings: Sequence[float]) -> float | None:
    """The mean as FastChat has it: replies without a rating (-1) are left out."""
    kept = [value for value in ratings if value != -1]
    return sum(kept) / len(kept) if kept else None
