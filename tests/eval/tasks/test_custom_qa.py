"""Questions of the user's own: by exact match, by pattern; columns by any name."""

from __future__ import annotations

import json
import re

import pytest

from eval.spec.answers import Reading
from eval.tasks import COMPLETIONS, TASKS
from tests.eval.tasks.number_forms import PARTS, TWO
from tests.eval.tasks.own_items import correct, made


def test_exact_match(tmp_path):
    named = Reading((("answer", "target"), ("prompt", "q")))
    (item,) = made(tmp_path, "exact_match", [{"q": "Capital?", "target": ["Rome", "Roma"], "id": "x"}], named)
    assert item["id"] == "x" and TASKS["exact_match"].messages(item)[0]["content"] == "Capital?"
    texts = ["Rome", " rome.\n", "ROMA", "Paris", "", "Rome is it", "Rome.."]
    assert correct("exact_match", item, *texts) == [True, True, True, False, False, False, False]
    assert correct("exact_match", item, "'Rome'", '"Rome."', "The answer is \u201cRome\u201d.", "Roma!", "'Rome") == [
        True, True, True, True, False,
    ]  # fmt: skip
    rows = [TASKS["exact_match"].score(item, text, "") for text in texts]
    found = {metric.metric: metric.value for metric in TASKS["exact_match"].metrics(rows)}
    assert found == {"accuracy": 3 / 7} and [row["parsed"] for row in rows].count(False) == 1


def test_patterns(tmp_path):
    rows = [{"prompt": "p", "answer": 7}]
    (item,) = made(tmp_path, "regex", rows, Reading((), r"Answer: (\\d+)".replace("\\\\", "\\")))
    assert correct("regex", item, "Answer: 3, no: Answer: 7", "Answer: 7. Answer: 8", "7", "") == [
        True,
        False,
        False,
        False,
    ]
    with pytest.raises(ValueError, match="not a regular expression"):
        made(tmp_path, "regex", rows, Reading((), "("))
    (bare,) = made(tmp_path, "regex", rows)  # to be asked, an item needs no pattern
    with pytest.raises(ValueError, match="needs a pattern"):
        correct("regex", bare, "7")


def test_bad_rows_are_named(tmp_path):
    for task, row, said in (
        ("exact_match", {"prompt": "p"}, "item 0 has no field 'answer'"),
        ("choice", {"prompt": "p", "answer": "x", "choices": ["a", "b"]}, "0: answer 'x' is not one of its choices"),
        ("choice", {"prompt": "p", "answer": "a", "choices": "ab"}, "'ab' is not a list, such as"),
        (
            "choice",
            {"prompt": "p", "answer": 2, "choices": ["a", "b"]},
            "answer 2 is not an index of its choices, 0 to 1",
        ),
        (
            "choice",
            {"prompt": "p", "answer": True, "choices": ["a", "b"]},
            "answer True is neither an index nor a text",
        ),
        ("choice", {"prompt": "p", "answer": 0, "choices": ["a", "A."]}, "the choice 'A.' stands twice"),
        ("choice", {"prompt": "p", "answer": "A", "choices": ["B", "A"]}, "answer 'A' may mean 'B' or 'A'"),
        ("choice", {"prompt": "p", "answer": "2", "choices": ["8", "2", "24", "120"]}, "may mean '2' or '24'"),
        ("choice", {"prompt": "p", "answer": "a"}, "has no field 'choices', and its prompt lists none"),
        ("exact_match", {"prompt": "p", "answer": float("nan")}, "nan is neither a text nor a number"),
        ("exact_match", {"prompt": "p", "answer": []}, "field 'answer' is empty; give at least one"),
        ("exact_match", {"prompt": "p", "answer": ["", " "]}, "field 'answer' is empty; give at least one"),
        ("exact_match", {"prompt": "p", "answer": None}, "field 'answer' is empty; give a value"),
        ("exact_match", {"prompt": 5, "answer": "a"}, "field 'prompt': 5 is not a text"),
        ("exact_match", {"prompt": " ", "answer": "a"}, "field 'prompt' is empty; give a question"),
        ("exact_match", {"prompt": "p", "answer": "a", "id": None}, "field 'id' is empty"),
        ("exact_match", {"prompt": "p", "answer": "a", "id": [1]}, "field 'id': .* is not a text or a whole number"),
        ("exact_match", {"Prompt": "p", "answer": "a"}, "no field 'prompt'; did you mean 'Prompt'"),
        ("choice", {"prompt": "p", "answer": 0, "choices": ["a", None]}, "one of its choices has no text"),
        ("choice", {"prompt": "p", "answer": 0, "choices": ["a", " "]}, "one of its choices has no text"),
        ("choice", {"prompt": "p", "answer": 0, "choices": [{"text": "a"}, {"label": "B"}]}, "choices has no text"),
        ("choice", {"prompt": "p", "answer": 0, "choices": {"text": ["a", "b"]}}, "needs the lists text and label"),
        ("choice", {"prompt": "p", "answer": 0, "A": "a", "B": "", "C": "c"}, "one of its choices has no text"),
    ):
        with pytest.raises(ValueError, match=said):
            made(tmp_path, task, [row])


def test_columns_and_templates_that_do_not_fit_the_file_are_named(tmp_path):
    row = {"the q": "p", "hint": None, "answer": "a"}
    for reading, said in (
        (Reading((("prompt", "thq q"),)), "no column 'thq q', which columns gives for 'prompt'; did you mean 'the q'"),
        (Reading(template="{query}"), "item 0 has no column 'query' for the template; it has: the q"),
        (Reading(template="{answr}"), "no column 'answr' for the template; did you mean 'answer'"),
        (Reading(template="{the q} {answer}"), "names the column 'the q', whose name is not one word"),
        (Reading(template="{answer} {hint}"), "column 'hint' of the template is empty"),
    ):
        with pytest.raises(ValueError, match=said):
            made(tmp_path, "exact_match", [row], reading)
    braces = Reading((("q", "the q"),), template='{q} as {"a": 1}')
    assert made(tmp_path, "exact_match", [row], braces)[0]["prompt"] == 'p as {"a": 1}'


def test_a_table_may_leave_the_last_choices_of_a_question_empty(tmp_path):
    row = {"prompt": "p", "answer": "B", "A": "red", "B": "blue", "C": "", "D": None}
    (item,) = made(tmp_path, "choice", [row])
    assert item["choices"] == ["red", "blue"] and item["right"] == 1


NUMBERS = [
    "51",
    "51.0",
    "$51",
    "**51**",
    "\\boxed{51}",
    "#### 51",
    "51 dollars",
    "51.",
    "The answer is 51.",
    "Answer: $51.00",
    "102/2",
    "\\frac{102}{2}",
    "= 51",
    "Let me see, 20 + 31.\nThe answer is 51 dollars.",
    "`51`",
    "51\n",
]


@pytest.mark.parametrize("text", NUMBERS)
def test_numbers_are_numbers(tmp_path, text):
    for gold in (51, "51", 51.0, "51.00"):
        (item,) = made(tmp_path, "exact_match", [{"prompt": "p", "answer": gold}])
        assert correct("exact_match", item, text, text.replace("51", "52").replace("102", "104")) == [True, False], gold
        (found,) = made(tmp_path, "regex", [{"prompt": "p", "answer": gold}], Reading((), "So: (.*)"))
        one_line = text.rpartition("\n")[2] or "51"
        assert correct("regex", found, f"So: 1\nSo: {one_line}", "So: 51 or 52") == [True, False]


@pytest.mark.parametrize(
    ("gold", "text", "right"),
    [
        ("-5", "\u22125", True),
        ("-5", "negative 5", True),
        ("1234", "1,234", True),
        ("1,234", "1234 km", True),
        ("0.5", "50%", True),
        ("50", "50 percent", True),
        ("50%", "0.5", True),
        ("50%", "5", False),
        ("1/3", "0.33", False),
        ("0.25", "1/4", True),
        ("0.25", "The answer is 1/4.", True),
        ("1.5", "1 1/2.", True),
        ("5", "5 or 6", False),
        ("5", "five", False),
        ("5", "5" * 60, False),
        ("2.50", "$2.5", True),
        ("1000", "1e3", True),
        ("5000", "$5 \\times 10^{3}$", True),
        ("0.01", "10^{-2}", True),
        ("10000000", "10 million", True),
        ("10", "10 million", True),  # of a question that asks how many millions
        ("10 million", "10,000,000", True),
        ("10000000", "10 thousand", False),
        ("25", "25 cm^2", True),
        ("5", "It is 5!", True),
        ("5000", "5k", True),
        ("5", "5\n- 5 apples\n- 5", True),
    ],
)
def test_equal_numbers_are_equal_however_they_are_written(tmp_path, gold, text, right):
    (item,) = made(tmp_path, "exact_match", [{"prompt": "p", "answer": gold}])
    assert correct("exact_match", item, text) == [right]


@pytest.mark.parametrize("text", PARTS)
def test_a_number_in_an_expression_is_not_the_answer(tmp_path, text):
    (item,) = made(tmp_path, "exact_match", [{"prompt": "p", "answer": "2"}])
    wordings = (text, f"The answer is {text}.", f"Let me see.\nSo it is {text} here.")
    assert correct("exact_match", item, *wordings) == [False, False, False]


def test_a_number_before_an_exclamation_mark_is_a_factorial_only_where_no_sentence_ends(tmp_path):
    (item,) = made(tmp_path, "exact_match", [{"prompt": "p", "answer": "2"}])
    assert correct("exact_match", item, "2!", "2!!", "The answer is 2!") == [False, False, True]


@pytest.mark.parametrize("text", TWO)
def test_a_number_may_have_a_unit_a_currency_or_a_mark(tmp_path, text):
    (item,) = made(tmp_path, "exact_match", [{"prompt": "p", "answer": "2"}])
    other = re.sub("[24]", lambda digit: "3" if digit[0] == "2" else "9", text)
    assert correct("exact_match", item, text, other) == [True, False]


def test_accepted_answers_that_are_expressions_are_compared_as_texts(tmp_path):
    for gold, wrong in (("5!", "5"), ("2√3", "2"), ("x + 5", "5"), ("≥5", "5"), ("2^2", "2")):
        (item,) = made(tmp_path, "exact_match", [{"prompt": "p", "answer": gold}])
        assert correct("exact_match", item, gold, f"The answer is {gold}", wrong) == [True, True, False], gold


def test_a_number_must_be_accepted_where_numbers_are_compared(tmp_path):
    with pytest.raises(ValueError, match="item 0: compare=number, but its answer '2√3' is no number"):
        made(tmp_path, "exact_match", [{"prompt": "p", "answer": ["2√3"]}], Reading(compare="number"))


def test_texts_are_compared_as_the_task_says(tmp_path):
    rows = [{"prompt": "p", "answer": ["The caf\u00e9, closed", "7"]}]
    for ignore, right in (
        (("case", "markup"), [True, True, False, False, False]),
        (("case", "markup", "punctuation"), [True, True, True, False, False]),
        (("case", "markup", "punctuation", "accents"), [True, True, True, True, False]),
        (("case", "markup", "punctuation", "accents", "articles"), [True, True, True, True, True]),
        ((), [False, True, False, False, False]),
    ):
        (item,) = made(tmp_path, "exact_match", rows, Reading(ignore=ignore))
        texts = [
            "**the caf\u00c9, closed.**",
            "The caf\u00e9, closed",
            "the caf\u00e9 closed!",
            "The cafe closed",
            "cafe closed",
        ]
        assert correct("exact_match", item, *texts) == right, ignore
    (forced,) = made(tmp_path, "exact_match", [{"prompt": "p", "answer": "007"}], Reading(compare="text"))
    assert correct("exact_match", forced, "007", "7") == [True, False]


def test_a_template_joins_columns_and_examples_come_first(tmp_path):
    reading = Reading(template="{passage}\n\nQ: {q}\nA:")
    rows = [{"passage": ["One.", "Two."], "q": f"{number}?", "answer": number} for number in range(2)]
    first, second = made(tmp_path, "exact_match", rows, reading)
    assert first["prompt"] == "One.\nTwo.\n\nQ: 0?\nA:"
    (text,) = COMPLETIONS["exact_match"].messages(second | {"shots": [first]})
    assert text["content"] == "One.\nTwo.\n\nQ: 0?\nA: 0\n\nOne.\nTwo.\n\nQ: 1?\nA:"
    turns = TASKS["exact_match"].messages(second | {"shots": [first]})
    assert [turn["role"] for turn in turns] == ["user", "assistant", "user"] and turns[1]["content"] == "0"
    with pytest.raises(ValueError, match="item 0 has no column 'x' for the template; it has: passage, q, answer"):
        made(tmp_path, "exact_match", rows, Reading(template="{x}"))


def test_items_may_be_a_json_array_or_rows_of_a_table(tmp_path):
    rows = [{"prompt": "p", "answer": 7, "id": "x"}, {"prompt": "q", "answer": 8, "id": "y"}]
    (tmp_path / "a.json").write_text("\ufeff\n " + json.dumps(rows, indent=1))
    (tmp_path / "a.csv").write_text("id,prompt,answer\nx,p,7\ny,q,8\n")
    for name in ("a.json", "a.csv"):
        assert [item["answers"] for item in TASKS["exact_match"].items(tmp_path / name, Reading())] == [["7"], ["8"]]
    (tmp_path / "a.json").write_text("[{}, 3]")
    with pytest.raises(ValueError, match=r"a\.json: row 2 holds 3, not an object"):
        TASKS["exact_match"].items(tmp_path / "a.json", Reading())
