r"""Multiple choice: the answer names the right one of several choices, or the model finds it the likeliest.

Items have ``prompt`` (or ``question``) and ``answer``, and the choices in one of the layouts in use: a list
``choices``; ARC's lists of ``text`` and ``label`` with ``answerKey``; the columns ``A`` to ``D`` (MMLU); GPQA's
columns; or lines ``(A) ...`` or ``- ...`` under ``Options:`` in the prompt itself (BIG-Bench Hard). An integer is an
index from 0; a text is a label or a choice.

An answer is read where it is marked (a box, an announcement), else as a whole, else from its first letter, else from
its last line. A letter that is no choice is no answer. In the form ``likelihood`` the choice with the likeliest text
wins: ``accuracy`` by the plain log-likelihood, ``accuracy_norm`` by that per byte (as lm-eval's acc and acc_norm).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from eval.items.jsonl import Row
from eval.items.metrics import Metric, present, rate
from eval.spec.answers import AS_IS, Reading
from eval.tasks import questions
from eval.tasks.benchmark import Benchmark, Messages
from eval.tasks.choices import choices_of, right_choice
from eval.tasks.named_choice import named

ASK = "Answer with the letter of the right choice."


def items(path: Path, reading: Reading = AS_IS) -> list[Row]:
    """The questions with their choices and the number of the right one. Raises ValueError for an ambiguous row."""
    made = []
    for number, row in questions.rows(path, reading):
        where = f"{path}: item {number}"
        prompt, labels, choices, listed = choices_of(where, row)
        right = right_choice(where, row, labels, choices)
        texts = [f"{label}. {choice}" for label, choice in zip(labels, choices, strict=False)]
        made.append(
            {
                "id": questions.name_of(path, number, row), "question": prompt, "choices": choices, "labels": labels,
                "right": right, "prompt": prompt if listed else "\n".join([prompt, *texts, "", ASK]),
                "answers": [labels[right] if labels else choices[right]], "gold": choices[right],
            }
        )  # fmt: skip
    return made


def score(item: Row, text: str, status: str = "") -> Row:
    """``correct`` when the answer names the right choice, or when that is the likeliest one."""
    if "likelihoods" in item:
        return _likeliest(item)
    number = named(text, item["labels"], item["choices"])
    return {"correct": number == item["right"], "parsed": number is not None, **_names(item, number)}


def _likeliest(item: Row) -> Row:
    plain: list[float] = item["likelihoods"]
    per_byte = [value / max(1, len(text.encode())) for value, text in zip(plain, continuations(item), strict=True)]
    best, best_per_byte = plain.index(max(plain)), per_byte.index(max(per_byte))
    right = item["right"]
    return {"correct": best == right, "correct_norm": best_per_byte == right, "parsed": True, **_names(item, best)}


def _names(item: Row, number: int | None) -> Row:
    names = item["labels"] or item["choices"]
    return {"extracted": None if number is None else names[number], "gold": names[item["right"]]}


def likelihood(item: Row) -> Messages:
    """The question alone, as one text whose continuation is a choice, after worked examples."""
    examples = [f"Question: {one['question']}\nAnswer: {one['gold']}\n\n" for one in item.get("shots", ())]
    return [{"role": "text", "content": "".join(examples) + f"Question: {item['question']}\nAnswer:"}]


def continuations(item: Row) -> list[str]:
    """The choices as they continue the question."""
    return [f" {choice}" for choice in item["choices"]]


def metrics(scores: Sequence[Row]) -> list[Metric]:
    """``accuracy``, the share of right answers, and ``accuracy_norm`` where likelihoods decide."""
    normalised = [row for row in scores if "correct_norm" in row]
    return present(rate("accuracy", scores, "correct"), rate("accuracy_norm", normalised, "correct_norm"))


CHAT = Benchmark(
    items=items, messages=questions.conversation, score=score, metrics=metrics, parts=("question", "gold"),
    examples=items,
)  # fmt: skip
FORMS = {
    **questions.both(CHAT),
    "likelihood": replace(CHAT, messages=likelihood, continuations=continuations),
}
