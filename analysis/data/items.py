"""Per-item results beside a long table: what lets measurements be compared item by item."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.arrays import Array
from analysis.data.table import load

RESULTS = ("item", "value", "weight", "n_items", "stderr")
WHAT = ("ability", "task", "metric")
AGREE = 1e-3  # how far the mean over items may lie from the table's value, which may be rounded


@dataclass(frozen=True, eq=False)
class Items:
    """One row an item of a measurement: ``item``, ``value`` (a verdict, a share of answers, or a loss), optionally
    ``weight``; the other columns that the long table has too say which of its rows the item belongs to. Parts by
    ability, task and metric.
    """

    parts: Mapping[tuple[str, ...], pd.DataFrame]
    by: tuple[str, ...]

    def matrix(self, rows: pd.DataFrame) -> tuple[Array, Array] | None:
        """Values and weights (rows, items) behind the rows of one ability, task and metric; None where there are none.

        A row's values are NaN where it has no items, shares them with another row, or is not their mean.
        """
        what = {name: str(rows[name].iloc[0]) for name in WHAT}
        part = self.parts.get(tuple(what[name] for name in self.by))
        names = [] if part is None else [c for c in part if c in rows and c not in (*RESULTS, *self.by)]
        if part is None:
            return None
        left, right = _keys(rows, part, names)
        place = pd.Series(np.arange(len(rows)), index=left)
        place = place[~place.index.duplicated(keep=False)]
        row = place.reindex(right).to_numpy(float)
        known = ~np.isnan(row)
        column, labels = pd.factorize(part["item"].to_numpy()[known], sort=True)
        value, weight = (np.full((len(rows), len(labels)), np.nan) for _ in range(2))
        at = row[known].astype(int), column
        value[at] = part["value"].to_numpy(float)[known]
        weight[at] = part["weight"].to_numpy(float)[known] if "weight" in part else 1.0
        with np.errstate(invalid="ignore"):
            mean = np.nansum(weight * value, axis=1) / np.nansum(weight, axis=1)
        off = ~(np.abs(mean - rows["value"].to_numpy(float)) <= AGREE * np.maximum(1.0, np.abs(mean)))
        value[off] = np.nan
        return (value, weight) if len(labels) > 1 and not off.all() else None


def read_items(*paths: Path) -> Items | None:
    """The items in ``paths`` (.csv, .csv.gz or .parquet); None without any.

    Raises FileNotFoundError when there is no such file, ValueError for columns that are absent or hold no numbers.
    """
    if not paths:
        return None
    frame = pd.concat([_read(path) for path in paths], ignore_index=True)
    by = tuple(name for name in WHAT if name in frame)
    groups = frame.groupby(list(by), sort=False, observed=True)
    return Items({tuple(map(str, key)): part for key, part in groups}, by)


def _read(path: Path) -> pd.DataFrame:
    frame = load(path)
    absent = [c for c in ("item", "value") if c not in frame]
    if absent or not any(c in frame for c in WHAT):
        raise ValueError(
            f"{path}: column {(absent or ['task'])[0]!r} is absent (columns: {', '.join(map(str, frame))}); "
            "items take item, value and the table's columns that name the measurement, such as cell, task and metric"
        )
    for name in ("value", "weight"):
        if name in frame:
            frame[name] = pd.to_numeric(frame[name], errors="coerce")
    if frame["value"].isna().any():
        row = int(frame["value"].isna().to_numpy().argmax())
        raise ValueError(f"{path}: column 'value', row {row + 1} is no number; leave items without a result out")
    return frame


def _keys(rows: pd.DataFrame, items: pd.DataFrame, names: list[str]) -> tuple[Array, Array]:
    """One number a row and one an item, equal where they agree in all columns ``names``; negative for no such row."""
    left, right = np.zeros(len(rows)), np.zeros(len(items))
    for name in names:
        column = items[name].astype("category")
        known = column.cat.categories
        if pd.api.types.is_numeric_dtype(rows[name]):
            index, wanted = pd.Index(pd.to_numeric(known, errors="coerce")), rows[name]
        else:
            index, wanted = pd.Index(known.astype(str)), rows[name].astype(str)
        place = index.get_indexer(wanted)
        left, right = left * (len(known) + 1) + place, right * (len(known) + 1) + column.cat.codes.to_numpy()
        left[place < 0] = -np.inf
    return left, right
