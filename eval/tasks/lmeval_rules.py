"""GSM8K as the lm-evaluation-harness scores it (0.4), for comparison with published numbers: never a headline.

``strict`` takes the number after the first ``#### ``; ``flexible`` the last run of digits, dots, commas and dollars, or
the last single digit. Both are compared as text, less commas, dollar signs and a last full stop.
"""

from __future__ import annotations

import re

STRICT = re.compile(r"#### (\-?[0-9\.\,]+)")
FLEXIBLE = re.compile(r"(-?[$0-9.,]{2,})|(-?[0-9]+)")


def verdicts(gold: str, text: str) -> dict[str, bool]:
    """Whether each of the two rules finds the gold answer, of which the part after ``####`` counts, in the text."""
    first, runs = STRICT.search(text), FLEXIBLE.findall(text)
    found = {
        "lmeval_strict": first.group(1) if first else None,
        "lmeval_flexible": next(filter(None, runs[-1])) if runs else None,
    }
    wanted = _plain(gold.rpartition("#### ")[2])
    return {name: value is not None and _plain(value) == wanted for name, value in found.items()}


def _plain(text: str) -> str:
    return text.replace(",", "").replace("$", "").removesuffix(".").lower()
