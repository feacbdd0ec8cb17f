"""Item rows: what each test item contributes to the headline metric of a score, in one schema for all tasks.

The score stage writes them beside its verdicts. A sweep collects them, so that cells can be compared item by item.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from eval.spec.tasks import JUDGED

FILE = "items.jsonl"
"""The file of item rows in a score's folder: JSON objects with the fields of `ItemRow`."""

Score = Mapping[str, Any]


@dataclass(frozen=True)
class ItemRow:
    """One item under one metric: the mean ``value`` over the items, weighted by ``weight``, is the metric's value.

    For ``accuracy`` the value is the share of right answers, or the mean rating as a share, from 0 to 1; it weighs 1
    for right and wrong, and the number of rated answers for ratings. For ``loss`` it is in nats per token, and weighs
    the number of supervised tokens.
    """

    metric: str
    item: str
    value: float
    weight: float


def item_id(row: Score) -> str:
    """The id of the item that a record of an answer or a score belongs to.

    Where an item has several answers, their records name it in ``item``; a single answer has the item's own id.
    """
    return str(row.get("item", row["id"]))


def item_rows(task: str, scores: Iterable[Score]) -> list[ItemRow]:
    """The rows of a task's scores (one score an answer), in the order in which items first occur.

    An item whose verdict is missing has no row: a judge's reply without a rating, a sample without supervised tokens.
    """
    metric, measure = ("loss", _loss) if task == "loss" else ("accuracy", _rating if task in JUDGED else _right)
    # A dictionary keeps the order of first occurrence.
    groups: dict[str, list[Score]] = {}
    for score in scores:
        groups.setdefault(item_id(score), []).append(score)
    measured = {item: measure(group) for item, group in groups.items()}
    return [ItemRow(metric, item, *pair) for item, pair in measured.items() if pair]


def _right(scores: Sequence[Score]) -> tuple[float, float] | None:
    """The share of right answers to one item; items count alike, however often they were answered."""
    # Items count alike, as in `rate`, which gives the metric.
    return sum(bool(score["correct"]) for score in scores) / len(scores), 1.0


def _rating(scores: Sequence[Score]) -> tuple[float, float] | None:
    """The mean rating of one item's answers as a share, and how many have one."""
    rated = [score["share"] for score in scores if score["share"] is not None]
    return (math.fsum(rated) / len(rated), float(len(rated))) if rated else None


def _loss(scores: Sequence[Score]) -> tuple[float, float] | None:
    """The loss per supervised token of one sample, and the number of such tokens."""
    tokens = sum(score["tokens"] for score in scores)
    return (sum(score["loss"] for score in scores) / tokens, float(tokens)) if tokens else None
