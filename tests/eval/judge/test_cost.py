"""What judging costs, by hand, and what is left of a budget for it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from eval.judge.replies import JudgePrompt, Ledger, Replies, Reply
from eval.judge.setup import JudgeSetup, check_cost
from eval.spec.judge import Judge, JudgeRun, estimate_cost
from tests.judge_server import serving

JUDGE = Judge(model="grader", repeats=2, max_tokens=64)
HOW = JudgeRun(key_variable="", input_price=10.0, output_price=20.0)
TALK = [["a" * 40, "b" * 80], ["c" * 400]]


def test_an_estimate_by_hand():
    """The judge reads 200 tokens of instructions and the dialogue so far, a token for four characters:

    10 and an answer of 100; these, 20 and another answer; and in the second dialogue 100 and an answer.
    """
    found = estimate_cost(TALK, 100, JUDGE, HOW)
    assert (found.calls, found.input_tokens) == (2 * 3, 2 * ((200 + 110) + (200 + 230) + (200 + 200)))
    assert found.output_tokens == 6 * 64
    assert found.dollars == pytest.approx((2280 * 10 + 384 * 20) / 1e6)


def test_long_answers_and_replies_count_up_to_300_tokens():
    found = estimate_cost(TALK[1:], 2000, replace(JUDGE, repeats=1, max_tokens=2048), HOW)
    assert (found.input_tokens, found.output_tokens) == (200 + 100 + 300, 300)


def test_replies_lie_where_earlier_versions_put_them(tmp_path):
    """Else all of them would be paid for once more: by judge, and by the conversation's digest and the repeat."""
    replies = Replies(tmp_path, Judge(model="grader", max_tokens=64))
    replies.keep(JudgePrompt([{"role": "user", "content": "Rate answer 0"}], 1), Reply("[[7]]", 10, 2))
    (file,) = (path for path in tmp_path.rglob("*") if path.is_file())
    assert str(file.relative_to(tmp_path)) == "replies/c8b7e026efc804c9/97/970d6f9e9774fe444899fdc2706fd379-1.json"


def test_a_judge_of_ones_own_costs_nothing():
    assert estimate_cost(TALK, 100, JUDGE, replace(HOW, path="folder")).dollars == 0.0


def test_what_was_spent_before_counts(tmp_path):
    """The estimate is 3.048 cents: with 6.9 spent it fits into ten, with 7 it does not."""
    with serving(lambda *_: "[[5]]") as (_, url):
        execution = replace(HOW, base_url=url, cache=str(tmp_path), dollars=0.1)
        setup, ledger = JudgeSetup(JUDGE, execution, {}), Ledger(Path(tmp_path), execution.ledger)
        ledger.charge("before", 0.069)
        assert check_cost(setup, TALK, 100).dollars == pytest.approx(0.03048)
        ledger.charge("and more", 0.001)
        with pytest.raises(
            ValueError, match=r"6 calls would cost about \$0\.03, and \$0\.07 of dollars=0\.1 are spent"
        ):
            check_cost(setup, TALK, 100)
