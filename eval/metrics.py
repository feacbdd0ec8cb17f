"""From per-item fields to numbers with standard errors. Pure and torch-free."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass


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


def present(*metrics: Metric | None) -> list[Metric]:
    """The metrics that exist: one that is missing stays absent and never turns into a number."""
    return [metric for metric in metrics if metric is not None]
