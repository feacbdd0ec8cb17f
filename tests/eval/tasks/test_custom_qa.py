"""Questions of the user's own: by exact match, by pattern, by choice; columns by any name."""

from __future__ import annotations

import json

import pytest

from eval.spec.answers import Reading
from eval.tasks import TASKS


def made(tmp_path, task, rows, reading=None):
    path = tmp_path / "own.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return TASKS[task].items(path, reading or Reading())


def correct(task, item, *texts):
    return [TASKS[task].score(item, text, "")["correct"] for text in texts]


def test_exact_match(tmp_path):
    named = Reading((("answer", "target"), ("prompt", "q")))
    (item,) = made(tmp_path, "exact_match", [{"q": "Capital?", "target": ["Rome", "Roma"], "id": "x"}], named)
    assert item["id"] == "x" and TASKS["exact_match"].messages(item)[0]["content"] == "Capital?"
    texts = ["Rome", " rome.\n", "ROMA", "Paris", "", "Rome is it", "Rome.."]
    assert correct("exact_match", item, *texts) == [True, True, True, False, False, False, False]
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


@pytest.mark.parametrize("answer", ["green", "B", "b", 1])
def test_choices(tmp_path, answer):
    (item,) = made(tmp_path, "choice", [{"prompt": "Grass is", "choices": ["red", "green", "blue"], "answer": answer}])
    assert TASKS["choice"].messages(item)[0]["content"] == "Grass is\nA. red\nB. green\nC. blue"
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


def test_bad_rows_are_named(tmp_path):
    for task, row, said in (
        ("exact_match", {"prompt": "p"}, "item 0 has no field 'answer'"),
        ("choice", {"prompt": "p", "answer": "x", "choices": ["a", "b"]}, "0: answer 'x' is not one of its choices"),
        ("choice", {"prompt": "p", "answer": "a", "choices": "ab"}, "str instead of list"),
    ):
        with pytest.raises(ValueError, match=said):
            made(tmp_path, task, [row])
