"""What cells cost in tokens, floating-point operations and hours, along which curves are drawn on request."""

from __future__ import annotations

import pandas as pd

from analysis.data.table import factors_of

COSTS = ("tokens", "flops", "hours")
"""Columns with what the training of a whole cell costs, of all abilities; hours also hold its answers."""
AXES = ("samples", *COSTS)
"""What curves can be along."""
PASSES = 6.0
"""Operations of training for each parameter and token (Kaplan et al. 2020, arXiv:2001.08361, section 2.1)."""


def with_flops(table: pd.DataFrame) -> pd.DataFrame:
    """The table with the operations of training, where it has parameters and tokens and no such column of its own."""
    if "flops" in table or not {"params", "tokens"} <= set(table):
        return table
    return table.assign(flops=PASSES * table["params"] * table["tokens"])


def without_flops(table: pd.DataFrame) -> pd.DataFrame:
    """The table without what `with_flops` has added, or would add just so."""
    left = table.drop(columns="flops", errors="ignore")
    return left if table.equals(with_flops(left).reindex(columns=list(table))) else table


def by_design(rows: pd.DataFrame, cost: str) -> pd.DataFrame:
    """The rows, in which runs of one design have the mean of their costs: a seed draws longer or shorter samples.

    Raises ValueError where the table lacks the cost of a row.
    """
    have = [name for name in COSTS if name in rows and rows[name].notna().all()]
    if cost not in have:
        lacks = f"{int(rows[cost].isna().sum()):,} rows lack it" if cost in rows else "the table has no such column"
        source = ", or of params and tokens" if cost == "flops" else ""
        raise ValueError(
            f"x={cost} is the column {cost!r}{source}, and {lacks}; use x={' or '.join(['samples', *have])}"
        )
    factors = factors_of(rows)
    mean = rows.groupby(factors, dropna=False)[cost].transform("mean") if factors else rows[cost].mean()
    return rows.assign(**{cost: mean})
