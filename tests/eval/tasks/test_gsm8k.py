"""The final number is found in any harmless wording, and in bounded work in any harmful one."""

from __future__ import annotations

from fractions import Fraction

import pytest

from eval.items.jsonl import read
from eval.tasks import gsm8k
from eval.tasks.final_number import final_number
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
        if final_number(text, item["question"]) != gsm8k.strict(item["answer"]):
            wrong.append((item["id"], text[-60:]))
    assert len(published) in (70, 1319) and not wrong


@pytest.fixture(scope="module")
def published(public_data):
    return gsm8k.items(public_data / "math" / "gsm8k_test.jsonl")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("#### 5\n\nNo, I missed one.\n#### 6", "6"),
        ("The answer is 10 - 3 = 7.", "7"),
        ("so 12 - 5 = 7, the answer: -7", "-7"),
        ("It is \\boxed{1{,}234} in all", "1234"),
        ("First \\boxed{3}, then \\boxed{4}", "4"),
        ("costs .5 dollars", "0.5"),
        ("it fell by \u22123", "-3"),
        ("#### none\nThe answer is 4", "4"),
    ],
)
def test_what_announces_the_answer_comes_first(text, value):
    assert final_number(text) == Fraction(value)


ANNOUNCED = {
    "Answer: Half of 48 is 48/2 = 24 clips in May, so altogether she sold 48 + 24 = 72 clips.": 72,
    "Answer:\n\n1. The hens lay 16 eggs.\n2. She uses 7 and sells 9 at $2.\n\nShe makes $18.": 18,
    "The answer is found by multiplying 9 eggs by $2, so she makes $18.": 18,
    "To find the answer: 16 - 3 - 4 = 9 eggs are left, and 9 * 2 = 18 dollars.": 18,
    "That means the answer is 676 - 224, which is 452. Therefore, the answer (arabic numerals) is 452.": 452,
    "The answer: 72 clips, altogether.": 72,
    "Answer: $29.00": 29,
    "The answer is $70,000": 70000,
    "9 eggs at $2 each.\n**Answer**: 18": 18,
    "\\boxed{18\\text{ dollars}}": 18,
    "\\boxed{\\frac{1}{4}} of 8 inches": "1/4",
    "#### 5 apples (2 red, 3 green)": 5,
    "The answer is $-5": -5,
    "The answer would be 1 1/2 cups for 3 cakes.": "3/2",
}


@pytest.mark.parametrize("text", ANNOUNCED)
def test_an_announced_sentence_is_read_to_its_result(text):
    assert final_number(text) == Fraction(ANNOUNCED[text])


LAST_SENTENCES = [
    (
        "Glasses cost $5, every second one 60%. He buys 16.",
        "$40 + $24 = $64. Thus, Kylar needs to pay $64 for 16 glasses.",
        64,
    ),
    (
        "How much does he save on 18 flowers?",
        "15 - 9 = 6. So Vincent saves $6 by buying 18 flowers at the better price.",
        6,
    ),
    ("The month has 30 days.", "Therefore, Jason has 250 minutes left if this month has 30 days.", 250),
    ("5 trees give 2000 apples.", "The orchard earned $1000 from selling 2000 apples in 200 bags at $5 per bag.", 1000),
    ("", "The tailor cut off 0.25. The tailor cut off 1/4 of an inch.", "1/4"),
    ("In 52 weeks?", "Since there are 52 weeks in a year, Greg will do 156 loads of laundry.", 156),
    ("She wants 72 vlogs.", "To complete the 72 vlogs per month, she needs to make 18 more.", 18),
    ("She has 52.", "Adding that to the 52 letters she had, we get 78.", 78),
    ("10 sit in the bus.", "The bus holds 200 people, so 190 more are needed.", 190),
    ("", "Half of 26 is 13, and Geb is 10 less, so Geb is 3 years old (13 - 10).", 3),
    ("16 glasses", "Kylar pays **$64** for the 16 glasses, not $80.", 64),
    ("", "In total they sent 40 players and 8 coaches, for a total of 48 people.", 48),
    ("", "Therefore, he needs $1,500 in all.\nThis is what he needs.", 1500),
]


@pytest.mark.parametrize(("question", "text", "value"), LAST_SENTENCES)
def test_a_last_sentence_that_goes_on_is_read_to_its_result(question, text, value):
    assert final_number(text, question) == Fraction(value)


ENDLESS = "3764666764" * 30


@pytest.mark.parametrize(
    "text",
    [
        f"502 - 126 = 376 plants.\n#### {ENDLESS}",
        f"502 - 126 = 376 plants.\n\\boxed{{{ENDLESS}}}",
        f"502 - 126 = 376 plants.\nThe answer is {ENDLESS}",
        f"502 - 126 = 376 plants, that is {ENDLESS}",
        f"502 - 126 = 376 plants.\nSo {ENDLESS}",
        f"502 - 126 = 376 plants.\n#### 376,{'466,' * 30}",
        f"502 - 126 = 376 plants.\n#### 376.{ENDLESS}",
    ],
)
def test_a_number_that_does_not_end_is_wrong_whatever_comes_before_it(text):
    verdict = gsm8k.score({"answer": "#### 376", "question": "502 plants, 126 sold?"}, text)
    assert not verdict["correct"] and verdict["extracted"] is None


OWN = "In May 24, in all 48+24=72.\n{}\n\n{}: Tom has 5 pears and eats 2. How many are left?\nAnswer: 5-2=3\n{}"


@pytest.mark.parametrize("mark", ["#### {}", "The answer is {}.", "\\boxed{{{}}}", "So she sold {} clips."])
@pytest.mark.parametrize("word", ["Question", "Q", "### Instruction", "**Question 2**", "Problem 2", "Human"])
def test_a_question_of_the_models_own_ends_its_answer(mark, word):
    text = OWN.format(mark.format(72), word, mark.format(3))
    assert gsm8k.score({"answer": "#### 72", "question": "48 clips?"}, text)["correct"]
    repeated = f"{word}: Tom has 5 pears and eats 2. How many are left?\nAnswer: 5-2=3\n{mark.format(3)}"
    assert final_number(repeated) == 3  # the question itself, repeated before any answer


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
    assert final_number(f"#### {number}") == gsm8k.strict(f"#### {number}") == Fraction(value)


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
