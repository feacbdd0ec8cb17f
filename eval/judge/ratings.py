"""Read a judge's reply: a rating from 1 to 10, or which of two answers is better. Time is linear in the reply."""

from __future__ import annotations

import re
from collections.abc import Sequence

from eval.items.thoughts import split
from eval.tasks.mtbench import HIGHEST, LOWEST

BRACKETS = re.compile(r"\[\[([^\[\]]{1,40})\]\]")
WORD = r"\b(?:rating|score|grade)\b(?:\s?\([^()\n]{1,20}\))?"
ANNOUNCED = re.compile(rf"{WORD}[^\w\[\]\n]{{0,12}}(?:(?:is|of|would be)\b[^\w\[\]\n]{{0,8}})?$", re.IGNORECASE)
AMOUNT = r"(\d{1,3}(?:\.\d{1,4})?)(?:\s*(?:/|out\s+of)\s*(\d{1,3}))?"
INSIDE = re.compile(rf"(?:(?:rating|score)\s*[:=]?\s*)?{AMOUNT}(?:\s*points?)?", re.IGNORECASE)
ENDED = r"(?![\d%/]|\.\d|\]\s*,|\s*(?:-|\u2013|to\b)\s*\d)"  # not in a longer number, a list, a percentage or a range
NAMED = re.compile(
    rf"(?:{WORD}(?:\W{{0,12}}(?:is|of|would be)\b)?(?:\W|\\boxed){{0,12}}|\brate\b[^.\n\d]{{0,40}}?\s)"
    rf"(?<![-\d.]){AMOUNT}{ENDED}",
    re.IGNORECASE,
)
OUT_OF_TEN = re.compile(rf"(?<![\d.])(\d{{1,3}}(?:\.\d{{1,4}})?)\s*(?:/|out\s+of)\s*(10){ENDED}")
ALONE = re.compile(rf"[\W_]{{0,8}}{AMOUNT}[\W_]{{0,8}}")
CHOICES = {"a": "A", "b": "B", "c": "C", "tie": "C", "assistant a": "A", "assistant b": "B"}
FASTCHAT = (re.compile(r"\[\[(\d+\.?\d*)\]\]"), re.compile(r"\[(\d+\.?\d*)\]"))
END = 300  # characters at the end of a reply within which its verdict stands


def rating(reply: str) -> float | None:
    """The rating at the end of a reply; None when there is none, or one outside 1 to 10.

    A number in double brackets counts, also as ``[[ 7 ]]``, ``[[7/10]]`` or ``[[**7**]]``: the last one that is called
    a rating, else the last one. It stands at the end, or on a line of its own at the start: one in the middle is
    quoted. Without any it is the last announced number (``Rating: 7``), or ``7/10`` where all such numbers are the
    same, or a reply that consists of a number. Neither a citation such as ``[1]`` nor a thought is a rating.
    """
    # Models that write Markdown often escape brackets.
    text = split(reply).answer.replace("\\[", "[").replace("\\]", "]").rstrip()
    found = [match for match in BRACKETS.finditer(text) if any(sign.isdigit() for sign in match[1])]
    if found:
        called = [match for match in found if ANNOUNCED.search(text[max(0, match.start() - 60) : match.start()])]
        last = (called or found)[-1]
        line_ends = not text[last.end() :].partition("\n")[0].strip(" .*")
        stands = len(text) - last.end() <= END or ("\n" not in text[: last.end()].lstrip() and line_ends)
        return _value(INSIDE.fullmatch(last[1].strip(" *_`\t\n"))) if stands else None
    # A reply often repeats the scale ("from 1 to 10") before it gives a rating, so the last number counts.
    if announced := list(NAMED.finditer(text)):
        return _value(announced[-1])
    # Marks by criterion are no rating of the whole.
    tenths = list(OUT_OF_TEN.finditer(text))
    return _value(tenths[-1] if len({match[1] for match in tenths}) == 1 else ALONE.fullmatch(text.strip()))


def _value(match: re.Match[str] | None) -> float | None:
    if match is None or match.group(2) not in (None, "10"):
        return None
    value = float(match.group(1))
    return value if LOWEST <= value <= HIGHEST else None


def choice(reply: str) -> str | None:
    """'A', 'B' or 'C' (a tie), from the last double brackets with a choice that stand at the end; None without any."""
    text = split(reply).answer.rstrip()
    named = [CHOICES.get(match[1].strip(" *_`\"'\t\n").casefold()) for match in BRACKETS.finditer(text, _end(text))]
    return next((name for name in reversed(named) if name), None)


def _end(text: str) -> int:
    return max(0, len(text) - END - 40)


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
