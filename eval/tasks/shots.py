"""Choose the worked examples that are shown before every item."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from random import Random

from eval.items.jsonl import Row, locate
from eval.spec.answers import AnswerSpec
from eval.tasks import FORMS


def shots(spec: AnswerSpec, inputs: Mapping[str, Path]) -> list[Row]:
    """The worked examples of a spec, from the input ``shots``, in the order shown. Raises ValueError for too few."""
    read = FORMS[spec.form][spec.task].examples
    if spec.shots is None or read is None:
        return []
    place = locate(inputs["shots"], spec.shots.file)
    pool, number = read(place, spec.reading), spec.shots.number
    if number > len(pool):
        raise ValueError(
            f"shots={number}: {place} holds {len(pool)} worked examples of task {spec.task}; ask for fewer"
        )
    if spec.shots.seed is None:
        return pool[:number]
    # A seed of its own name, so that it is independent of the seed of drawn answers.
    return Random(f"shots:{spec.shots.seed}").sample(pool, number)
