r"""The final number of a worked solution.

It is read where the solution marks it: after the last ``####``, else in the last ``\boxed{}``, else in the sentence
after the last announcement ("the answer is"). A marked number that is too long to be one makes the solution
unreadable, for an earlier number is not what the model answered. Without a mark, or where an announcement ends its
line, the last sentence that holds a number decides.

In a sentence the answer is what follows its last equals sign; else its only bold number; else the first number that the
question does not hold, once brackets, an introductory clause ("Since ..., ") and all before ", so" are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Set
from fractions import Fraction
from itertools import pairwise

from eval.tasks.numbers import CURRENCY, Number, numbers, tidy
from eval.tasks.run_on import without_run_on
from eval.tasks.signs import plain_signs

PHRASE = re.compile(
    r"answer(?: \([^()\n]{1,40}\))?[ \t*_]{0,4}(?:(?:is|would be|must be|equals)\b|[:=\uff1a])[ \t*_:]{0,4}",
    re.IGNORECASE,
)
SUM = re.compile(r"^[0-9\s.,$+*/x×÷()=-]*=")  # in "10 - 3 = 7" the result counts
STEP = re.compile(r"^[ \t]*[*#_ ]{0,6}(?:step|part|case) \d{1,3}[*_ ]{0,4}[:.)-]", re.IGNORECASE | re.MULTILINE)
FIRST, SECOND = (re.compile(rf"^[ \t]*[*_]{{0,2}}{number}[.)]\s", re.MULTILINE) for number in (1, 2))
NUMBERED = re.compile(r"^[ \t]*[*_]{0,2}\d{1,2}[.)](?=[ \t*_]+\S)", re.MULTILINE)
SENTENCE = re.compile(r"(?<=[.!?])[\"')*]{0,4}[ \t]+(?=[A-Z*\"'(\\$\d-])|\n")
RESULT = re.compile(
    rf"(?:=|≈|\bequals?\b|\bwhich (?:is|equals|gives|makes)\b)[*\s{CURRENCY}(]{{0,6}}(?=[-\u2212]?[{CURRENCY}]?[.0-9])"
)
BOLD = re.compile(r"\*\*([^*\n]{1,80})\*\*")
BRACKETS = re.compile(r"\([^()]{0,200}\)")
TURN = re.compile(
    r"[,;]\s(?:and )?(?:so|therefore|thus|hence|for a total of)\b|"
    rf"\b(?:we (?:get|have|find)|gives?(?: us| him| her| them)?)\b(?=[*{CURRENCY}\s]{{0,6}}\d)",
    re.IGNORECASE,
)
OPENING = "so|thus|therefore|hence|then|now|finally|and|but|in total|overall|in the end|(?:this|that) means(?: that)?"
LEADING = (
    "since|because|as|if|to|at|in|on|after|with|given|for|by|when|out of|of|from|adding|multiplying|dividing|"
    "subtracting|assuming|over|during|once|per|before|while|considering"
)
INTRODUCTION = re.compile(
    rf"^\W{{0,8}}(?:(?:{OPENING})\b,? ){{0,4}}(?:{LEADING})\b(?:[^,]|,(?=\d{{3}}\b))*,\s", re.IGNORECASE
)
DIRECT = re.compile(r"[^\w\n]{0,8}(?:(?:approximately|about|exactly|only) )?[^\w\n]{0,4}")
OPERATOR = re.compile(r"\s?(?:[-+*/x×÷\u2212=]|times\b)\s?[$£€(]?\d")
MAX_PLACE = 200  # characters of a marked place
MAX_SENTENCE = 2000


def final_number(text: str, question: str = "") -> Fraction | None:
    """The final number; None for a text without one, for one that cannot be read, and for a part of an expression."""
    text, asked = without_run_on(plain_signs(text)), {one.value for one in numbers(tidy(question))}
    for place in _marked(text):
        for marked in numbers(SUM.sub("", tidy(place))):
            return None if marked.part else marked.value
    number = _announced(text, asked) or _last_sentence(text, asked)
    return number.value if number and not number.part else None


def _marked(text: str) -> Iterator[str]:
    """The places after ``####`` and in boxes, the most reliable first."""
    yield from (part.partition("\n")[0] for part in reversed(text.split("####")[1:]))
    yield from (braced(part[:MAX_PLACE]) for part in reversed(text.split("\\boxed{")[1:]))


def braced(text: str) -> str:
    """A text up to the brace that closes one opened before it."""
    depth = 1
    for place, sign in enumerate(text):
        depth += (sign == "{") - (sign == "}")
        if not depth:
            return text[:place]
    return text.partition("\n")[0]


def _announced(text: str, asked: Set[Fraction | None]) -> Number | None:
    """The number of the last announcement that has one."""
    starts = [match.end() for match in PHRASE.finditer(text)]
    for start, end in reversed(list(pairwise([*starts, len(text)]))):
        line, goes_on, _ = text[start:end].partition("\n")
        if line.strip(" \t*_:") or not goes_on:
            line = tidy(_unlabelled(text[start:end]).lstrip()[:MAX_SENTENCE])
            sentence = SENTENCE.split(line, maxsplit=1)[0]
            if number := _direct(sentence) or _concluded(sentence, asked):
                return number
        if number := _last_sentence(text[start:end], asked):
            return number
    return None


def _direct(sentence: str) -> Number | None:
    """The number with which a sentence begins, unless it begins a calculation or leads to another one."""
    head = DIRECT.match(sentence)
    first = next(numbers(sentence[:MAX_PLACE]), None)
    if first is None or head is None or first.start > head.end() or first.start < head.end() - 2:
        return None
    return None if OPERATOR.match(sentence, first.end) or TURN.search(sentence, first.end) else first


def _last_sentence(text: str, asked: Set[Fraction | None]) -> Number | None:
    """The number of the last sentence that holds one."""
    sentences = SENTENCE.split(tidy(_unlabelled(text)))
    found = (_concluded(sentence[-MAX_SENTENCE:], asked) for sentence in reversed(sentences))
    return next(filter(None, found), None)


def _concluded(sentence: str, asked: Set[Fraction | None]) -> Number | None:
    """The number that a tidy sentence states as its result; None for a sentence without numbers."""
    found = list(numbers(sentence))
    if unreadable := [number for number in found if number.value is None]:
        return unreadable[0]
    if len({number.value for number in found}) < 2:
        return found[0] if found else None
    if results := list(RESULT.finditer(sentence)):
        return next((number for number in found if number.end > results[-1].end()), found[-1])
    bold = [number for match in BOLD.finditer(sentence) for number in numbers(match[1])]
    if len({number.value for number in bold}) == 1:
        return bold[0]
    stated = list(numbers(_main_clause(sentence)))
    return next((number for number in stated if number.value not in asked), stated[0])


def _main_clause(sentence: str) -> str:
    """The part of a sentence that states something and holds a number."""
    plain = BRACKETS.sub(" ", sentence)
    parts = [sentence, plain, *(plain[match.end() :] for match in TURN.finditer(plain))]
    clause = next(part for part in reversed(parts) if next(numbers(part), None))
    introduced = INTRODUCTION.match(clause)
    rest = clause[introduced.end() :] if introduced else ""
    return rest if next(numbers(rest), None) else clause


def _unlabelled(text: str) -> str:
    """A text without the numbers that count its steps, such as those of a list that begins with 1 and 2."""
    text = STEP.sub("", text)
    return NUMBERED.sub("", text) if FIRST.search(text) and SECOND.search(text) else text
