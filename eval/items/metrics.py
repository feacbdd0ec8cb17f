"""From per-item fields to numbers with standard errors. Pure and torch-free."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Metric:
    """One number of a summary: ``value`` over ``n_items`` items, with its standard error."""

    metric: str
    value: float
    n_items: int
    stderr: float


def share(name: str, flags: Sequence[bool]) -> Metric | None:
    """The share of true flags, with the binomial standard error; None without any items."""
    if not flags:
        return None
    value = sum(flags) / len(flags)
    return Metric(name, value, len(flags), math.sqrt(value * (1 - value) / len(flags)))


def rate(name: str, scores: Sequence[Mapping[str, Any]], flag: str) -> Metric | None:
    """The share of scores with a true flag; where an item was answered several times, clustered by item."""
    groups = by_item(scores)
    if all(len(rows) == 1 for rows in groups):
        return share(name, [bool(rows[0][flag]) for rows in groups])
    return mean(name, [sum(bool(row[flag]) for row in rows) / len(rows) for rows in groups])


def by_item(scores: Sequence[Mapping[str, Any]]) -> list[list[Mapping[str, Any]]]:
    """The scores of each item; a score without the field ``item`` is one of its own."""
    groups: dict[Any, list[Mapping[str, Any]]] = {}
    for place, row in enumerate(scores):
        groups.setdefault(row.get("item", place), []).append(row)
    return list(groups.values())


def mean(name: str, values: Sequence[float]) -> Metric | None:
    """The mean of one number an item, with its standard error (0 for a single item); None without any."""
    if not values:
        return None
    value, count = math.fsum(values) / len(values), len(values)
    spread = math.fsum((one - value) ** 2 for one in values) / (count - 1) if count > 1 else 0.0
    return Metric(name, value, count, math.sqrt(spread / count))


def pass_at_k(answers: int, right: int, k: int) -> float:
    """The chance that one of ``k`` answers drawn from these is right (unbiased; Chen et al. 2021, arXiv:2107.03374)."""
    if answers - right < k:
        return 1.0
    return 1.0 - math.prod(1.0 - k / number for number in range(answers - right + 1, answers + 1))


def ratio(name: str, numerators: Sequence[float], denominators: Sequence[float]) -> Metric | None:
    """Sum over sum, as for a loss per token, with the standard error clustered by item.

    The error is the linearised one of a ratio estimator, sqrt(n/(n-1) * sum((y - r x)^2)) / sum(x) (Cochran 1977, 6.4);
    it is 0 for a single item. None without any items.
    """
    total = math.fsum(denominators)
    if not numerators or total == 0:
        return None
    value, count = math.fsum(numerators) / total, len(numerators)
    spread = math.fsum((y - value * x) ** 2 for y, x in zip(numerators, denominators, strict=True))
    return Metric(name, value, count, math.sqrt(spread * count / (count - 1)) / total if count > 1 else 0.0)


Z = 1.959963984540054  # 95 %


def interval(metric: Metric) -> tuple[float, float]:
    """The 95 % interval of a number: Wilson's for a share of single answers, else the normal one around a mean."""
    value, count = metric.value, metric.n_items
    if not 0 <= value <= 1 or not math.isclose(metric.stderr**2 * count, value * (1 - value), abs_tol=1e-12):
        return value - Z * metric.stderr, value + Z * metric.stderr
    centre, room = value + Z**2 / (2 * count), Z * math.sqrt(metric.stderr**2 + Z**2 / (4 * count**2))
    low, high = ((centre + side * room) / (1 + Z**2 / count) for side in (-1, 1))
    return max(0.0, low), min(1.0, high)


def present(*metrics: Metric | None) -> list[Metric]:
    """The metrics that exist: one that is missing stays absent and never turns into a number."""
    return [metric for metric in metrics if metric is not None]
