"""The long table: one row per measurement. Its columns, and how a file is checked."""

from __future__ import annotations

import difflib
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from analysis.data.metric import KINDS, WAYS, Metric, metrics_of
from analysis.data.table_file import read_csv


@dataclass(frozen=True)
class Column:
    """A column of the long table.

    ``meaning`` is what its entries are, with their unit; ``low`` bounds its numbers, ``words`` are the texts allowed.
    """

    name: str
    kind: str  # "text" or "number"
    meaning: str
    required: bool = False
    low: float | None = None
    words: tuple[str, ...] = ()


COLUMNS = (
    Column("ability", "text", "what was measured, for example math", required=True),
    Column("task", "text", "the test set, for example gsm8k", required=True),
    Column("metric", "text", "for example accuracy or loss", required=True),
    Column(
        "value", "number", "the measurement: a share from 0 to 1, a rating, a loss, or another number", required=True
    ),
    Column("n_items", "number", "number of test items behind the value", low=1),
    Column("stderr", "number", "standard error of the value over items", low=0),
    Column("seed", "text", "random seed of the run"),
    Column("base_seed", "text", "random seed of the base model that the run started from"),
    Column("params", "number", "parameters of the model", low=1),
    Column("model", "text", "name of the model"),
    Column("strategy", "text", "how the stages were arranged; base: not trained"),
    Column("sweep", "text", "name of the sweep"),
    Column("cell", "text", "name of the cell: what the sweep varied, as key=value,key=value"),
    Column(
        "after_stage",
        "number",
        "training stages behind the model measured; 0: not trained, 0.25: a quarter of one",
        low=0,
    ),
    Column("last_stage", "number", "number of the last training stage of the row's cell", low=0),
    Column("settings", "text", "what the sweep set for all its cells, as words key=value"),
    Column("overrides", "text", "what runs the cell again: a JSON list of texts key=value"),
    Column("samples", "number", "training samples of the ability that the row measures", low=0),
    Column("total_samples", "number", "training samples of all abilities", low=0),
    Column("fraction", "number", "share of the full data", low=0),
    Column("fraction_text", "text", "the fraction as it was written, for example 1/256"),
    Column("replay", "number", "share of specialised data repeated in the second stage", low=0),
    Column("kind", "text", "what the metric is (see analysis/data/metric.py)", words=KINDS),
    Column("better", "text", "which values of the metric are better", words=WAYS),
    Column("low", "number", "the lowest value that a rating can take"),
    Column("high", "number", "the highest value that a rating can take"),
    Column("machine", "text", "where the cell was trained and measured: processor or GPU, instruction set, torch"),
    Column("hours", "number", "hours on one device that the stages of this cell alone take", low=0),
)
NO_FACTORS = (
    *("ability", "task", "metric", "kind", "better", "low", "high", "value", "n_items", "stderr"),
    *("seed", "base_seed", "sweep", "cell", "after_stage", "last_stage", "settings", "overrides", "fraction_text"),
    "machine",
)
"""Columns that say what was measured and in which run, not how the model was trained."""
LABELS = ("sweep", "cell", "settings", "overrides", "fraction", "fraction_text", "hours")
"""Columns in which two sweeps that share a cell may differ."""
CONSEQUENCES = ("tokens", "supervised_tokens", "steps", "flops", "hours", "presentations")
"""Columns that follow from the factors, and may vary with the seed."""


NEAR = 0.9
"""Similarity of names (`difflib`) from which on one counts as a misspelling: `sample` is, `sampler` is not."""

RENAMED = {"train_samples": "samples"}
RENAMED_IN_SWEEPS = {**RENAMED, "arm": "ratio_arm"}
"""Columns that other versions call otherwise, and their name here; the second in tables that a sweep has written."""


def factors_of(table: pd.DataFrame) -> list[str]:
    """The columns that say how a model was trained."""
    return [str(c) for c in table if c not in (*NO_FACTORS, *CONSEQUENCES)]


def chance(rows: pd.DataFrame) -> pd.Series[str]:
    """What tells runs of one design apart: the seed of the base model where there are several, else the run's own.

    Runs from one base have its peculiarities in common, so with several bases a base is the unit of chance, and its
    runs together are one measurement.
    """
    seed = rows["seed"] if "seed" in rows else pd.Series("", index=rows.index)
    return rows["base_seed"].where(rows["base_seed"] != "", seed) if several_bases(rows) else seed


def several_bases(rows: pd.DataFrame) -> bool:
    """Whether the rows come from base models with different seeds."""
    return "base_seed" in rows and rows.loc[rows["base_seed"] != "", "base_seed"].nunique() > 1


def finished(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of models whose training was measured at its end: all but those after an earlier stage of a strategy.

    Raises ValueError where there are none, as in the table of a sweep that is still running.
    """
    if not {"after_stage", "last_stage"} <= set(table):
        return table
    rows = table[~(table["after_stage"] < table["last_stage"])].reset_index(drop=True)
    if not len(rows):
        raise ValueError("every row is about an earlier stage of its strategy; run the sweep to its end")
    return rows


def load(path: Path) -> pd.DataFrame:
    """The table in ``path`` (.csv, .csv.gz or .parquet), unchecked.

    Raises FileNotFoundError for a file that does not exist, and ValueError for one that is no table.
    """
    if not path.exists():
        raise FileNotFoundError(f"there is no table {path}; give table=FILE.csv or table=FILE.parquet")
    suffix = Path(path.name.lower().removesuffix(".gz")).suffix
    if suffix not in (".csv", ".parquet"):
        raise ValueError(f"table {path} ends in {suffix!r}; save it as .csv or .parquet")
    try:
        return read_csv(path) if suffix == ".csv" else pd.read_parquet(path)
    except (ValueError, OSError) as error:
        raise ValueError(f"table {path} cannot be read as {suffix[1:]}: {error}; write it again") from error


def check(frame: pd.DataFrame, source: str) -> pd.DataFrame:
    """The table with the columns of `COLUMNS` as floats and texts.

    Other columns become floats where all their entries are numbers or fractions such as 1/64. ``source`` names the
    table in errors. Raises ValueError at the first problem, naming column, row (from 1, without the header), value and
    remedy.
    """
    renamed = RENAMED_IN_SWEEPS if "settings" in frame else RENAMED
    frame = frame.rename(columns={old: new for old, new in renamed.items() if new not in frame})
    absent = [c.name for c in COLUMNS if c.required and c.name not in frame]
    if absent:
        have = ", ".join(map(str, frame.columns))
        raise ValueError(
            f"{source}: column {absent[0]!r} is absent (columns: {have}); add it, or rename the column that holds it"
        )
    if not len(frame):
        raise ValueError(f"{source}: the table has no rows; {_how_to_fill(frame, Path(source))}")
    _check_names(frame, source)
    checked = frame.copy()
    for column in COLUMNS:
        if column.name in checked:
            checked[column.name] = (
                _number(checked, column, source) if column.kind == "number" else _text(checked, column, source)
            )
    _check_case(checked, source)
    _check_metrics(checked, source)
    names = {column.name for column in COLUMNS}
    for name in [str(c) for c in checked if c not in names]:
        numbers = _parsed(checked[name])
        if not (numbers.isna() & checked[name].notna()).any():
            checked[name] = numbers
    return checked


def binomial_rows(frame: pd.DataFrame) -> NDArray[np.bool_]:
    """Which rows (of shares) have the standard error of items that are each right or wrong: the binomial one.

    Rows without a standard error or number of items count as such.
    """
    if not {"stderr", "n_items"} <= set(frame):
        return np.ones(len(frame), dtype=bool)
    value, items, error = (frame[name].to_numpy(float) for name in ("value", "n_items", "stderr"))
    binomial = value * (1 - value)
    room = 0.02 * np.maximum(binomial, 1 / items)
    low, high = binomial - room, binomial * items / np.maximum(items - 1, 1) + room  # tools divide by n or by n - 1
    close = (error**2 * items >= low) & (error**2 * items <= high)
    return np.asarray(np.isnan(error) | np.isnan(items) | close)


def _parsed(raw: pd.Series[str]) -> pd.Series[float]:
    """Numbers, also those written as fractions such as 1/64; NaN for anything else."""
    numbers = pd.to_numeric(raw, errors="coerce").astype(float)
    rest = numbers.isna() & raw.notna()
    if rest.any():
        parts = raw[rest].astype(str).str.extract(r"^\s*(\d+)\s*/\s*([1-9]\d*)\s*$").astype(float)
        numbers = numbers.mask(rest, parts[0] / parts[1])
    return numbers


def _number(frame: pd.DataFrame, column: Column, source: str) -> pd.Series[float]:
    """The column as numbers; ValueError for one that cannot be."""
    raw = frame[column.name]
    numbers = _parsed(raw)
    refuse = partial(_refuse, frame, column.name, source)
    refuse(numbers.isna() & raw.notna(), "is not a number; write one, such as 0.25 or 1/4")
    refuse(numbers.isin([np.inf, -np.inf]), "is infinite; leave the row out")
    if column.required:
        refuse(numbers.isna(), "is empty; leave such rows out, as nothing was measured")
    if column.low is not None:
        refuse(numbers < column.low, f"is below {column.low:g}; {column.name} means: {column.meaning}")
    return numbers


def _text(frame: pd.DataFrame, column: Column, source: str) -> pd.Series[str]:
    """The column as texts, "" for missing ones; ValueError for one that is required or not among the words allowed."""
    raw = frame[column.name]
    refuse = partial(_refuse, frame, column.name, source)
    if column.required:
        refuse(raw.isna(), f"is missing; {column.name} means: {column.meaning}")
    if column.words:
        unknown = raw.notna() & ~raw.isin(["", *column.words])
        refuse(unknown, f"is not one of {', '.join(column.words)}; {column.name} means: {column.meaning}")
    if pd.api.types.is_float_dtype(raw):  # whole numbers, such as seeds, of which some are missing
        raw = raw.map("{:g}".format, na_action="ignore")
    return raw.astype(object).where(raw.isna(), raw.astype(str)).fillna("").astype(str).str.strip()


def _check_names(frame: pd.DataFrame, source: str) -> None:
    """Raise ValueError for a column that is nearly called as one of `COLUMNS` that the table lacks."""
    lacking = [column.name for column in COLUMNS if column.name not in frame]
    for name in map(str, frame.columns):
        if name in (column.name for column in COLUMNS):
            continue
        plain = name.strip().lower()
        same = [known for known in lacking if plain.rstrip("s") == known.rstrip("s")]
        if match := same or difflib.get_close_matches(plain, lacking, n=1, cutoff=NEAR):
            raise ValueError(
                f"{source}: column {name!r} is unknown; did you mean {match[0]!r}? Rename it, or call a factor of your "
                "own something else"
            )


def _check_case(frame: pd.DataFrame, source: str) -> None:
    """Raise ValueError for two names in one column that differ in upper and lower case alone."""
    for name in (name for name in ("ability", "task", "metric", "model", "strategy") if name in frame):
        first: dict[str, str] = {}
        for value in frame[name].unique():
            other = first.setdefault(value.lower(), value)
            _refuse(
                frame, name, source, (frame[name] == value) & (value != other),
                f"and {other!r} differ in upper and lower case alone; write both alike",
            )  # fmt: skip


def _check_metrics(frame: pd.DataFrame, source: str) -> None:
    """Raise ValueError for the first value outside the range of its share or rating."""
    try:
        metrics = metrics_of(frame)
    except ValueError as error:
        raise ValueError(f"{source}: {error}") from error
    for metric in metrics.values():
        if metric.bounded:
            outside = (frame["metric"] == metric.name) & ~frame["value"].between(metric.low, metric.high)
            _refuse(frame, "value", source, outside, _outside(metric))


def _outside(metric: Metric) -> str:
    if metric.kind == "rating":
        return (
            f"is outside {metric.low:g} to {metric.high:g}, the range of the rating {metric.name!r}; "
            "declare its range in columns low and high, or what else it is in a column kind"
        )
    return (
        f"is not a share from 0 to 1, as metric {metric.name!r} is; divide percentages by 100, "
        "or declare what it is in a column kind"
    )


def _refuse(frame: pd.DataFrame, name: str, source: str, bad: pd.Series[bool], problem: str) -> None:
    """Raise ValueError for the rows marked in ``bad``: the first one and the number of others."""
    if bad.any():
        row, others = int(bad.to_numpy().argmax()), int(bad.sum()) - 1
        value = frame[name].iloc[row]
        shown = value.item() if isinstance(value, np.generic) else value
        place = f"row {row + 1}{f' (and {others} more)' if others else ''}"
        what = "" if pd.isna(value) else f": {shown!r}"
        raise ValueError(f"{source}: column {name!r}, {place}{what} {problem}")


def _how_to_fill(frame: pd.DataFrame, path: Path) -> str:
    """What helps where a table has no rows."""
    if not {"settings", "overrides"} <= set(frame):
        return "add one row per measurement"
    where = f"name={path.parent.name} store={path.parents[2] if len(path.parents) > 2 else 'STORE'}"
    return f"none of the sweep's cells has a score yet; python -m sweep ls {where} says what they wait for"
