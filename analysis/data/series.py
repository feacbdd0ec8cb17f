"""From rows of the long table to series: which measurements lie on one curve, and against which amount."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.arrays import Array
from analysis.data.apart import SOURCE, source_text
from analysis.data.cost import COSTS
from analysis.data.table import chance, factors_of
from analysis.format import fraction

AMOUNTS = ("samples", "fraction", "replay", "total_samples", "params")
"""Columns that can be the horizontal axis, in order of preference."""
DATA = ("samples", "fraction", "total_samples")
"""Amounts of data: all that varies along a series whose axis is a cost."""
CLEARLY = 1.5
"""Factor between two amounts of data that is more than rounding, or a cost that was measured, makes."""
NAMES = ("model", "strategy")
"""Columns that label series before all others."""
UNITS = {
    "samples": "training samples of the ability",
    "total_samples": "training samples, all abilities",
    "fraction": "fraction of the data",
    "replay": "replayed fraction of the specialised data",
    "params": "model parameters",
    "tokens": "training tokens of the cell",
    "flops": "floating-point operations of the cell's training",
    "hours": "hours of the cell on one device",
}


COUNTED = {
    "samples": "samples of its data", "total_samples": "samples", "fraction": "of the data", "tokens": "tokens",
    "flops": "FLOPs", "hours": "hours",
}  # fmt: skip
"""Amounts of data and costs, of which a goal takes some, and what a number of each is called."""


@dataclass(frozen=True, eq=False)
class Series:
    """Measurements that lie on one curve, ordered by amount.

    The arrays have one entry per measurement; ``amount`` is NaN where no amount varies, ``items`` (their number),
    ``stderr``, ``fraction`` and ``own`` (samples of the ability) where they are unknown; ``seed`` is that of `chance`,
    ``cell`` the name of the cell and ``sweep`` that of its sweep ("" for unknown ones). ``names`` are the parts of the
    label. ``several_mixtures`` says of a series along a cost that cells have clearly less of the ability's data than
    others that cost no more: in the order of their costs they are no one mixture of which there is more and more.
    """

    label: str
    amount: Array
    value: Array
    items: Array
    stderr: Array
    seed: tuple[str, ...]
    fraction: Array
    model: str
    cell: tuple[str, ...]
    sweep: tuple[str, ...]
    names: tuple[str, ...]
    own: Array
    several_mixtures: bool


def series_of(rows: pd.DataFrame, x: str = "samples") -> tuple[str, tuple[Series, ...]]:
    """The column of amounts along which the rows of one measure vary ("" for none), and their series.

    ``x`` is what they are along where that is a cost; for samples the amount that varies is found.

    Series of models of different sizes come in the order of size.
    """
    if rows.empty:  # a measure of models that were trained on other abilities alone
        return "", ()
    if "params" in rows:
        rows = rows.sort_values("params", kind="stable")
    axis, labels = (x, _names(rows, x)) if x in COSTS else _layout(rows)
    return axis, tuple(_series(part, axis, names) for part, names in _parts(rows, axis, labels))


def _layout(rows: pd.DataFrame) -> tuple[str, list[str]]:
    """The column of amounts, and the columns of names that label the series.

    The samples of the ability where they vary along any series; else the amount that varies along the series of the
    most rows, where ties go to the order of `AMOUNTS`, then to that of the columns. "" where no amount varies along
    any series.
    """
    others = [c for c in factors_of(rows) if c not in AMOUNTS and _is_number(rows[c])]
    best, chosen = 0, ("", _names(rows, ""))
    for axis in [c for c in AMOUNTS if c in rows] + [c for c in others if not c.startswith("samples_")]:
        if rows[axis].nunique() < 2:
            continue
        names = _names(rows, axis)
        along = sum(len(part) for part, _ in _parts(rows, axis, names) if part[axis].nunique() > 1)
        if along > best:
            best, chosen = along, (axis, names)
        if best and axis == "samples":
            break
    return chosen


def _names(rows: pd.DataFrame, axis: str) -> list[str]:
    """The columns of names that label the series; without those that the columns before them determine."""
    varying = [c for c in factors_of(rows) if c not in (*AMOUNTS, *NAMES) and rows[c].nunique() > 1]
    names = [c for c in NAMES if c in rows and not (c == "model" and axis == "params")]
    words = [c for c in varying if not _is_number(rows[c])]
    return _undetermined(rows, [*names, *sorted(words, key=lambda c: c == "trained_on")], [])  # its values are long


def _parts(rows: pd.DataFrame, axis: str, names: list[str]) -> list[tuple[pd.DataFrame, list[str]]]:
    """The rows of each series, with the columns that label it: names, then numbers.

    A number labels the series of those names alone within which the amount does not determine it: where other data is
    varied at a constant amount of the ability's own, each point is a series of its own. Along a cost all but the
    amounts of data label the series, since every choice has its own cost; and all series have the same labels, by
    which they are compared.
    """
    numbers = [c for c in factors_of(rows) if c not in (*AMOUNTS, *NAMES) and _is_number(rows[c])]
    numbers = [c for c in [*numbers, *AMOUNTS] if c in rows and c != axis]
    if axis in COSTS:
        numbers = [c for c in numbers if c not in DATA and not c.startswith("samples_")]
    groups = [rows] if not names else [part for _, part in rows.groupby(names, sort=False, dropna=False)]
    labels = [_undetermined(group, numbers, [axis] if axis and axis not in COSTS else []) for group in groups]
    if axis in COSTS:
        labels = [[c for c in numbers if any(c in found for found in labels)]] * len(groups)
    parts = []
    for group, further in zip(groups, labels, strict=True):
        split = [group] if not further else [part for _, part in group.groupby(further, sort=False, dropna=False)]
        parts += [(part, [*names, *further]) for part in split]
    return parts


def _undetermined(rows: pd.DataFrame, columns: list[str], given: list[str]) -> list[str]:
    """Those of the columns that vary where the given ones and the columns before them are equal."""
    labels: list[str] = []
    group = np.zeros(len(rows), int)  # of the rows that are equal in the columns before
    for column in given:
        group = _within(group, _codes(rows, column))
    for column in columns:
        value = _codes(rows, column)
        there = value >= 0
        if len(np.unique(_within(group, value)[there])) > len(np.unique(group[there])):
            labels.append(column)
            group = _within(group, value)
    return labels


def _codes(rows: pd.DataFrame, column: str) -> NDArray[np.intp]:
    """A number for each value of a column, (rows,); -1 for a missing one."""
    return np.asarray(pd.factorize(rows[column])[0])


def _within(group: NDArray[np.intp], value: NDArray[np.intp]) -> NDArray[np.intp]:
    """A number for each pair of group and value, (rows,)."""
    return np.asarray(np.unique(group * (value.max(initial=0) + 2) + value + 1, return_inverse=True)[1])


def _series(rows: pd.DataFrame, axis: str, labels: list[str]) -> Series:
    amount = rows[axis].astype(float) if axis else pd.Series(np.nan, index=rows.index)
    rows = rows.assign(_amount=amount).sort_values(["_amount", "value"], kind="stable")
    first = rows.iloc[0]
    names, own = tuple(part_name(column, first[column]) for column in labels), _numbers(rows, "samples")
    return Series(
        ", ".join(filter(None, names)),
        rows["_amount"].to_numpy(float),
        rows["value"].to_numpy(float),
        _numbers(rows, "n_items"),
        _numbers(rows, "stderr"),
        tuple(chance(rows)),
        _numbers(rows, "fraction"),
        str(first["model"]) if "model" in rows else "",
        _texts(rows, "cell"),
        _texts(rows, "sweep"),
        names,
        own,
        axis in COSTS and _falls(own, rows["_amount"].to_numpy(float)),
    )


def _falls(own: Array, cost: Array) -> bool:
    """Whether some amount of data is clearly less than another one that costs no more; both are (points,)."""
    order = np.lexsort((-own, cost))
    own = own[order][cost[order] > 0]
    return bool((own < np.maximum.accumulate(own) / CLEARLY).any()) if len(own) else False


def part_name(column: str, value: object) -> str:
    """A value as part of a label; "" for a missing one."""
    if value is None or value != value:
        return ""
    if isinstance(value, float | int | np.number):
        return f"{column} {fraction(float(value)) if 0 < value < 1 else f'{float(value):g}'}"
    return source_text(column, str(value)) if column.startswith(SOURCE) else str(value)


def _texts(rows: pd.DataFrame, column: str) -> tuple[str, ...]:
    return tuple(map(str, rows[column])) if column in rows else ("",) * len(rows)


def _numbers(rows: pd.DataFrame, column: str) -> Array:
    return rows[column].to_numpy(float) if column in rows else np.full(len(rows), np.nan)


def _is_number(column: pd.Series[float]) -> bool:
    return pd.api.types.is_numeric_dtype(column) and not pd.api.types.is_bool_dtype(column)
