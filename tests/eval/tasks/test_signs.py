"""Signs that stand for others: digits of all scripts, full-width forms, and signs of arithmetic."""

from __future__ import annotations

from fractions import Fraction

import pytest

from eval.tasks import gsm8k, math
from eval.tasks.choices import right_choice
from eval.tasks.final_number import final_number
from eval.tasks.matching import plain
from eval.tasks.named_choice import named
from eval.tasks.numbers import only_number

READ = {
    "２": "2", "１，２３４": "1234", "－５": "-5", "１２．５": "12.5", "٢٫٥": "2.5", "١٬٢٣٤": "1234", "१२": "12",
    "½": "1/2", "2½": "5/2", "2 ½": "5/2", "1⁄2": "1/2", "10³": "1000", "10⁶": "1000000", "5×10⁻³": "1/200",
    "5×10^3": "5000", "1e3": "1000", "1.5E+3": "1500", "–5": "-5", "\u22125": "-5", "-¥5": "-5", "25 cm²": "25",
    "1\u202f234": "1234", "1\u2007234": "1234", "1'234": "1234", "1,00,000": "100000", "90°": "90", "50％": "50",
}  # fmt: skip


@pytest.mark.parametrize("text", READ)
def test_a_number_is_read_however_it_is_written(text: str):
    number = only_number(text)
    assert number and number.value == Fraction(READ[text])
    assert final_number(f"The answer is {text}.") == Fraction(READ[text])
    assert final_number(f"It was 7 before.\n#### {text}") == Fraction(READ[text])


@pytest.mark.parametrize("text", ["2√3", "２√３", "√2", "2π", "2²", "2^2", "2\\sqrt{3}"])
def test_a_part_of_an_expression_is_no_number(text: str):
    assert only_number(text) is None
    assert final_number(f"The answer is {text}") is None
    assert final_number(f"#### {text}") is None and gsm8k.strict(f"#### {text}") is None


def test_the_form_of_training_is_one_whole_number():
    assert gsm8k.strict("#### １，２３４") == 1234 and gsm8k.strict("#### －５") == -5
    assert [gsm8k.strict(f"#### {text}") for text in ("1e3", "5×10³", "1/2", "2½")] == [None] * 4
    assert final_number("She has 5^2 = 25 eggs.") == 25


@pytest.mark.parametrize(
    ("gold", "answer", "right"),
    [
        ("2\\sqrt{3}", "2√3", True), ("2", "2√3", False), ("\\frac{5}{2}", "2½", True), ("5000", "5×10³", True),
        ("12", "１２", True), ("-5", "－５", True), ("x^2", "x²", True), ("1000", "1e3", True), ("12", "١٢", True),
    ],
)  # fmt: skip
def test_mathematics_too(gold: str, answer: str, right: bool):
    pytest.importorskip("math_verify")
    assert math.score({"answer": gold}, f"So \\boxed{{{answer}}}.")["correct"] is right


def test_letters_of_choices_in_full_width():
    answers = ["Ａ", "（Ａ）", "The answer is Ａ．", "Answer：（Ａ）", "Ｒｅｄ"]
    assert [named(answer, ["A", "B"], ["red", "blue"]) for answer in answers] == [0] * 5
    for answer in ("Ｂ", "（Ｂ）", "ｂｌｕｅ"):
        assert right_choice("row", {"answer": answer}, ["A", "B"], ["red", "blue"]) == 1


def test_width_and_punctuation_of_other_scripts_count_unless_ignored():
    assert plain("Ｐａｒｉｓ", ("case",)) != "paris" == plain("Ｐａｒｉｓ", ("case", "width"))
    assert plain("ﾄｳｷｮｳ", ("width",)) == "トウキョウ"
    assert plain("¿Qué、no?", ("punctuation",)) == "Qué no" and plain("¿Qué?", ()) == "¿Qué?"
    assert plain("「東京」。", ()) == "東京"
