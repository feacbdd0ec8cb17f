"""Results of single items beside a long table, so that measurements can be compared item by item."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd

from analysis.arrays import Array
from analysis.data.apart import plain
from analysis.data.table import load

RESULTS = ("item", "value", "weight", "n_items", "stderr")
PARTS = ("ability", "task", "metric")
TOLERANCE = 1e-3  # by which the mean over items may differ from the table's value, which may be rounded


@dataclass(frozen=True, eq=False)
class Items:
    """One row per item of a measurement, in ``parts`` by ability, task and metric (as far as ``by`` names them).

    The columns are ``item``, ``value`` (a verdict of 0 or 1, a share of answers, a rating or a loss) and optionally
    ``weight``. Other columns that the long table has too say which of its rows the item belongs to. With ``clustered``
    an item is a cluster of those in the file, such as the questions about one text.
    """

    parts: Mapping[tuple[str, ...], pd.DataFrame]
    by: tuple[str, ...]
    clustered: bool = False

    @cached_property
    def columns(self) -> frozenset[str]:
        """The names of all columns."""
        return frozenset(str(name) for part in self.parts.values() for name in part)

    def renamed(self, names: Mapping[str, str]) -> Items:
        """The same items with other names for some columns."""
        parts = {key: part.rename(columns=dict(names)) for key, part in self.parts.items()}
        return Items(parts, self.by, self.clustered)

    def matrix(self, rows: pd.DataFrame) -> tuple[Array, Array] | None:
        """Values and weights, each of shape (rows, items), behind rows of one ability, task and metric.

        A row's values are NaN where the row has no items, shares them with another row, or is not their mean. None
        where no row has items, or all have fewer than two.
        """
        part = self.parts.get(tuple(plain(str(rows[name].iloc[0])) for name in self.by))
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

    def with_errors(self, rows: pd.DataFrame) -> pd.DataFrame:
        """Rows of one ability, task and metric with standard errors over clusters, where clusters are known.

        That of a ratio of means over clusters (Cochran 1977, Sampling Techniques, section 9.3): what items of one
        cluster have in common does not average out within it.
        """
        found = self.matrix(rows) if self.clustered else None
        if found is None:
            return rows
        value, weight = found
        known = ~np.isnan(value)
        total, count = np.where(known, weight, 0.0).sum(axis=1, keepdims=True), known.sum(axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            rate = np.nansum(weight * value, axis=1, keepdims=True) / total
            squares = np.nansum((weight * (value - rate) / total) ** 2, axis=1)
            error = np.where(count > 1, np.sqrt(squares * count / (count - 1)), np.nan)
        before = rows["stderr"].to_numpy(float) if "stderr" in rows else np.full(len(rows), np.nan)
        return rows.assign(stderr=np.where(np.isnan(error), before, error))


def read_items(*paths: Path) -> Items | None:
    """The items in ``paths`` (.csv, .csv.gz or .parquet); None without paths.

    Raises FileNotFoundError for a file that does not exist, ValueError for missing columns and values that are not
    numbers.
    """
    if not paths:
        return None
    frames = [_read(path) for path in paths]
    clustered = any("cluster" in frame for frame in frames)
    frame = pd.concat([_by_cluster(frame) if "cluster" in frame else frame for frame in frames], ignore_index=True)
    by = tuple(name for name in PARTS if name in frame)
    groups = frame.groupby(list(by), sort=False, observed=True)
    return Items({tuple(map(str, key)): part for key, part in groups}, by, clustered)


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


def _by_cluster(frame: pd.DataFrame) -> pd.DataFrame:
    """One row a cluster: its items' weighted mean, and their weight together. An item without a cluster is its own."""
    weight = frame["weight"] if "weight" in frame else pd.Series(1.0, index=frame.index)
    names = frame["cluster"].astype(object).where(frame["cluster"].notna(), frame["item"]).astype(str)
    rest = [c for c in frame if c not in (*RESULTS, "cluster")]
    frame = frame[rest].assign(item=names, value=weight * frame["value"], weight=weight)
    sums = frame.groupby([*rest, "item"], dropna=False, sort=False, observed=True).sum().reset_index()
    return sums.assign(value=sums["value"] / sums["weight"])


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
