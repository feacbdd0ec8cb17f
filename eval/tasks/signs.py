"""Signs that stand for others: digits of all scripts, full-width forms, and the many signs of arithmetic."""

from __future__ import annotations

import re
import unicodedata
from functools import cache

WIDE = re.compile("[\u3000\uff01-\uffee]+")
EQUAL = str.maketrans({
    "\u2010": "-", "\u2011": "-", "\u2012": "-", "\u2013": "-", "\ufe63": "-", "\u2212": "-",
    "\u066a": "%", "\u066b": ".", "\u066c": ",", "\u2044": "/", "\u2215": "/",
    "\u22c5": "\u00b7", "\u2219": "\u00b7", "\u2217": "*", "\u2715": "\u00d7", "\u2a2f": "\u00d7",
})  # fmt: skip
"""Dashes and signs of arithmetic, and the sign with the same meaning that is read."""

HALVES = {sign: unicodedata.normalize("NFKC", sign).replace("\u2044", "/") for sign in "¼½¾⅐⅑⅒⅓⅔⅕⅖⅗⅘⅙⅚⅛⅜⅝⅞"}
FRACTION = re.compile(rf"(?:(?<=[0-9]) ?)?([{''.join(HALVES)}])")
RAISED = dict(zip("⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻", "0123456789+-", strict=True))
POWER = re.compile(rf"(?<=[0-9)])[{''.join(RAISED)}]+")


def narrow(text: str) -> str:
    """A text with its full-width and half-width forms in their usual width."""
    return WIDE.sub(lambda match: unicodedata.normalize("NFKC", match.group()), text)


def plain_signs(text: str) -> str:
    """A text in which numbers are written with ASCII: digits of any script, signs, ½ as 1/2 and 10³ as 10^3."""
    if text.isascii():
        return text
    text = narrow(text).translate(_digits()).translate(EQUAL)
    text = FRACTION.sub(lambda match: f"{' ' if _after_digit(match) else ''}{HALVES[match[1]]}", text)
    return POWER.sub(lambda match: "^" + "".join(RAISED[sign] for sign in match.group()), text)


def _after_digit(match: re.Match[str]) -> bool:
    return match.string[: match.start()][-1:].isdigit()


@cache
def _digits() -> dict[int, str]:
    """The ASCII digit of every decimal digit that is none itself."""
    codes = range(128, 0x20000)  # none lie beyond
    return {code: str(unicodedata.decimal(chr(code))) for code in codes if chr(code).isdecimal()}
