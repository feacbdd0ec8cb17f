"""Another project's rules, reproduced: the shares of re-worded gold solutions that they are known to find."""

from __future__ import annotations

import pytest

from eval.rows import read
from eval.tasks.lmeval import verdicts

# how the last line is worded, and the percentages that lm-eval 0.4's strict and flexible filters find
FORMS = {
    "native": ("#### {n}", 100, 100),
    "grouped": ("#### {n:,}", 100, 100),
    "phrase": ("The answer is {n}", 0, 100),
    "dollars": ("The answer is ${n:,}.", 0, 100),
    "bold": ("The answer is **{n}**.", 0, 100),
    "boxed": ("The answer is $\\boxed{{{n}}}$.", 0, 0),
    "cents": ("The answer is ${n}.00.", 0, 0),
    "ellipsis": ("The answer is {n}...", 0, 0),
    "chatter": ("#### {n}\nThat took 5 steps, i.e. 5.", 100, 2.8),
    "bare": ("{n}", 0, 100),
}


@pytest.mark.parametrize("form", FORMS)
def test_known_shares(form, shared):
    wording, strict, flexible = FORMS[form]
    golds = [row["answer"] for row in read(shared / "math" / "gsm8k_test.jsonl")]
    found = []
    for gold in golds:
        steps, number = gold.rsplit("####", 1)
        found.append(verdicts(gold, steps + wording.format(n=int(number.replace(",", "")))))
    shares = {name: 100 * sum(row[name] for row in found) / len(found) for name in found[0]}
    assert shares["lmeval_strict"] == pytest.approx(strict, abs=0.05)
    assert shares["lmeval_flexible"] == pytest.approx(flexible, abs=0.5)


def test_nothing_is_wrong():
    assert (
        verdicts("#### 3", "")
        == verdicts("#### 3", "none at all")
        == {"lmeval_strict": False, "lmeval_flexible": False}
    )
