"""Numbers in a text: where they stand, and their values.

Read are thousands with commas or thin spaces, decimals, fractions, LaTeX's ``\\frac{1}{4}`` and ``1{,}234``, a sign
that subtracts nothing, and signs of currency. Time is linear in the length of the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction

# A minus is a sign only where nothing before it could be subtracted from.
SIGN = r"(?:(?<![0-9A-Za-z)\].])[-\u2212][$£€]?)"
ENDS = r"(?![0-9/]|\.[0-9])"  # a full stop may follow a fraction
NUMBER = re.compile(
    rf"{SIGN}?(?:[0-9][0-9,]*(?:\.[0-9]+)?|(?<![0-9])\.[0-9]+)(?:/[0-9]+{ENDS}| [0-9]{{1,2}}/[0-9]{{1,2}}{ENDS})?"
)
SPACED = re.compile(r"(?<=[0-9])[\u00a0\u2009\u202f](?=[0-9]{3}(?![0-9]))")  # spaces between thousands
FRACTION = re.compile(r"([0-9]?)\\[dt]?frac(?:(?=\{)|([0-9])([0-9]))")
LATEX = re.compile(r"\\(?:[()\[\],;: !]|text(?:bf|it|rm)?(?=\{)|math(?:bf|rm)(?=\{)|left|right)|[{}\\]")
PERCENT = re.compile(r"\s?(?:%|percent\b)", re.IGNORECASE)
NEGATIVE = re.compile(r"\bnegative\s(?=[$£€]?[.0-9])", re.IGNORECASE)
MAX_DIGITS = 40  # a longer run of digits is a decoder that did not stop, not an answer


@dataclass(frozen=True)
class Number:
    """A number in a text: where it begins and ends, its value (None: too long to be one), and whether in percent."""

    start: int
    end: int
    value: Fraction | None
    percent: bool


def tidy(text: str) -> str:
    """A text whose numbers stand as plain text: without LaTeX and without spaces between thousands."""
    text = SPACED.sub(",", text).replace("{,}", ",").replace("}{", "/")
    text = FRACTION.sub(lambda match: f"{match[1]} {f'{match[2]}/{match[3]}' if match[2] else ''}", text)
    return NEGATIVE.sub("-", LATEX.sub("", text))


def numbers(text: str) -> Iterator[Number]:
    """The numbers of a tidy text, in order."""
    for match in NUMBER.finditer(text):
        percent = PERCENT.match(text, match.end()) is not None
        yield Number(match.start(), match.end(), _value(match.group()), percent)


def only_number(text: str) -> Number | None:
    """The number of a text that holds one and no other; None for any other text, and for a number that is too long."""
    found = list(numbers(tidy(text)))
    distinct = {(one.value, one.percent) for one in found}
    return found[0] if len(distinct) == 1 and found[0].value is not None else None


def same_number(one: Number, other: Number) -> bool:
    """Whether two numbers are equal by value; a percentage may stand for its number or for the share."""
    assert one.value is not None and other.value is not None
    if one.percent == other.percent:
        return one.value == other.value
    percentage, plain = (one, other) if one.percent else (other, one)
    return plain.value in (percentage.value, percentage.value / 100)  # type: ignore[operator]


def written(value: Fraction) -> str:
    """A value as text: 18, 0.25, 1/3."""
    denominator = value.denominator
    for prime in (2, 5):
        while denominator % prime == 0:
            denominator //= prime
    if value.denominator == 1 or denominator > 1:
        return str(value)
    places = next(places for places in range(1, 200) if (value * 10**places).denominator == 1)
    whole = str(abs(value) * 10**places).rjust(places + 1, "0")
    return f"{'-' if value < 0 else ''}{whole[:-places]}.{whole[-places:]}"


def _value(number: str) -> Fraction | None:
    """The value of a match of `NUMBER`. Commas that group thousands are dropped; otherwise the last part counts."""
    sign = -1 if number[0] in "-\u2212" else 1
    above, _, below = number.lstrip("-\u2212$£€").partition("/")
    whole, _, above = above.rpartition(" ")
    parts = above.rstrip(",").split(",")
    grouped = 1 <= len(parts[0]) <= 3 and all(len(part.partition(".")[0]) == 3 for part in parts[1:])
    digits = "".join(parts) if grouped else parts[-1]
    if "." in digits:
        digits = digits.rstrip("0")
    if max(map(len, (whole, digits, below))) > MAX_DIGITS or (below and not int(below)):
        return None
    return sign * (Fraction(whole.replace(",", "") or 0) + Fraction(digits.rstrip(".") or 0) / int(below or 1))
