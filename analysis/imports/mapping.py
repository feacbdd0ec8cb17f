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

and for all of them

    models: {org/model: {samples: 7473, strategy: single}}   # what else is known of a model, by its name
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import yaml

from analysis.data.table import COLUMNS, check, load
from analysis.imports.lm_eval import results
from analysis.imports.wandb_runs import ONLINE, offline, online

KEYS = ("columns", "constants", "wide", "measures", "scale", "tasks", "metrics", "models")
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
    frame = _of_models(frame, plan.get("models", {}), source)
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
        return results(path, plan.get("tasks", {}), plan.get("metrics", {}))
    return _table(load(path), plan, source)


def _of_models(frame: pd.DataFrame, models: Mapping[str, Mapping[str, Any]], source: str | Path) -> pd.DataFrame:
    """The rows with the columns that the mapping gives by model."""
    if not models:
        return frame
    have = list(dict.fromkeys(frame["model"].astype(str))) if "model" in frame else []
    odd = [name for name in (*models, *have) if name not in models or name not in have]
    if odd:
        raise ValueError(f"{source}: models must name each of the rows' models ({', '.join(have)}); {odd[0]!r} differs")
    for column in dict.fromkeys(name for known in models.values() for name in known):
        frame[column] = [models[str(model)].get(column) for model in frame["model"]]
    return frame


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
