"""Result tables of others as long tables: a wide or long file with a small mapping, lm-eval results, or runs of W&B.

A mapping is YAML:

    columns: {ability: domain, value: score}     # our name: their column
    constants: {metric: accuracy, task: gsm8k}   # what all rows have in common
    wide: {columns: '[0-9]+', to: samples}       # columns whose names are amounts (a regular expression), one row each
    measures: {gsm8k_acc: {ability: math, task: gsm8k}, he: {ability: code, task: humaneval, scale: 0.01}}
                                                 # columns that each hold a measurement, one row each
    scale: 0.01                                  # what values are multiplied by, such as percentages

Runs of W&B are such tables, whether exported as .csv, read from the folders of offline runs, or from
``wandb:ENTITY/PROJECT``: one row a run, with the columns name, id, state, the keys of its config (nested ones joined by
dots) and of its summary.

and for lm-eval results

    tasks: {gsm8k: math, humaneval: code}        # their task: our ability
    metrics: {gsm8k: 'exact_match,strict-match'} # their metric, with or without its filter, where it is not the first
    constants: {samples: 7473, total_samples: 7473}
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from analysis.table import COLUMNS, check, load
from analysis.wandb_runs import ONLINE, offline, online

KEYS = ("columns", "constants", "wide", "measures", "scale", "tasks", "metrics")
DEFAULTS = {"task": "", "metric": "accuracy"}


def convert(source: str | Path, mapping: Path) -> pd.DataFrame:
    """The long table in ``source`` (.csv, .parquet, an lm-eval results file or a folder of them, a folder of offline
    runs of W&B, or ``wandb:ENTITY/PROJECT``), checked.

    Columns that the mapping does not name are kept as factors. Raises FileNotFoundError for an absent file, ValueError
    for a mapping or a file that is not of the form above.
    """
    plan = read_mapping(mapping)
    frame = _rows(str(source), plan)
    for name, value in {**DEFAULTS, **plan.get("constants", {})}.items():
        if name not in frame or name in plan.get("constants", {}):
            frame[name] = value
    frame["value"] = pd.to_numeric(frame["value"], errors="coerce") * float(plan.get("scale", 1.0))
    frame = frame[frame["value"].notna()]
    known = [c.name for c in COLUMNS if c.name in frame]
    return check(frame[known + [c for c in frame if c not in known]].reset_index(drop=True), str(source))


def _rows(source: str, plan: Mapping[str, Any]) -> pd.DataFrame:
    """The rows of a source under our names."""
    path = Path(source)
    if source.startswith(ONLINE):
        return _table(online(source), plan, source)
    if path.is_dir() and next(path.rglob("*.wandb"), None):
        return _table(offline(path), plan, source)
    if path.is_dir() or path.suffix == ".json":
        return _lm_eval(path, plan)
    return _table(load(path), plan, source)


def read_mapping(path: Path) -> dict[str, Any]:
    """The mapping in a YAML file. Raises ValueError for a key that is unknown or a file that is no mapping."""
    if not path.exists():
        raise FileNotFoundError(f"there is no mapping {path}; write one with some of the keys {', '.join(KEYS)}")
    try:
        plan = yaml.safe_load(path.read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"{path} is no YAML: {error}") from error
    if not isinstance(plan, dict):
        raise ValueError(f"{path} must hold some of the keys {', '.join(KEYS)}, not {plan!r}")
    unknown = sorted(set(plan) - set(KEYS))
    if unknown:
        raise ValueError(f"{path}: key {unknown[0]!r} is unknown; known: {', '.join(KEYS)}")
    return plan


def _table(frame: pd.DataFrame, plan: Mapping[str, Any], source: str) -> pd.DataFrame:
    """A wide or long table with our names."""
    names = {str(theirs): str(ours) for ours, theirs in plan.get("columns", {}).items()}
    frame = frame.rename(columns=str)
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
    frame = _measured(frame, plan["measures"], source) if "measures" in plan else frame
    frame = frame.rename(columns=names)
    for needed in ("ability", "value"):
        if needed not in frame and needed not in plan.get("constants", {}):
            raise ValueError(f"{source}: nothing gives {needed!r}; name its column under columns, or a constant")
    return frame


def _measured(frame: pd.DataFrame, measures: Mapping[str, Mapping[str, Any]], source: str) -> pd.DataFrame:
    """One row for each of the columns that hold a measurement; rows without one are absent."""
    absent = [name for name in measures if name not in frame]
    if absent:
        raise ValueError(f"{source}: column {absent[0]!r} is absent; columns: {', '.join(frame.columns)}")
    rest = frame.drop(columns=list(measures))
    parts = []
    for name, says in measures.items():
        value = pd.to_numeric(frame[name], errors="coerce") * float(says.get("scale", 1.0))
        parts.append(rest.assign(value=value, **{k: v for k, v in says.items() if k != "scale"}))
    return pd.concat(parts, ignore_index=True)


def _lm_eval(source: Path, plan: Mapping[str, Any]) -> pd.DataFrame:
    """One row a task of each results file."""
    files = sorted(source.rglob("results*.json")) if source.is_dir() else [source]
    if not files:
        raise ValueError(f"{source} holds no results*.json; give the output folder of lm-eval, or one of its files")
    tasks = {str(k): str(v) for k, v in plan.get("tasks", {}).items()}
    if not tasks:
        raise ValueError("lm-eval results need tasks in the mapping, such as tasks: {gsm8k: math}")
    rows = []
    for file in files:
        try:
            held = json.loads(file.read_text(encoding="utf-8"))
            results = held["results"]
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{file} is no lm-eval results file: it has no 'results'") from error
        for task, ability in tasks.items():
            if task in results:
                rows.append(_lm_eval_row(held, task, ability, plan.get("metrics", {}).get(task), file))
    if not rows:
        raise ValueError(f"{source}: none of the tasks {', '.join(tasks)} is in the results")
    return pd.DataFrame(rows)


def _lm_eval_row(held: Mapping[str, Any], task: str, ability: str, metric: str | None, file: Path) -> dict[str, Any]:
    """A task's headline number. lm-eval writes ``metric,filter`` and ``metric_stderr,filter``."""
    found = held["results"][task]
    numbers = {k: v for k, v in found.items() if isinstance(v, int | float) and "_stderr" not in k}
    numbers = {k: v for k, v in numbers.items() if "," in k} or numbers  # what has no filter counts, as sample_len does
    wanted = [k for k in numbers if metric in (None, k, k.partition(",")[0])]
    if not wanted:
        raise ValueError(f"{file}: task {task!r} has no metric {metric!r}; it has {', '.join(numbers)}")
    name, _, rule = wanted[0].partition(",")
    row = {"ability": ability, "task": task, "metric": "accuracy", "value": numbers[wanted[0]], "their_metric": name}
    error = held["results"][task].get(f"{name}_stderr,{rule}" if rule else f"{name}_stderr")
    if isinstance(error, int | float):
        row["stderr"] = error
    counts = held.get("n-samples", {}).get(task, {})
    if "effective" in counts:
        row["n_items"] = counts["effective"]
    row["model"] = str(held.get("model_name", file.parent.name))
    return row
