"""The final number is found in any harmless wording, and in bounded work in any harmful one."""

from __future__ import annotations

from decimal import Decimal

import pytest

from eval.items.jsonl import read
from eval.tasks import gsm8k
from tests.eval.tasks.wordings import WORDINGS, worded

BODY = "He had 10-3 boxes at 9:30 and paid $5.50 for 2 of them.\n"
GOLDS = [0, 7, 18, -4, 70000, 1234567, 999]
TRAINED = {
    "native",
    "separated",
    "chatter",
    "trailing spaces",
    "decimals",
    "marked without a space",
    "marked, with a unit",
}


@pytest.mark.parametrize("form", WORDINGS)
def test_every_wording_is_understood(form):
    for gold in GOLDS:
        text = BODY + worded(form, gold)
        verdict = gsm8k.score({"answer": f"#### {gold}"}, text)
        assert verdict["correct"] and verdict["parsed"], (text, verdict)
        assert not gsm8k.score({"answer": "#### 31337"}, text)["correct"]
        if form in TRAINED:
            assert verdict["strict"] and verdict["formatted"]
        elif not form.startswith("marked"):
            assert not verdict["strict"] and not verdict["formatted"]


@pytest.mark.parametrize("form", WORDINGS)
def test_every_wording_of_the_published_golds(form, published):
    wrong = []
    for item in published:
        steps, _, gold = item["answer"].rpartition("\n#### ")
        text = steps + "\n" + worded(form, int(gold.replace(",", "")))
        if gsm8k.staged(text) != gsm8k.strict(item["answer"]):
            wrong.append((item["id"], text[-60:]))
    assert len(published) in (70, 1319) and not wrong


@pytest.fixture(scope="module")
def published(public_data):
    return gsm8k.items(public_data / "math" / "gsm8k_test.jsonl")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("#### 5\n\nQuestion: more?\n#### 6", "6"),
        ("The answer is 10 - 3 = 7.", "7"),
        ("so 12 - 5 = 7, the answer: -7", "-7"),
        ("It is \\boxed{1{,}234} in all", "1234"),
        ("First \\boxed{3}, then \\boxed{4}", "4"),
        ("we have 3,5 and 8", "8"),
        ("costs .5 dollars", "0.5"),
        ("it fell by \u22123", "-3"),
        ("#### none\nThe answer is 4", "4"),
    ],
)
def test_staged_prefers_what_announces_the_answer(text, value):
    assert gsm8k.staged(text) == Decimal(value)


@pytest.mark.parametrize(
    ("number", "value"),
    [
        ("12,345", "12345"),
        ("1,234,567", "1234567"),
        ("123,456.5", "123456.5"),
        ("1234,567", "567"),  # thousands have at most three digits before the first comma
        ("12,34", "34"),
        ("1,234,56", "56"),
        ("1,2345", "2345"),
        ("-1,234", "-1234"),
        ("12,34,", "34"),
    ],
)
def test_commas_group_thousands_or_separate_numbers(number, value):
    assert gsm8k.staged(f"#### {number}") == gsm8k.strict(f"#### {number}") == Decimal(value)


def test_strict_takes_the_first_marked_number():
    assert gsm8k.strict("#### 5\nQuestion: more?\n#### 6") == 5
    assert gsm8k.strict("#### about 5") is None


@pytest.mark.parametrize("text", ["", "no number at all", "####", "\\boxed{}", "The answer is", "9" * 400_000])
def test_texts_without_a_number_are_wrong(text):
    verdict = gsm8k.score({"answer": "#### 9"}, text)
    assert not verdict["correct"] and verdict["extracted"] is None


@pytest.mark.parametrize(
    "unit",
    [
        "9",
        ",",
        "1,",
        "1,111,",
        "#### ",
        "####",
        "#### 1",
        "#### -",
        "\\boxed{",
        "answer is ",
        "answer is 1,1",
        "-",
        "1.",
        "####-$",
        "=1",
        "\\boxed{1,{",
        "\n",
        " ",
        "$",
        "{",
        "1\u2009111",
        "\u2009",
        "answer is \n",
        "0 = ",
        "Answer: 1\n#### ",
    ],
)
def test_hostile_texts_cost_no_more_than_their_length(unit):
    """Half a million characters of each: anything quadratic would need hours here."""
    text = unit * (500_000 // len(unit))
    assert not gsm8k.score({"answer": "#### 31337"}, text)["correct"]


def test_items_name_a_gold_without_number(tmp_path):
    path = tmp_path / "math.jsonl"
    path.write_text('{"question": "q", "answer": "#### 1"}\n{"question": "q", "answer": "one"}\n')
    with pytest.raises(ValueError, match="item 1, field 'answer'"):
        gsm8k.items(path)
    with pytest.raises(ValueError, match="does not exist"):
        read(tmp_path / "absent.jsonl")
