"""Read which of several choices an answer names. Time is linear in the length of the answer."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from eval.tasks.final_number import braced
from eval.tasks.matching import plain
from eval.tasks.run_on import without_run_on
from eval.tasks.signs import narrow

ANNOUNCED = re.compile(
    r"\b(?:(?:answer|option|choice)s?(?:[ \t](?:choice|option|letter))?(?: \([^()\n]{1,40}\))?[ \t*_]{0,4}"
    r"(?:(?:is|would be|must be|should be)\b(?: (?:most )?likely\b| probably\b)?|[:=])|"
    r"I (?:would |will )?(?:choose|pick|select|go with))[ \t]?:?"
    r"(?:[ \t*_]{0,4}(?:option|choice|answer)\b)?",
    re.IGNORECASE,
)
MENTIONED = re.compile(r"\b(?:option|choice|answer)[ \t](?=\(?[A-Z]\)?(?![\w'\u2019]))", re.IGNORECASE)
# A bare letter may be followed by its choice; A and I are also words.
LETTER = re.compile(r"[\s*_\"'`$:]{0,6}(?:\\?[(\[{]\s?([A-Za-z])\s?\\?[)\]}]|([A-Za-z])(?![\w'\u2019]))")
FOLLOWED = re.compile(r"[*_]{0,2}(?:[.):,;\]]|\s*$|\s*\n|\s+(?:because|since|as|is|-|\u2013|\(|\[|not|and not))")
LETTERED = re.compile(r"\(([A-Z])\)[ \t]?")
# "(A) or (B)" names neither.
ANOTHER = re.compile(r"[\s*_]{0,4}(?:,|/|&|or\b|and\b)[\s*_]{0,4}(?:option |choice )?\(?([A-Z])\)?(?![\w'\u2019])")
WHOLE = re.compile(r"[\s*_(\[\"'`$]{0,6}[A-Za-z][\s*_)\]\"'`$.:]{0,6}")
WRAPPED = re.compile(r"\\(?:text|mathrm|mathbf|textbf)\{([^{}]*)\}")
IGNORED = ("case", "markup", "width")
MAX_PLACE = 400


def named(text: str, labels: Sequence[str], choices: Sequence[str]) -> int | None:
    """The number of the choice that an answer names; None for an answer that names none.

    Without ``labels`` the choices go by their texts alone.
    """
    text = WRAPPED.sub(r"\1", without_run_on(narrow(text))).strip()
    for place, certain in _places(text):
        number, strange = _read(place, labels, choices, certain)
        if number is not None or strange:
            return number
    return _with_its_text(text.rpartition("\n")[2], labels, choices)


def _places(text: str) -> Iterator[tuple[str, bool]]:
    """The places that may name the choice, the most reliable first, and whether each stands for the answer."""
    yield from ((braced(part[:MAX_PLACE]), True) for part in reversed(text.split("\\boxed{")[1:]))
    ends = [match.end() for match in ANNOUNCED.finditer(text)]
    yield from ((text[end : end + MAX_PLACE].lstrip(" \t*_:\n"), True) for end in reversed(ends))
    lines = [line for line in text.split("\n") if line.strip()]
    # A first line that is nothing but a choice is an answer before its reasons.
    if lines and WHOLE.fullmatch(lines[0].strip()):
        yield lines[0], True
    for line in lines[-1:]:
        yield line[:MAX_PLACE], False
        mentions = [match.end() for match in MENTIONED.finditer(line)]
        yield from ((line[end : end + MAX_PLACE], False) for end in mentions[-1:])
    yield text[:MAX_PLACE], False


def _read(place: str, labels: Sequence[str], choices: Sequence[str], certain: bool) -> tuple[int | None, bool]:
    """The number of the choice with which a place begins; and whether it begins with letters that name none."""
    line = place.strip().partition("\n")[0]
    by_text = _by_text(line, choices)
    letter = LETTER.match(place)
    bare = letter and (letter[1] or letter[2])
    if not (labels and letter and bare):
        return by_text, False
    rest = place[letter.end() :]
    lettered = letter[1] is not None or FOLLOWED.match(rest) is not None
    number = labels.index(bare.upper()) if bare.upper() in labels else None
    another = ANOTHER.match(rest)
    if another and another[1] in labels and another[1] != bare.upper():
        return None, True
    if (
        number is not None
        and (lettered or _by_text(rest, choices) == number)
        and (letter[1] or bare.isupper() or _ends(rest))
    ):
        return number, False
    if by_text is not None:
        return by_text, False
    return None, certain and lettered and bare.isupper() and number is None


def _with_its_text(line: str, labels: Sequence[str], choices: Sequence[str]) -> int | None:
    """The number of the one choice that stands in a line with its letter in brackets before it."""
    found = {
        labels.index(match[1])
        for match in LETTERED.finditer(line)
        if match[1] in labels and line[match.end() :].startswith(choices[labels.index(match[1])])
    }
    return found.pop() if len(found) == 1 else None


def _ends(rest: str) -> bool:
    """Whether nothing follows a letter but signs."""
    return not any(map(str.isalnum, rest.partition("\n")[0]))


def _by_text(line: str, choices: Sequence[str]) -> int | None:
    """The number of the choice whose text a line is, or begins with as a sentence; the longest of several."""
    said = plain(line.strip(" \t\"'()"), IGNORED)
    texts = {number: plain(choice, IGNORED) for number, choice in enumerate(choices)}
    fit = [
        number for number, text in texts.items() if said == text or re.match(rf"{re.escape(text)}[.,;](?:\s|$)", said)
    ]
    return max(fit, key=lambda number: len(texts[number]), default=None)
