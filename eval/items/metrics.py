"""Metrics with standard errors, from per-item values."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Metric:
    """One metric of a summary: ``value`` over ``n_items`` items, with its standard error."""

    metric: str
    value: float
    n_items: int
    stderr: float


def share(name: str, flags: Sequence[bool]) -> Metric | None:
    """The share of true flags, with the binomial standard error. None without any flag."""
    if not flags:
        return None
    value = sum(flags) / len(flags)
    return Metric(name, value, len(flags), math.sqrt(value * (1 - value) / len(flags)))


def rate(name: str, scores: Sequence[Mapping[str, Any]], flag: str) -> Metric | None:
    """The share of scores with a true ``flag``, averaged over items.

    The standard error is binomial for single answers. For several answers to an item it is that of the mean over items.
    """
    groups = by_item(scores)
    if all(len(rows) == 1 for rows in groups):
        return share(name, [bool(rows[0][flag]) for rows in groups])
    return mean(name, [sum(bool(row[flag]) for row in rows) / len(rows) for rows in groups])


def by_item(scores: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """The scores of each item. A score without the field ``item`` is the only one of its item."""
    groups: dict[Any, list[Mapping[str, Any]]] = {}
    for number, row in enumerate(scores):
        groups.setdefault(row.get("item", number), []).append(row)
    return list(groups.values())


def mean(name: str, values: Sequence[float]) -> Metric | None:
    """The mean of one value per item, with its standard error (0 for a single item). None without any value."""
    if not values:
        return None
    value, count = math.fsum(values) / len(values), len(values)
    variance = math.fsum((one - value) ** 2 for one in values) / (count - 1) if count > 1 else 0.0
    return Metric(name, value, count, math.sqrt(variance / count))


def pass_at_k(answers: int, right: int, k: int) -> float:
    """An unbiased estimate of the chance that at least one of ``k`` answers to an item is right.

    ``right`` of ``answers`` answers are. The estimator is that of Chen et al. 2021 (arXiv:2107.03374).
    """
    # Every draw of k answers then holds a right one; the factors below would turn negative.
    if answers - right < k:
        return 1.0
    return 1.0 - math.prod(1.0 - k / number for number in range(answers - right + 1, answers + 1))


def majority(scores: Sequence[Mapping[str, Any]], k: int) -> Metric | None:
    """``maj@k``: the share of items for which the answer that most of the first k answers give is right.

    Of equally frequent answers the first one counts; an answer that could not be read has no vote.
    """
    right = []
    for group in by_item(scores):
        votes = [row for row in group[:k] if row.get("extracted") is not None]
        counts = Counter(row["extracted"] for row in votes)
        most = max(counts, key=counts.__getitem__, default=None)  # of equals the first
        right.append(any(bool(row["correct"]) for row in votes if row["extracted"] == most))
    return share(f"maj@{k}", right)


def ratio(name: str, numerators: Sequence[float], denominators: Sequence[float]) -> Metric | None:
    """The sum of numerators over the sum of denominators, such as a loss per token, with one of each per item.

    The standard error is the linearised one of a ratio estimator, sqrt(n/(n-1) * sum((y - r x)^2)) / sum(x) (Cochran
    1977, 6.4), 0 for a single item. None without any item, or when the denominators sum to 0.
    """
    total = math.fsum(denominators)
    if not numerators or total == 0:
        return None
    value, count = math.fsum(numerators) / total, len(numerators)
    squares = math.fsum((y - value * x) ** 2 for y, x in zip(numerators, denominators, strict=True))
    return Metric(name, value, count, math.sqrt(squares * count / (count - 1)) / total if count > 1 else 0.0)


Z = 1.959963984540054  # the normal quantile of a 95 % interval


def interval(metric: Metric) -> tuple[float, float]:
    """The 95 % interval of a metric: Wilson's for a share of single answers, otherwise the normal one.

    Wilson's interval (Wilson 1927, 10.1080/01621459.1927.10502953) also holds for shares near 0 and 1.
    """
    value, count = metric.value, metric.n_items
    # Only a share of single answers has the binomial standard error.
    if not 0 <= value <= 1 or not math.isclose(metric.stderr**2 * count, value * (1 - value), abs_tol=1e-12):
        return value - Z * metric.stderr, value + Z * metric.stderr
    centre, half_width = value + Z**2 / (2 * count), Z * math.sqrt(metric.stderr**2 + Z**2 / (4 * count**2))
    low, high = ((centre + side * half_width) / (1 + Z**2 / count) for side in (-1, 1))
    return max(0.0, low), min(1.0, high)


def present(*metrics: Metric | None) -> list[Metric]:
    """The metrics that are not None: one without data stays absent instead of turning into a number."""
    return [metric for metric in metrics if metric is not None]
