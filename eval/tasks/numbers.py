"""Numbers in a text: where they stand, and their values.

Read are digits of any script, thousands with commas or thin spaces, decimals, powers of ten, fractions, LaTeX's
``\\frac{1}{4}`` and ``1{,}234``, a sign that subtracts nothing, and signs of currency. Time is linear in the length of
the text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction

from eval.tasks.signs import plain_signs

# A minus is a sign only where nothing before it could be subtracted from.
CURRENCY = "$£€¥₹"
SIGN = rf"(?:(?<![0-9A-Za-z)\].])[-\u2212][{CURRENCY}]?)"
ENDS = r"(?![0-9/]|\.[0-9])"  # a full stop may follow a fraction
NUMBER = re.compile(
    rf"{SIGN}?(?:[0-9][0-9,]*(?:\.[0-9]+)?|(?<![0-9])\.[0-9]+)(?:/[0-9]+{ENDS}| [0-9]{{1,2}}/[0-9]{{1,2}}{ENDS})?"
)
SPACED = re.compile(  # spaces between thousands, and Switzerland's 1'000
    r"(?<=[0-9])[\u00a0\u2005-\u200a\u202f\u205f'\u2019](?=[0-9]{3}(?![0-9]))"
)
FRACTION = re.compile(r"([0-9]?)\\[dt]?frac(?:(?=\{)|([0-9])([0-9]))")
LATEX = re.compile(r"\\(?:[()\[\],;: !]|text(?:bf|it|rm)?(?=\{)|math(?:bf|rm)(?=\{)|left|right)|[{}\\]")
PERCENT = re.compile(r"\s?(?:%|per ?cent\b)", re.IGNORECASE)
NEGATIVE = re.compile(rf"\bnegative\s(?=[{CURRENCY}]?[.0-9])", re.IGNORECASE)
EXPONENT = r"([-+\u2212]?[0-9]{1,2})(?![0-9A-Za-z]|\.[0-9])"
SCIENTIFIC = re.compile(  # 1.5e3, 1.5 x 10^3, 10^3
    rf"(?<![0-9A-Za-z.,^])(?:([0-9]+(?:\.[0-9]+)?)[eE]{EXPONENT}"
    rf"|(?:([0-9]+(?:\.[0-9]+)?)\s?(?:[x×*·]|times|cdot)\s?)?10(?:\s?\^\s?|\*\*){EXPONENT})"
)
SCALES = {"k": 10**3, "thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
SCALE = re.compile(r"(?:k|\s?(?:thousand|million|billion|trillion))\b", re.IGNORECASE)
UNIT_SIGN = re.compile(  # of 25 cm^2, 25 cm2 and 90^\circ
    r"(?<=[A-Za-z])\s?\^\s?[23](?![0-9])|(?<=[0-9 cdkm]m)[23](?![0-9A-Za-z])"
    r"|(?<=[0-9])\s?\^\s?(?:circ|o)(?=[CF]?(?![A-Za-z]))"
)
COMMAND = re.compile(r"\\(?:sqrt|pi|pm|mp|geq?|leq?|neq?|infty|sum|int|log|ln|sin|cos|tan|exp)(?![A-Za-z])")
OPERATOR = r"(?:[-+*×·÷\u2212]|times|cdot)"
ALONE = r"(?![A-Za-z])"
EXPRESSION = re.compile(
    "|".join(
        (
            r"[√∛π∞±∓≤≥≠∑∫^]|(?<=[0-9)])[²³]|[A-Za-z]_[0-9]",
            rf"(?<![A-Za-z])(?:(?:pi|sqrt){ALONE}|(?:log|ln|sin|cos|tan|exp|[a-z](?=\()) ?\(?[0-9])",
            rf"[0-9)] ?(?:{OPERATOR}|x|\*\*) ?[($]?[0-9]",  # of two numbers; "5 times" is none
            rf"[0-9)] ?{OPERATOR} ?[b-z]{ALONE}|(?<![A-Za-z])[b-z] ?{OPERATOR} ?[0-9]",  # 5 + x
            rf"[0-9] ?[xyzni](?![A-Za-z0-9/'])|[0-9]e{ALONE}",
            rf"[0-9]/[xyzn]{ALONE}|(?<![A-Za-z])[xyzn]/[0-9]",
            # >5, which is neither a tag nor an arrow nor the sign of a quotation
            r"(?<![A-Za-z]{2})(?<![</][A-Za-z])(?<![-=])(?:<=?|>=?(?!(?<=^>) )) ?[0-9]",
            r"[0-9] (?:squared|cubed|factorial)\b|\broot of\b",
        )
    ),
    re.MULTILINE,
)
"""What makes a number a part of something else: a sign, a function, another operand, a variable, a comparison."""

FACTORIAL = re.compile(r"[0-9)]!(?=\s?[-+*/^=$)\]}×·÷])|^[^A-Za-z]*[0-9)]!+$")  # "It is 5!" is a sentence
PART_BEFORE = re.compile(r"(?:[√∛∜^]|sqrt)\s?[({]?$")
PART_BEHIND = re.compile(r"\s?(?:[√∛∜π^]|\\?(?:sqrt|pi)(?![a-z]))")  # of 2√3, 2π and 2^3
MAX_DIGITS = 40  # a longer run of digits is a decoder that did not stop, not an answer


@dataclass(frozen=True)
class Number:
    """A number in a text: where it begins and ends, its value (None: too long to be one), and whether in percent.

    ``scale`` is that of a word behind it, where `only_number` read it: 1,000,000 for "3 million", whose value is 3. It
    is a ``part`` of an expression where a root, a power or π stands beside it, as in 2√3.
    """

    start: int
    end: int
    value: Fraction | None
    percent: bool
    scale: int = 1
    part: bool = False


def tidy(text: str) -> str:
    """A text whose numbers stand as plain text: without LaTeX and spaces between thousands, and 1.5e3 as 1500."""
    text = SPACED.sub(",", plain_signs(text)).replace("{,}", ",").replace("}{", "/")
    text = FRACTION.sub(lambda match: f"{match[1]} {f'{match[2]}/{match[3]}' if match[2] else ''}", text)
    return SCIENTIFIC.sub(_plain, NEGATIVE.sub("-", LATEX.sub("", text)))


def numbers(text: str) -> Iterator[Number]:
    """The numbers of a tidy text, in order."""
    for match in NUMBER.finditer(text):
        start, end = match.span()
        part = bool(PART_BEHIND.match(text, end) or PART_BEFORE.search(text[max(0, start - 8) : start]))
        yield Number(start, end, _value(match.group()), PERCENT.match(text, end) is not None, part=part)


def only_number(text: str) -> Number | None:
    """The number of a text that holds one and no other.

    None for any other text, for a number that is too long, and for one in an expression, such as 2^2, 2x or √2.
    """
    text = plain_signs(text)
    if COMMAND.search(text) or FACTORIAL.search(text.strip()):
        return None
    text = UNIT_SIGN.sub("", tidy(text))
    found = [replace(one, scale=_scale(text, one.end)) for one in numbers(text)]
    distinct = {(one.value, one.percent, one.scale) for one in found}
    single = len(distinct) == 1 and found[0].value is not None and not EXPRESSION.search(text)
    return found[0] if single else None


def _scale(text: str, end: int) -> int:
    """The scale that a word gives the number that ends there; 1 without such a word."""
    word = SCALE.match(text, end)
    return SCALES[word.group().strip().lower()] if word else 1


def _plain(match: re.Match[str]) -> str:
    """A match of `SCIENTIFIC` as a plain number."""
    digits, exponent = match[1] or match[3] or "1", int((match[2] or match[4]).replace("\u2212", "-"))
    return written(Fraction(digits) * Fraction(10) ** exponent)


def same_number(one: Number, other: Number) -> bool:
    """Whether two numbers are equal by value.

    A percentage may stand for its number or for the share, and "3 million" for 3, where millions are asked for.
    """
    if one.percent == other.percent:
        return not _values(one).isdisjoint(_values(other))
    percentage, plain = (one, other) if one.percent else (other, one)
    assert percentage.value is not None
    return not _values(plain).isdisjoint({percentage.value, percentage.value / 100})


def _values(number: Number) -> set[Fraction]:
    """What a number may stand for."""
    assert number.value is not None
    return {number.value, number.value * number.scale}


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
    above, _, below = number.lstrip(f"-\u2212{CURRENCY}").partition("/")
    whole, _, above = above.rpartition(" ")
    parts = above.rstrip(",").split(",")
    sizes = [len(part.partition(".")[0]) for part in parts]
    grouped = 1 <= sizes[0] <= 3 and set(sizes[1:]) <= {3}
    grouped |= 1 <= sizes[0] <= 2 and set(sizes[1:-1]) == {2} and sizes[-1] == 3  # India's 1,00,000
    digits = "".join(parts) if grouped else parts[-1]
    if "." in digits:
        digits = digits.rstrip("0")
    if max(map(len, (whole, digits, below))) > MAX_DIGITS or (below and not int(below)):
        return None
    return sign * (Fraction(whole.replace(",", "") or 0) + Fraction(digits.rstrip(".") or 0) / int(below or 1))
