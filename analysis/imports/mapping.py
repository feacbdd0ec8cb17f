"""Result tables of other tools as long tables: a wide or long file with a small mapping, lm-eval, or runs of W&B.

A mapping is YAML:

    columns: {ability: domain, value: score}     # column of the long table: column of the file
    constants: {metric: accuracy, task: gsm8k}   # columns with one value for all rows
    wide: {columns: '[0-9]+', to: samples}       # columns named by amounts (a regular expression): a row for each
    measures: {gsm8k_acc: {ability: math, task: gsm8k}, he: {ability: code, task: humaneval, scale: 0.01}}
                                                 # columns that each hold a measurement: a row for each
    scale: 0.01                                  # multiplies values, such as percentages
    drop: [run_name, 'system.*']                 # columns that are no factors

Runs of W&B are such tables, whether exported as .csv, read from the folders of offline runs, or from
``wandb:ENTITY/PROJECT``: one row per run, with the columns name, id, state, the keys of its config (nested keys joined
by dots) and those of its summary that the mapping names. Only finished runs are read.

For lm-eval results:

    tasks: {gsm8k: math, humaneval: code}        # task of lm-eval: ability
    metrics: {gsm8k: 'exact_match,strict-match'} # the metric, with or without its filter, where it is not the first

For all of them:

    models: {org/model: {samples: 7473, strategy: single}}   # further columns by the name of the model

Shares of which more is better are metric ``accuracy``. What a metric is otherwise follows from its name, or from the
columns ``kind``, ``better``, ``low`` and ``high`` (see analysis/data/metric.py), which constants can give too.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from analysis.data.table import COLUMNS, check, load
from analysis.format import counted
from analysis.imports.lm_eval import results
from analysis.imports.wandb_runs import ONLINE, offline, online, only_finished

KEYS = ("columns", "constants", "wide", "measures", "scale", "tasks", "metrics", "models", "drop")
DEFAULTS = {"task": "", "metric": "accuracy"}


@dataclass(frozen=True, eq=False)
class Imported:
    """A checked long table, and ``remarks`` on what of its source was left out."""

    table: pd.DataFrame
    remarks: tuple[str, ...]


def convert(source: str | Path, mapping: Path) -> Imported:
    """The long table made of ``source``.

    ``source`` is a .csv or .parquet file, an lm-eval results file or a folder of them, a folder of offline runs of W&B,
    or ``wandb:ENTITY/PROJECT``. Columns that the mapping does not name are kept as factors. Raises FileNotFoundError
    for a file that does not exist, ValueError for a mapping or a file that is not of the form above, and for a value
    that is not a number.
    """
    plan = read_mapping(mapping)
    frame, remarks = _rows(str(source), plan)
    for name, value in {**DEFAULTS, **plan.get("constants", {})}.items():
        if name not in frame or name in plan.get("constants", {}):
            frame[name] = value
    frame = _with_models(frame, plan.get("models", {}), source)
    frame["value"] = _numbers(frame["value"], source) * float(plan.get("scale", 1.0))
    empty = int(frame["value"].isna().sum())
    if empty:
        remarks.append(f"{counted(empty, 'row')} without a value left out")
    frame = frame[frame["value"].notna()]
    first = [c.name for c in COLUMNS if c.name in frame]
    frame = frame[first + [c for c in frame if c not in first]].reset_index(drop=True)
    return Imported(check(frame, str(source)), tuple(remarks))


def _rows(source: str, plan: Mapping[str, Any]) -> tuple[pd.DataFrame, list[str]]:
    """The rows of a source under the names of the long table, and remarks on what was left out."""
    path = Path(source)
    if source.startswith(ONLINE) or (path.is_dir() and next(path.rglob("*.wandb"), None)):
        runs = online(source) if source.startswith(ONLINE) else offline(path)
        finished, remarks = only_finished(runs.table, source)
        named = {*map(str, plan.get("columns", {}).values()), *map(str, plan.get("measures", {}))}
        return _table(finished.drop(columns=runs.unnamed(named)), plan, source), remarks
    if path.is_dir() or path.suffix == ".json":
        return results(path, plan.get("tasks", {}), plan.get("metrics", {}))
    finished, remarks = only_finished(load(path), source)
    return _table(finished, plan, source), remarks


def _numbers(column: pd.Series[Any], source: str | Path) -> pd.Series[float]:
    """The column as numbers, NaN where it is empty. Raises ValueError for the first entry that is something else."""
    numbers = pd.to_numeric(column, errors="coerce").astype(float)
    empty = column.isna() | (column.astype(str).str.strip() == "")
    bad = numbers.isna() & ~empty
    if bad.any():
        row = int(bad.to_numpy().argmax())
        raise ValueError(
            f"{source}: column {str(column.name)!r}, row {row + 1}: {column.iloc[row]!r} is not a number; "
            "write it as one, such as 52.4 (and percentages with scale: 0.01), or leave it empty"
        )
    return numbers


def _with_models(frame: pd.DataFrame, models: Mapping[str, Mapping[str, Any]], source: str | Path) -> pd.DataFrame:
    """The rows with the columns that the mapping gives by model."""
    if not models:
        return frame
    present = list(dict.fromkeys(frame["model"].astype(str))) if "model" in frame else []
    odd = [name for name in (*models, *present) if name not in models or name not in present]
    if odd:
        raise ValueError(
            f"{source}: models must name the rows' models ({', '.join(present)}) and no other; see {odd[0]!r}"
        )
    described = frame["model"].astype(str)  # one of the columns given may be the model's name itself
    for column in dict.fromkeys(name for columns in models.values() for name in columns):
        frame[column] = [models[model].get(column) for model in described]
    return frame


def read_mapping(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file. Raises ValueError for an unknown key or a file that is not a mapping."""
    if not path.exists():
        raise FileNotFoundError(f"there is no mapping {path}; write one with some of the keys {', '.join(KEYS)}")
    try:
        plan = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is not YAML: {error}") from error
    if not isinstance(plan, dict):
        raise ValueError(f"{path} must hold some of the keys {', '.join(KEYS)}, not {plan!r}")
    unknown = sorted(set(plan) - set(KEYS))
    if unknown:
        raise ValueError(f"{path}: key {unknown[0]!r} is unknown; known: {', '.join(KEYS)}")
    return plan


def _table(frame: pd.DataFrame, plan: Mapping[str, Any], source: str) -> pd.DataFrame:
    """A wide or long table with the names of the long table."""
    names = {str(theirs): str(name) for name, theirs in plan.get("columns", {}).items()}
    frame = _without_dropped(frame.rename(columns=str), plan.get("drop", []), source)
    absent = sorted(set(names) - set(frame.columns))
    if absent:
        raise ValueError(f"{source}: column {absent[0]!r} is absent; columns: {', '.join(frame.columns)}")
    wide = plan.get("wide")
    if wide:
        if set(wide) != {"columns", "to"}:
            raise ValueError(f"wide={wide!r} needs the two keys columns (a regular expression) and to (a column)")
        amounts = frame.columns[frame.columns.str.fullmatch(str(wide["columns"]))]
        if not len(amounts):
            raise ValueError(f"{source}: no column matches {wide['columns']!r}; columns: {', '.join(frame.columns)}")
        keep = [c for c in frame if c not in set(amounts)]
        frame = frame.melt(keep, list(amounts), str(wide["to"]), "value")
    frame = _row_per_measure(frame, plan["measures"], source) if "measures" in plan else frame
    frame = frame.rename(columns=names)
    for needed in ("ability", "value"):
        if needed not in frame and needed not in plan.get("constants", {}):
            raise ValueError(f"{source}: nothing gives {needed!r}; name its column under columns, or a constant")
    return frame


def _without_dropped(frame: pd.DataFrame, patterns: Sequence[str], source: str) -> pd.DataFrame:
    """The table without the columns that match one of the patterns (of a shell). Raises ValueError for one that none
    matches.
    """
    dropped: set[str] = set()
    for pattern in map(str, patterns):
        matches = fnmatch.filter(map(str, frame.columns), pattern)
        if not matches:
            raise ValueError(f"{source}: no column matches drop: {pattern}; columns: {', '.join(frame.columns)}")
        dropped.update(matches)
    return frame.drop(columns=sorted(dropped))


def _row_per_measure(frame: pd.DataFrame, measures: Mapping[str, Mapping[str, Any]], source: str) -> pd.DataFrame:
    """One row for each column that holds a measurement; the value is NaN where it is empty."""
    absent = [name for name in measures if name not in frame]
    if absent:
        raise ValueError(f"{source}: column {absent[0]!r} is absent; columns: {', '.join(frame.columns)}")
    rest = frame.drop(columns=list(measures))
    parts = []
    for name, columns in measures.items():
        value = _numbers(frame[name], source) * float(columns.get("scale", 1.0))
        parts.append(rest.assign(value=value, **{k: v for k, v in columns.items() if k != "scale"}))
    return pd.concat(parts, ignore_index=True)
