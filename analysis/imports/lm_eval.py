"""Results of lm-eval (0.4): ``results_DATE.json``, and ``samples_TASK_DATE.jsonl`` where samples were logged."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

Held = Mapping[str, Any]


def results(source: Path, tasks: Mapping[str, str], metrics: Mapping[str, str]) -> pd.DataFrame:
    """One row a task of each results file in ``source``, a file or a folder.

    ``tasks`` maps their tasks to our abilities, ``metrics`` to their metrics, with or without the filter, where that is
    not the first. Raises ValueError for files that are no results, and where no task or metric is found.
    """
    rows = []
    for file, held, task, name, rule in _found(source, tasks, metrics):
        found = held["results"][task]
        row = {"ability": tasks[task], "task": task, "metric": "accuracy", "value": found[_joined(name, rule)]}
        error = found.get(_joined(f"{name}_stderr", rule))
        known = {"stderr": error} if isinstance(error, int | float) else {}
        count = held.get("n-samples", {}).get(task, {}).get("effective")
        known |= {"n_items": count} if count else {}
        rows.append(row | known | {"their_metric": name, "model": _model(held, file)})
    return pd.DataFrame(rows)


def items(source: Path, tasks: Mapping[str, str], metrics: Mapping[str, str]) -> pd.DataFrame:
    """One row a logged sample of the same results: ability, task, metric, model, item and value.

    Raises ValueError as `results`, and where no sample was logged.
    """
    rows = []
    for file, held, task, name, rule in _found(source, tasks, metrics):
        logged = file.with_name(f"samples_{task}_{file.stem.partition('_')[2]}.jsonl")
        whose = {"ability": tasks[task], "task": task, "metric": "accuracy", "model": _model(held, file)}
        for line in logged.read_text(encoding="utf-8").splitlines() if logged.exists() else []:
            sample = json.loads(line)
            if sample.get("filter", rule) == rule and isinstance(sample.get(name), int | float):
                rows.append({**whose, "item": str(sample["doc_id"]), "value": float(sample[name])})
    if not rows:
        raise ValueError(f"{source} holds no logged samples of {', '.join(tasks)}; run lm-eval with --log_samples")
    return pd.DataFrame(rows)


def _found(
    source: Path, tasks: Mapping[str, str], metrics: Mapping[str, str]
) -> Iterator[tuple[Path, Held, str, str, str]]:
    """Each file with what it holds, a task, and the metric and filter of its headline number."""
    files = sorted(source.rglob("results*.json")) if source.is_dir() else [source]
    if not files:
        raise ValueError(f"{source} holds no results*.json; give the output folder of lm-eval, or one of its files")
    if not tasks:
        raise ValueError("lm-eval results need tasks in the mapping, such as tasks: {gsm8k: math}")
    count = 0
    for file in files:
        held = _held(file)
        for task in (task for task in tasks if task in held["results"]):
            count += 1
            yield file, held, task, *_headline(held["results"][task], metrics.get(task), f"{file}: task {task!r}")
    if not count:
        raise ValueError(f"{source}: none of the tasks {', '.join(tasks)} is in the results")


def _held(file: Path) -> Held:
    try:
        held = json.loads(file.read_text(encoding="utf-8"))
        dict(held["results"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{file} is no lm-eval results file: it has no 'results'") from error
    return dict(held)


def _headline(found: Mapping[str, Any], metric: str | None, where: str) -> tuple[str, str]:
    """The metric and filter of a task's number, which lm-eval writes as ``metric,filter``."""
    numbers = {k: v for k, v in found.items() if isinstance(v, int | float) and "_stderr" not in k}
    numbers = {k: v for k, v in numbers.items() if "," in k} or numbers  # what has no filter counts, as sample_len does
    wanted = [k for k in numbers if metric in (None, k, k.partition(",")[0])]
    if not wanted:
        raise ValueError(f"{where} has no metric {metric!r}; it has {', '.join(numbers)}")
    name, _, rule = wanted[0].partition(",")
    return name, rule


def _joined(name: str, rule: str) -> str:
    return f"{name},{rule}" if rule else name


def _model(held: Held, file: Path) -> str:
    return str(held.get("model_name", file.parent.name))
