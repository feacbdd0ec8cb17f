"""Read a judge's reply: a rating from 1 to 10, or which of two answers is better. Time is linear in the reply."""

from __future__ import annotations

import re
from collections.abc import Sequence

from eval.tasks.mtbench import HIGHEST, LOWEST

BRACKETS = re.compile(r"\[\[([^\[\]]{1,40})\]\]")
AMOUNT = r"(\d{1,3}(?:\.\d{1,4})?)(?:\s*(?:/|out\s+of)\s*(\d{1,3}))?"
INSIDE = re.compile(rf"(?:(?:rating|score)\s*[:=]?\s*)?{AMOUNT}(?:\s*points?)?", re.IGNORECASE)
ENDED = r"(?![\d%/]|\.\d|\s*(?:-|\u2013|to\b)\s*\d)"  # not within a longer number, a percentage or a range
NAMED = re.compile(
    rf"\b(?:rating|score|grade)\b\W{{0,12}}(?:(?:is|of|would be)\b\W{{0,8}})?{AMOUNT}{ENDED}", re.IGNORECASE
)
OUT_OF_TEN = re.compile(rf"(?<![\d.])(\d{{1,3}}(?:\.\d{{1,4}})?)\s*(?:/|out\s+of)\s*(10){ENDED}")
ALONE = re.compile(rf"[\W_]{{0,8}}{AMOUNT}[\W_]{{0,8}}")
CHOICES = {"a": "A", "b": "B", "c": "C", "tie": "C", "assistant a": "A", "assistant b": "B"}
FASTCHAT = (re.compile(r"\[\[(\d+\.?\d*)\]\]"), re.compile(r"\[(\d+\.?\d*)\]"))


def rating(reply: str) -> float | None:
    """The rating at the end of a reply; None when there is none, or one outside 1 to 10.

    The last number in double brackets counts, also as ``[[ 7 ]]``, ``[[7/10]]`` or ``[[**7**]]``. Without any it is the
    last announced number (``Rating: 7``, ``7/10``), or a reply that consists of a number. A citation such as ``[1]``
    is not a rating.
    """
    # Models that write Markdown often escape brackets.
    text = reply.replace("\\[", "[").replace("\\]", "]")
    bracketed = [inside.strip(" *_`\t\n") for inside in BRACKETS.findall(text)]
    bracketed = [inside for inside in bracketed if any(sign.isdigit() for sign in inside)]
    if bracketed:
        return _value(INSIDE.fullmatch(bracketed[-1]))
    # A reply often repeats the scale ("from 1 to 10") before it gives a rating, so the last number counts.
    announced = sorted([*NAMED.finditer(text), *OUT_OF_TEN.finditer(text)], key=lambda match: match.end())
    return _value(announced[-1] if announced else ALONE.fullmatch(text.strip()))


def _value(match: re.Match[str] | None) -> float | None:
    if match is None or match.group(2) not in (None, "10"):
        return None
    value = float(match.group(1))
    return value if LOWEST <= value <= HIGHEST else None


def choice(reply: str) -> str | None:
    """'A', 'B' or 'C' (a tie), from the last double brackets that hold a choice; None without any."""
    named = [CHOICES.get(inside.strip(" *_`\"'\t\n").casefold()) for inside in BRACKETS.findall(reply)]
    return next((name for name in reversed(named) if name), None)


def fastchat(reply: str) -> float:
    """The rating as FastChat reads it: the first number in double brackets, else in single brackets, else -1.

    For comparison with published numbers only (``fastchat/llm_judge/common.py``).
    """
    first = next((match for pattern in FASTCHAT if (match := pattern.search(reply))), None)
    return float(first.group(1)) if first else -1.0


def fastchat_mean(ratings: Sequence[float]) -> float | None:
    """The mean as FastChat computes it: without the replies that have no rating (-1). None if none has one."""
    readable = [value for value in ratings if value != -1]
    return sum(readable) / len(readable) if readable else None
