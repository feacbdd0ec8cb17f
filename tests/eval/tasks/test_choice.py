"""Questions with choices: layouts, and the forms in which a choice is named."""

from __future__ import annotations

import pytest

from eval.tasks import TASKS
from tests.eval.tasks.own_items import correct, made


@pytest.mark.parametrize("answer", ["green", "B", "b", 1])
def test_choices(tmp_path, answer):
    (item,) = made(tmp_path, "choice", [{"prompt": "Grass is", "choices": ["red", "green", "blue"], "answer": answer}])
    assert TASKS["choice"].messages(item)[0]["content"] == (
        "Grass is\nA. red\nB. green\nC. blue\n\nAnswer with the letter of the right choice."
    )
    right = [
        "B",
        "B.",
        "(B)",
        "**B**",
        "green",
        "Green.",
        "B. green",
        "The answer is B.",
        "I think: answer: (B)",
        "B\nbecause",
    ]
    wrong = ["A", "", "C. blue", "The answer is A, not B.", "A green one", "Because", "Blue", "I'd say so"]
    assert correct("choice", item, *right) == [True] * len(right)
    assert correct("choice", item, *wrong) == [False] * len(wrong)


LAYOUTS = {
    "an index": {"prompt": "2 x 12?", "choices": ["8", "2", "24", "120"], "answer": 2},
    "ARC": {
        "question": "2 x 12?",
        "choices": {"text": ["8", "2", "24", "120"], "label": ["1", "2", "3", "4"]},
        "answerKey": "3",
    },
    "CommonsenseQA": {
        "question": {
            "stem": "2 x 12?",
            "choices": [
                {"label": label, "text": text} for label, text in zip("ABCD", ("8", "2", "24", "120"), strict=True)
            ],
        },
        "answerKey": "C",
    },
    "MMLU": {"question": "2 x 12?", "A": "8", "B": "2", "C": "24", "D": "120", "answer": "C"},
    "BIG-Bench": {"input": "2 x 12?\nOptions:\n(A) 8\n(B) 2\n(C) 24\n(D) 120", "target": "(C)"},
    "GPQA": {
        "Question": "2 x 12?",
        "Correct Answer": "24",
        **{f"Incorrect Answer {n}": text for n, text in ((1, "8"), (2, "2"), (3, "120"))},
    },
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_layouts_of_published_questions(tmp_path, layout):
    (item,) = made(tmp_path, "choice", [LAYOUTS[layout]])
    assert (item["choices"][item["right"]] == "24" and "(A) 8" in item["prompt"]) or "A. " in item["prompt"]
    letter = item["labels"][item["right"]]
    assert correct("choice", item, letter, "24", f"The answer is ({letter}).", "2", "E") == [
        True,
        True,
        True,
        False,
        False,
    ]


def test_choices_that_a_prompt_lists_without_letters_go_by_their_texts(tmp_path):
    (item,) = made(tmp_path, "choice", [{"input": "Is it valid?\nOptions:\n- valid \n- invalid", "target": "invalid"}])
    assert item["prompt"].endswith("- invalid") and item["labels"] == []
    right = ["So the answer is invalid.", "invalid", "**Invalid**", "Hm.\nAnswer: invalid"]
    assert correct("choice", item, *right, "valid", "B", "It is not invalid") == [True] * 4 + [False] * 3


NAMED = [
    "Answer: {L}",
    "**Answer: {L}**",
    "The answer is: ({L})",
    "\\boxed{{{L}}}",
    "The correct option is ({L})",
    "{l}",
    "{t}",
    "{L}.",
    "({L}) {t}",
    "\\boxed{{\\text{{({L}) {t}}}}}",
    "Therefore, Option {L} is correct.",
    "The answer is **{L}**.",
    "So the correct answer is ({L}) {t}.",
    "The answer is {t}.",
    "{L}) {t}",
    "**({L})**",
    "### Final Answer\n\n{L}",
    "I would choose {L}.",
    "Answer: [{L}]",
    "The answer is $\\boxed{{{L}}}$.",
    "Answer: {{{L}}}",
    "{L} is correct.",
    "answer: ({l})",
    "The answer is most likely ({L}).",
    "So she would be ({L}) {t} then.",
    "Answer: {L}\n\nQuestion: And the sky?\nAnswer: A",
]


WORKING = (
    "",
    "Option (A): red is wrong.\nOption (C): blue is wrong.\n",
    "A thing that grows is green. Is (A) red? No.\n",
)


@pytest.mark.parametrize("form", NAMED)
@pytest.mark.parametrize("working", WORKING)
def test_a_choice_is_named_in_the_forms_that_people_and_models_write(tmp_path, form, working):
    (item,) = made(tmp_path, "choice", [{"prompt": "Grass is", "choices": ["red", "green", "blue"], "answer": 1}])
    texts = [
        working + form.format(L=letter, l=letter.lower(), t=text) for letter, text in (("B", "green"), ("C", "blue"))
    ]
    assert correct("choice", item, *texts) == [True, False]


NAMELESS = [
    "The answer is E.", "Answer: (D)", "D", "\\boxed{E}", "The answer is a guess.", "I see A and B.", "(A) or (B)",
    "The answer is (A) or (B).", "Answer: A and B", "(A), (B)", "A/B", "one of them, as in (A), is",
]  # fmt: skip


@pytest.mark.parametrize("text", NAMELESS)
def test_no_letter_of_a_choice_or_two_are_no_answer(tmp_path, text):
    (item,) = made(tmp_path, "choice", [{"prompt": "Grass is", "choices": ["green", "red"], "answer": 0}])
    verdict = TASKS["choice"].score(item, f"It is (A), or not.\n{text}", "")
    assert not verdict["parsed"] and not verdict["correct"], verdict
