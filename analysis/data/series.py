"""From rows of the long table to series: which measurements lie on one curve, and against which amount."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from analysis.arrays import Array
from analysis.data.table import factors_of

AMOUNTS = ("samples", "fraction", "replay", "total_samples", "params")  # the horizontal axis, in order of preference
NAMES = ("model", "strategy")  # what tells series apart first
UNITS = {
    "samples": "training samples of the ability",
    "total_samples": "training samples, all abilities",
    "fraction": "fraction of the data",
    "replay": "replayed fraction of the specialised data",
    "params": "model parameters",
}


@dataclass(frozen=True, eq=False)
class Series:
    """Measurements that lie on one curve, ordered by amount. ``amount`` is NaN where no amount varies."""

    label: str
    amount: Array
    value: Array
    items: Array  # NaN where unknown
    stderr: Array  # NaN where unknown
    seed: tuple[str, ...]
    fraction: Array  # NaN where unknown
    model: str


def series_of(rows: pd.DataFrame) -> tuple[str, tuple[Series, ...]]:
    """The amount that varies along the rows of one ability, task and metric ("" for none), and their series.

    Models of different sizes come in the order of their size.
    """
    if "params" in rows:
        rows = rows.sort_values("params", kind="stable")
    axis, labels = _layout(rows)
    parts = [rows] if not labels else [group for _, group in rows.groupby(labels, sort=False, dropna=False)]
    return axis, tuple(_series(part, axis, labels) for part in parts if len(part))


def _layout(rows: pd.DataFrame) -> tuple[str, list[str]]:
    """The amount and the columns that tell series apart, so that it varies along the series of as many rows as can be.

    Ties go to the order of `AMOUNTS`, then of the columns. No amount ("") where none varies along any series.
    """
    others = [c for c in factors_of(rows) if c not in AMOUNTS and _is_number(rows[c])]
    best, chosen = 0, ("", _labels(rows, ""))
    for axis in [c for c in AMOUNTS if c in rows] + [c for c in others if not c.startswith("samples_")]:
        if rows[axis].nunique() < 2:
            continue
        labels = _labels(rows, axis)
        keys = [rows[c] for c in labels] or [pd.Series(0, index=rows.index)]
        along = rows[axis].groupby(keys, dropna=False).transform("nunique") > 1
        if along.sum() > best:
            best, chosen = int(along.sum()), (axis, labels)
    return chosen


def _labels(rows: pd.DataFrame, axis: str) -> list[str]:
    """The columns that tell series apart: names, then numbers, that the amount and the columns before leave open."""
    varying = [c for c in factors_of(rows) if c not in (*AMOUNTS, *NAMES) and rows[c].nunique() > 1]
    names = [c for c in NAMES if c in rows and not (c == "model" and axis == "params")]
    words = [c for c in varying if not _is_number(rows[c])]
    names += sorted(words, key=lambda c: c == "trained_on")  # what else explains the difference says it shorter
    numbers = [c for c in varying if _is_number(rows[c])] + [c for c in AMOUNTS if c in rows and c != axis]
    labels: list[str] = []
    for column in [*names, *numbers]:
        known = [*labels, *([axis] if axis and column in numbers else [])]
        spread = rows.groupby(known, dropna=False)[column].nunique().max() if known else rows[column].nunique()
        if spread > 1:
            labels.append(column)
    return labels


def _series(rows: pd.DataFrame, axis: str, labels: list[str]) -> Series:
    amount = rows[axis].astype(float) if axis else pd.Series(np.nan, index=rows.index)
    rows = rows.assign(_amount=amount).sort_values(["_amount", "value"], kind="stable")
    first = rows.iloc[0]
    label = ", ".join(_name(column, first[column]) for column in labels)
    seeds = tuple(rows["seed"]) if "seed" in rows else ("",) * len(rows)
    return Series(
        label,
        rows["_amount"].to_numpy(float),
        rows["value"].to_numpy(float),
        _numbers(rows, "n_items"),
        _numbers(rows, "stderr"),
        seeds,
        _numbers(rows, "fraction"),
        str(first["model"]) if "model" in rows else "",
    )


def _name(column: str, value: object) -> str:
    if isinstance(value, float | int | np.number):
        return f"{column} {float(value):g}"
    return str(value)


def _numbers(rows: pd.DataFrame, column: str) -> Array:
    return rows[column].to_numpy(float) if column in rows else np.full(len(rows), np.nan)


def _is_number(column: pd.Series[float]) -> bool:
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
