"""Choose the worked examples that are shown before every item."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from random import Random

from eval.items.jsonl import Row, locate
from eval.spec.answers import AnswerSpec
from eval.tasks import FORMS


def shots(spec: AnswerSpec, inputs: Mapping[str, Path]) -> list[Row]:
    """The worked examples of a spec from the input ``shots``: as many as it shows, and one to take an item's place.

    They come in the order shown. Raises ValueError for too few.
    """
    read = FORMS[spec.form][spec.task].examples
    if spec.shots is None or read is None:
        return []
    place = locate(inputs["shots"], spec.shots.file)
    pool, number = read(place, spec.reading), spec.shots.number
    if number > len(pool):
        raise ValueError(
            f"shots={number}: {place} holds {len(pool)} worked examples of task {spec.task}; ask for fewer"
        )
    most = min(number + 1, len(pool))
    if spec.shots.seed is None:
        return pool[:most]
    # A seed of its own name, so that it is independent of the seed of drawn answers.
    return Random(f"shots:{spec.shots.seed}").sample(pool, most)


def items_with_shots(spec: AnswerSpec, inputs: Mapping[str, Path]) -> list[Row]:
    """The items that a spec asks, each with its worked examples in ``shots``. Errors as in `check_ids` and `shown`."""
    file = locate(inputs["data"], spec.file)
    items = FORMS[spec.form][spec.task].items(file, spec.reading)[: spec.items]
    check_ids(file, items)
    pool = shots(spec, inputs)
    return [item | {"shots": shown(item, pool, spec)} for item in items]


def check_ids(file: Path, items: Sequence[Row]) -> None:
    """Raise ValueError for a file without items, and for items with the same id, whose answers would be mixed up."""
    if not items:
        raise ValueError(f"{file} holds no items; give at least one")
    counts = Counter(item["id"] for item in items)
    if twice := [name for name, count in counts.items() if count > 1]:
        raise ValueError(f"{file}: {counts[twice[0]]} items have the id {twice[0]!r}; ids must differ")


def shown(item: Row, pool: Sequence[Row], spec: AnswerSpec) -> list[Row]:
    """The worked examples before an item: none asks the same, which would show the item's own answer.

    Raises ValueError where too few are left.
    """
    prompt, number = FORMS[spec.form][spec.task].parts[0], spec.shots.number if spec.shots else 0
    others = [one for one in pool if one[prompt] != item[prompt]][:number]
    if len(others) < number:
        raise ValueError(
            f"shots={number}: item {item['id']} is among its own worked examples, and no others are left; ask for fewer"
        )
    return others
