"""Warning codes: each has a meaning and a remedy, and CONTRIBUTING lists them all."""

import re

from analysis.fitting.diagnosis import WARNINGS, explain, remedy
from tests.conftest import ROOT


def test_every_code_has_a_meaning_and_a_remedy():
    assert explain("bound:b") == "parameter b ends at its bound"
    assert all(remedy(code) for code in WARNINGS)
    assert "{" not in "".join(explain(f"{code}:b") + remedy(f"{code}:b") for code in WARNINGS)


def test_contributing_lists_the_codes():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    paragraph = next(part for part in text.split("\n\n") if "diagnosis.py" in part and "missing_dropped" in part)
    words = set(re.findall(r"`([a-z]+(?:_[a-z]+)*)`", paragraph))
    assert set(WARNINGS) <= words
    assert {word for word in words if "_" in word} <= set(WARNINGS)
