"""Another project's rules, reproduced: the verdicts that lm-eval 0.4.13 gave on every re-worded gold solution."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import pytest

from eval.items.jsonl import read
from eval.tasks.lmeval_rules import verdicts
from tests.eval.tasks.wordings import WORDINGS, worded

# By number of golds, and by wording: how many of them the strict and the flexible rule find, each with a digest of the
# verdicts. The 70 golds are some of the 1,319, and their verdicts some of theirs.
GOLDEN = json.loads((Path(__file__).parents[2] / "golden" / "lmeval.json").read_text())
IGNORED = [",", "\\$", "(?s).*#### ", "\\.$"]  # its task's regexes_to_ignore


@pytest.fixture(scope="module")
def golds(public_data):
    return [row["answer"] for row in read(public_data / "math" / "gsm8k_test.jsonl")]


def reworded(form, golds):
    for gold in golds:
        steps, _, number = gold.rpartition("\n#### ")
        yield f"{steps}\n{worded(form, int(number.replace(',', '')))}"


def counted(found):
    return [sum(found), hashlib.sha256(bytes(found)).hexdigest()[:16]]


@pytest.mark.parametrize("form", WORDINGS)
def test_verdicts_are_those_of_the_original_item_by_item(form, golds):
    found = [verdicts(gold, text) for gold, text in zip(golds, reworded(form, golds), strict=True)]
    ours = [part for rule in ("lmeval_strict", "lmeval_flexible") for part in counted([row[rule] for row in found])]
    assert ours == GOLDEN[str(len(golds))][form]


@pytest.mark.parametrize("form", WORDINGS)
def test_the_original_still_says_so_where_it_is_installed(form, golds):
    extraction = pytest.importorskip("lm_eval.filters.extraction")
    from lm_eval.api.metrics import exact_match_hf_evaluate

    texts, theirs = list(reworded(form, golds)), []
    strict = extraction.RegexFilter("#### (\\-?[0-9\\.\\,]+)")
    flexible = extraction.RegexFilter("(-?[$0-9.,]{2,})|(-?[0-9]+)", group_select=-1)
    for rule in (strict, flexible):
        given = [one[0] for one in rule.apply([[text] for text in texts], [{} for _ in texts])]
        right = [
            bool(exact_match_hf_evaluate([one], [gold], regexes_to_ignore=IGNORED, ignore_case=True)["exact_match"])
            for one, gold in zip(given, golds, strict=True)
        ]
        theirs += counted(right)
    assert theirs == GOLDEN[str(len(golds))][form]


def test_nothing_is_wrong():
    assert (
        verdicts("#### 3", "")
        == verdicts("#### 3", "none at all")
        == {"lmeval_strict": False, "lmeval_flexible": False}
    )
