"""Open questions of one or several turns that a judge grades: MT-Bench (Zheng et al. 2023, arXiv:2306.05685).

Task ``mtbench``: questions of two turns with a temperature per category. Task ``judge``: the user's own questions, of
one turn (``prompt``) or several (``turns``), optionally with a ``reference`` answer (a text, or a list with one per
turn). The judge rates answers from 1 to 10; ``accuracy`` is the mean rating as a share, (score - 1) / 9.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from eval.items.jsonl import Row, field, read
from eval.items.metrics import Metric, by_item, present, ratio
from eval.spec.answers import AS_IS, Reading
from eval.tasks.benchmark import Benchmark

TEMPERATURES = {
    "writing": 0.7, "roleplay": 0.7, "stem": 0.1, "humanities": 0.1,
    "extraction": 0.0, "math": 0.0, "coding": 0.0, "reasoning": 0.0,
}  # fmt: skip
LOWEST, HIGHEST = 1.0, 10.0


def items(path: Path, reading: Reading = AS_IS) -> list[Row]:
    """The questions: ``id``, ``turns``, ``category``, ``references`` (one per turn, or none at all).

    ``id`` is the field ``question_id`` or ``id``, else the row number from 0. Raises ValueError for a malformed row.
    """
    return [_item(path, number, row) for number, row in enumerate(read(path, dict(reading.fields)))]


def benchmark(path: Path, reading: Reading = AS_IS) -> list[Row]:
    """MT-Bench's questions, with a ``temperature`` by category unless the question itself requires one.

    Their own ``reference`` is a note for people that covers only some turns, so it is not shown to a judge.
    """
    questions = []
    for row, item in zip(read(path, dict(reading.fields)), items(path, reading), strict=True):
        temperature = row.get("required_temperature", TEMPERATURES.get(item["category"]))
        own = {} if temperature is None else {"temperature": float(temperature)}
        questions.append({**item, "references": [], **own})
    return questions


def _item(path: Path, number: int, row: Row) -> Row:
    turns = field(path, number, row, "turns", list) if "turns" in row else [field(path, number, row, "prompt", str)]
    if not turns or not all(isinstance(turn, str) for turn in turns):
        raise ValueError(f"{path}: item {number}, field 'turns' must be a list of texts, at least one")
    reference = row.get("reference") or []
    references = [str(one) for one in reference] if isinstance(reference, list) else [str(reference)]
    # A judge of turn N sees the references of turns 1 to N.
    if references and len(references) != len(turns):
        raise ValueError(f"{path}: item {number}, field 'reference': {len(references)} answers to {len(turns)} turns")
    name = str(row.get("question_id", row.get("id", number)))
    return {"id": name, "turns": turns, "category": str(row.get("category", "")), "references": references}


def messages(item: Row) -> list[dict[str, str]]:
    """The user's turns. The model's own answers are inserted between them."""
    return [{"role": "user", "content": turn} for turn in item["turns"]]


def references(path: Path) -> dict[str, list[str]]:
    """Reference answers by question id, from a file of answers in FastChat's format; the first of several choices.

    Raises ValueError for a malformed row.
    """
    answers = {}
    for number, row in enumerate(read(path)):
        choices = field(path, number, row, "choices", list)
        if not choices or not all(isinstance(turn, str) for turn in choices[0].get("turns", [None])):
            raise ValueError(f"{path}: item {number}, field 'choices' holds no turns of text")
        answers[str(field(path, number, row, "question_id", (str, int)))] = list(choices[0]["turns"])
    return answers


def metrics(scores: Sequence[Row]) -> list[Metric]:
    """``accuracy``, ``score``, ``turn_N``, ``score_CATEGORY`` and ``unparsed_rate``.

    ``accuracy`` is ``score``, the mean rating, as a share. ``turn_N`` exists where questions have several turns. All
    are means over the answers that have a rating; ``unparsed_rate`` is the share of replies without one. A row has
    ``rating`` (None: no reply had one), ``ratings`` (by repeat), ``turn`` and ``category``. Standard errors are
    clustered by question.
    """
    rated = [row for row in scores if row["rating"] is not None]
    turns = sorted({row["turn"] for row in scores})
    categories = sorted({row["category"] for row in scores} - {""})
    parts = {f"turn_{turn}": [row for row in rated if row["turn"] == turn] for turn in turns if len(turns) > 1}
    parts |= {f"score_{name}": [row for row in rated if row["category"] == name] for name in categories}
    overall = [clustered("accuracy", rated, lambda row: share(row["rating"])), clustered("score", rated, rating)]
    unparsed = clustered("unparsed_rate", scores, lambda row: row["ratings"].count(None) / len(row["ratings"]))
    return present(*overall, *(clustered(name, rows, rating) for name, rows in parts.items()), unparsed)


def share(rating: float) -> float:
    """A rating from 1 to 10 as a share from 0 to 1."""
    return (rating - LOWEST) / (HIGHEST - LOWEST)


def rating(row: Mapping[str, Any]) -> float:
    return float(row["rating"])


def clustered(
    name: str, rows: Sequence[Mapping[str, Any]], value: Callable[[Mapping[str, Any]], float]
) -> Metric | None:
    """The mean of ``value`` over all rows, with a standard error clustered by question. None without any row."""
    # Ratings of the turns of one question are not independent.
    groups = by_item(rows)
    return ratio(name, [math.fsum(value(row) for row in group) for group in groups], [len(group) for group in groups])


FORMS = {
    "chat": Benchmark(items=benchmark, messages=messages, metrics=metrics, parts=("turns", "references")),
}
