"""Results of lm-eval (0.4): ``results_DATE.json``, and ``samples_TASK_DATE.jsonl`` where samples were logged."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.data.metric import metric_named

ResultsFile = Mapping[str, Any]


@dataclass(frozen=True)
class TaskResult:
    """A task in a results file, and the metric and filter of its headline number, as lm-eval names them."""

    file: Path
    contents: ResultsFile
    task: str
    metric: str
    filter: str

    @property
    def numbers(self) -> Mapping[str, Any]:
        """All numbers of the task by name."""
        return dict(self.contents["results"][self.task])

    @property
    def labels(self) -> dict[str, str]:
        """The columns that say what was measured of which model.

        Shares of which more is better become ``accuracy``. Other metrics keep their name, and what lm-eval says about
        their direction where the name alone does not tell it.
        """
        metric = metric_named(self.metric)
        higher = self.contents.get("higher_is_better", {}).get(self.task, {}).get(self.metric)
        better = metric.better if higher is None else "higher" if higher else "lower"
        model = str(self.contents.get("model_name", self.file.parent.name))
        headline = metric.kind == "share" and better == "higher"
        labels = {"task": self.task, "metric": "accuracy" if headline else self.metric, "model": model}
        direction = {"better": better} if higher is not None and (metric.assumed or better != metric.better) else {}
        return labels | direction

    def number(self, name: str) -> Any:
        """The task's number of this name under the headline's filter; None where there is none."""
        return self.numbers.get(f"{name},{self.filter}" if self.filter else name)


def results(source: Path, tasks: Mapping[str, str], metrics: Mapping[str, str]) -> tuple[pd.DataFrame, list[str]]:
    """One row for each model and task of the results files in ``source``, a file or a folder; and remarks.

    ``tasks`` maps lm-eval's tasks to abilities. ``metrics`` maps them to the metric, with or without its filter, where
    that is not the first. Of several results of a model and task in one folder the newest counts, with a remark.
    Raises ValueError for files that are not results, for results of one model and task in several folders, and where
    no task or metric is found.
    """
    rows = []
    newest, remarks = _newest(source, tasks, metrics)
    for result in newest:
        row = {"ability": tasks[result.task], **result.labels, "value": result.number(result.metric)}
        error = result.number(f"{result.metric}_stderr")
        if isinstance(error, int | float):
            row["stderr"] = error
        if count := result.contents.get("n-samples", {}).get(result.task, {}).get("effective"):
            row["n_items"] = count
        rows.append({**row, "their_metric": result.metric})
    return pd.DataFrame(rows), remarks


def items(source: Path, tasks: Mapping[str, str], metrics: Mapping[str, str]) -> pd.DataFrame:
    """One row for each logged sample of the same results: ability, task, metric, model, item and value.

    Raises ValueError as `results`, and where no sample was logged.
    """
    rows = []
    for result in _newest(source, tasks, metrics)[0]:
        log = result.file.with_name(f"samples_{result.task}_{result.file.stem.partition('_')[2]}.jsonl")
        labels = {"ability": tasks[result.task], **result.labels}
        for line in log.read_text(encoding="utf-8").splitlines() if log.exists() else []:
            sample = json.loads(line)
            value = sample.get(result.metric)
            if sample.get("filter", result.filter) == result.filter and isinstance(value, int | float):
                rows.append({**labels, "item": str(sample["doc_id"]), "value": float(value)})
    if not rows:
        raise ValueError(f"{source} holds no logged samples of {', '.join(tasks)}; run lm-eval with --log_samples")
    return pd.DataFrame(rows)


def _newest(source: Path, tasks: Mapping[str, str], metrics: Mapping[str, str]) -> tuple[list[TaskResult], list[str]]:
    """The newest result of every model and task, and a remark on each that has older ones beside it.

    lm-eval puts the date into the name of the file, so the last name is the newest.
    """
    latest: dict[tuple[str, str], TaskResult] = {}
    older: dict[tuple[str, str], int] = {}
    for result in _results(source, tasks, metrics):
        key = (result.labels["model"], result.task)
        earlier = latest.get(key)
        if earlier is not None and earlier.file.parent != result.file.parent:
            raise ValueError(
                f"{earlier.file} and {result.file} both hold {result.task} of model {key[0]!r}; keep one of them, or "
                "import each folder on its own"
            )
        older[key] = older.get(key, -1) + 1
        latest[key] = result
    remarks = [
        f"{task} of {model}: {latest[model, task].file.name} is the newest of {count + 1} results and is used"
        for (model, task), count in older.items()
        if count
    ]
    return list(latest.values()), remarks


def _results(source: Path, tasks: Mapping[str, str], metrics: Mapping[str, str]) -> Iterator[TaskResult]:
    """The results of the mapped tasks in all files."""
    files = sorted(source.rglob("results*.json")) if source.is_dir() else [source]
    if not files:
        raise ValueError(f"{source} holds no results*.json; give the output folder of lm-eval, or one of its files")
    if not tasks:
        raise ValueError("lm-eval results need tasks in the mapping, such as tasks: {gsm8k: math}")
    count = 0
    for file in files:
        contents = _read(file)
        for task in (task for task in tasks if task in contents["results"]):
            count += 1
            metric, rule = _headline(contents["results"][task], metrics.get(task), f"{file}: task {task!r}")
            yield TaskResult(file, contents, task, metric, rule)
    if not count:
        raise ValueError(f"{source}: none of the tasks {', '.join(tasks)} is in the results")


def _read(file: Path) -> ResultsFile:
    try:
        contents = json.loads(file.read_text(encoding="utf-8"))
        dict(contents["results"])
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{file} is not an lm-eval results file: it has no 'results'") from error
    return dict(contents)


def _headline(numbers: Mapping[str, Any], metric: str | None, where: str) -> tuple[str, str]:
    """Metric and filter of a task's headline number, from keys such as ``exact_match,strict-match``."""
    named = [k for k, v in numbers.items() if isinstance(v, int | float) and "_stderr" not in k]
    # Keys without a filter are mostly counts, such as sample_len; they are metrics only where there are no others.
    named = [k for k in named if "," in k] or named
    wanted = [k for k in named if metric in (None, k, k.partition(",")[0])]
    if not wanted:
        raise ValueError(f"{where} has no metric {metric!r}; it has {', '.join(named)}")
    name, _, rule = wanted[0].partition(",")
    return name, rule
