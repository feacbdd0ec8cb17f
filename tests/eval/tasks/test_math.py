"""Competition mathematics: equal expressions are equal, whatever they look like."""

from __future__ import annotations

import json

import pytest

from eval.spec.answers import Reading
from eval.tasks import COMPLETIONS, TASKS
from tests.eval.tasks.wordings import EXPRESSION_FORMS, EXPRESSIONS

pytest.importorskip("math_verify")

RIGHT = [
    ("\\frac{1}{2}", "It is \\boxed{0.5}."),
    ("\\frac{1}{2}", "So $x = \\boxed{\\dfrac12}$"),
    ("x^2+2x+1", "\\boxed{(x+1)^2}"),
    ("\\sqrt{8}", "$\\boxed{2\\sqrt{2}}$"),
    ("(1,2)", "\\boxed{(1, 2)}"),
    ("10", "The final answer is $10$. I hope it is correct."),
    ("\\{1,2\\}", "\\boxed{\\{2, 1\\}}"),
    ("50", "First \\boxed{3}, no: \\boxed{50}"),
    ("2", "\\boxed{2}\\n\\nProblem: 1+2?\\nSolution: \\boxed{3}"),
    ("\\text{Evelyn}", "\\boxed{\\text{Evelyn}}"),
    ("3\\pi", "$\\boxed{3\\pi}$"),
    ("1000", "\\boxed{1{,}000}"),
]
RIGHT += [
    ("10\\%", "\\boxed{10}"),
    ("10", "$\\boxed{10\\%}$"),
    ("\\text{Evelyn}", "**Answer:** Evelyn."),
    ("17", "The answer is 17 apples."),
    ("\\frac{1}{2}", "The answer is 1/2."),
    ("6", "The answer is 2*3."),
    ("x^2+2x+1", "The answer is **(x+1)**2**."),
    ("6\\sqrt{3}\\pi", "Answer: 2 * 3pi*sqrt(3)"),
    ("1,2", "The answer is **1**, **2**."),
    ("\\sin x", "The answer is sin(x)"),
]
WRONG = [
    ("23", "The answer is 2*3."),
    ("10\\%", "\\boxed{20\\%}"),
    ("\\text{even}", "The answer is odd."),
    ("12", "The answer is 1.2."),
    ("\\frac{1}{2}", "\\boxed{2}"),
    ("10", "I do not know."),
    ("10", ""),
    ("(1,2)", "\\boxed{(2,1)}"),
    ("3", "\\boxed{9^{9^{9^{9}}}}"),
]


def item(tmp_path, row):
    (tmp_path / "items.json").write_text(json.dumps([row]))
    return TASKS["math"].items(tmp_path / "items.json", Reading())[0]


@pytest.mark.parametrize(("gold", "text", "right"), [(*one, True) for one in RIGHT] + [(*one, False) for one in WRONG])
def test_final_expressions_are_compared_as_mathematics(tmp_path, gold, text, right):
    made = item(tmp_path, {"problem": "p", "solution": f"We see \\boxed{{7}}, so it is $\\boxed{{{gold}}}$."})
    assert made["answer"] == gold
    assert TASKS["math"].score(made, text.replace("\\n", "\n"), "")["correct"] == right


def test_an_answer_is_read_however_it_is_stated():
    misread = [
        form % gold
        for gold in EXPRESSIONS
        for form in EXPRESSION_FORMS
        if not TASKS["math"].score({"answer": gold}, form % gold, "")["correct"]
    ]
    assert misread == []


def test_problems_are_put_as_the_publishers_put_them(tmp_path):
    made = item(tmp_path, {"problem": "1+1?", "answer": 2, "unique_id": "a/1"})
    assert made["id"] == "a/1" and TASKS["math"].messages(made)[0]["content"].startswith("1+1?\n\nReason step by step")
    turns = TASKS["math"].messages(made | {"shots": [made]})
    assert [turn["role"] for turn in turns] == ["user", "assistant", "user"] and turns[0] == turns[2]
    assert turns[1]["content"] == "\\boxed{2}"
    (text,) = COMPLETIONS["math"].messages(made | {"shots": [made]})
    assert text["content"] == "Problem:\n1+1?\n\nSolution: \\boxed{2}\n\nProblem:\n1+1?\n\nSolution:"
    with pytest.raises(ValueError, match="item 0 has no field 'answer'"):
        item(tmp_path, {"problem": "p", "solution": "no box"})
