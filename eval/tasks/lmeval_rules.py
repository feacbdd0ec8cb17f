"""GSM8K by the rules of the lm-evaluation-harness (0.4), only for comparison with published numbers.

``strict`` takes the number after the first ``#### ``; ``flexible`` the last run of digits, dots, commas and dollar
signs, or the last single digit. Both are compared as text without commas, dollar signs and a final full stop.
"""

from __future__ import annotations

import re

STRICT = re.compile(r"#### (\-?[0-9\.\,]+)")
# As in lm-eval's own files, with their flaws: comparing is what these rules are for.
FLEXIBLE = re.compile(r"(-?[$0-9.,]{2,})|(-?[0-9]+)")


def verdicts(gold: str, text: str) -> dict[str, bool]:
    """Whether the text is right by each of the two rules. Of ``gold`` only the part after ``####`` counts."""
    first, runs = STRICT.search(text), FLEXIBLE.findall(text)
    extracted = {
        "lmeval_strict": first.group(1) if first else None,
        "lmeval_flexible": next(filter(None, runs[-1])) if runs else None,
    }
    right = _plain(gold.rpartition("#### ")[2])
    return {name: value is not None and _plain(value) == right for name, value in extracted.items()}


def _plain(text: str) -> str:
    return text.replace(",", "").replace("$", "").removesuffix(".").lower()
