"""Results of single items beside a long table, so that measurements can be compared item by item."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.arrays import Array
from analysis.data.table import load

RESULTS = ("item", "value", "weight", "n_items", "stderr")
PARTS = ("ability", "task", "metric")
TOLERANCE = 1e-3  # by which the mean over items may differ from the table's value, which may be rounded


@dataclass(frozen=True, eq=False)
class Items:
    """One row per item of a measurement, in ``parts`` by ability, task and metric (as far as ``by`` names them).

    The columns are ``item``, ``value`` (a verdict of 0 or 1, a share of answers, a rating or a loss) and optionally
    ``weight``. Other columns that the long table has too say which of its rows the item belongs to.
    """

    parts: Mapping[tuple[str, ...], pd.DataFrame]
    by: tuple[str, ...]

    @cached_property
    def columns(self) -> frozenset[str]:
        """The names of all columns."""
        return frozenset(str(name) for part in self.parts.values() for name in part)

    def renamed(self, names: Mapping[str, str]) -> Items:
        """The same items with other names for some columns."""
        return Items({key: part.rename(columns=dict(names)) for key, part in self.parts.items()}, self.by)

    def matrix(self, rows: pd.DataFrame) -> tuple[Array, Array] | None:
        """Values and weights, each of shape (rows, items), behind rows of one ability, task and metric.

        A row's values are NaN where the row has no items, shares them with another row, or is not their mean. None
        where no row has items, or all have fewer than two.
        """
        part = self.parts.get(tuple(str(rows[name].iloc[0]) for name in self.by))
        if part is None:
            return None
        names = [c for c in part if c in rows and c not in (*RESULTS, *self.by)]
        left, right = _keys(rows, part, names)
        place = pd.Series(np.arange(len(rows)), index=left)
        place = place[~place.index.duplicated(keep=False)]
        row = place.reindex(right).to_numpy(float)
        matched = ~np.isnan(row)
        column, labels = pd.factorize(part["item"].to_numpy()[matched], sort=True)
        value, weight = (np.full((len(rows), len(labels)), np.nan) for _ in range(2))
        at = row[matched].astype(int), column
        value[at] = part["value"].to_numpy(float)[matched]
        weight[at] = part["weight"].to_numpy(float)[matched] if "weight" in part else 1.0
        with np.errstate(invalid="ignore"):
            mean = np.nansum(weight * value, axis=1) / np.nansum(weight, axis=1)
        differs = ~(np.abs(mean - rows["value"].to_numpy(float)) <= TOLERANCE * np.maximum(1.0, np.abs(mean)))
        value[differs] = np.nan
        return (value, weight) if len(labels) > 1 and not differs.all() else None


def read_items(*paths: Path) -> Items | None:
    """The items in ``paths`` (.csv, .csv.gz or .parquet); None without paths.

    Raises FileNotFoundError for a file that does not exist, ValueError for missing columns and values that are not
    numbers.
    """
    if not paths:
        return None
    frame = pd.concat([_read(path) for path in paths], ignore_index=True)
    by = tuple(name for name in PARTS if name in frame)
    groups = frame.groupby(list(by), sort=False, observed=True)
    return Items({tuple(map(str, key)): part for key, part in groups}, by)


def _read(path: Path) -> pd.DataFrame:
    frame = load(path)
    absent = [c for c in ("item", "value") if c not in frame]
    if absent or not any(c in frame for c in PARTS):
        raise ValueError(
            f"{path}: column {(absent or ['task'])[0]!r} is absent (columns: {', '.join(map(str, frame))}); "
            "items take item, value and the table's columns that name the measurement, such as cell, task and metric"
        )
    for name in ("value", "weight"):
        if name in frame:
            frame[name] = pd.to_numeric(frame[name], errors="coerce")
    if frame["value"].isna().any():
        row = int(frame["value"].isna().to_numpy().argmax())
        raise ValueError(f"{path}: column 'value', row {row + 1} is not a number; leave items without a result out")
    return frame


def _keys(rows: pd.DataFrame, items: pd.DataFrame, names: list[str]) -> tuple[Array, Array]:
    """A number for each row and each item, equal where they agree in all columns ``names``.

    Negative for rows that agree with no item.
    """
    left, right = np.zeros(len(rows)), np.zeros(len(items))
    for name in names:
        column = items[name].astype("category")
        categories = column.cat.categories
        if pd.api.types.is_numeric_dtype(rows[name]):
            index, wanted = pd.Index(pd.to_numeric(categories, errors="coerce")), rows[name]
        else:
            index, wanted = pd.Index(categories.astype(str)), rows[name].astype(str)
        place = index.get_indexer(wanted)
        left, right = left * (len(categories) + 1) + place, right * (len(categories) + 1) + column.cat.codes.to_numpy()
        left[(place < 0) & rows[name].notna().to_numpy()] = -np.inf  # a missing entry agrees with a missing one
    return left, right
