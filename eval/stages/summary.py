"""The summary of a score: metrics with errors and intervals, rates of invalid answers, and warnings."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from eval.items.jsonl import Row
from eval.items.metrics import Metric, by_item, interval, majority, present, ratio, share
from eval.spec.item_rows import item_id
from eval.tasks import Benchmark

MAX_RATES = {
    "truncated_rate": 0.2,
    "empty_rate": 0.1,
    "parse_failure_rate": 0.2,
    "timeout_rate": 0.1,
    "no_room_rate": 0.0,
}
"""Rates of invalid answers above which a metric says little about the ability, and a longer answer or another format is
needed."""


def whole(task: str, responses: Sequence[Row], result: Row, answers: Path) -> Row:
    """The summary of a score: ``result`` with the numbers of items and answers, what answered, and warnings."""
    manifest = answers / "manifest.json"
    engine = json.loads(manifest.read_bytes()) if manifest.exists() else {}
    return {
        "task": task, "items": len({item_id(row) for row in responses}), "answers": len(responses), **result,
        **{name: engine[name] for name in ("engine", "precision", "versions") if name in engine},
        "warnings": warnings(result["metrics"]),
    }  # fmt: skip


def of_scores(
    task: Benchmark,
    scores: Sequence[Row],
    responses: Sequence[Row],
    flagged: Mapping[str, set[str]],
    majorities: Sequence[int] = (),
) -> Row:
    """The metrics of the scores, the rates of invalid answers, and the metrics on uncontaminated items.

    Each of ``majorities`` is a number of answers that vote. ``flagged`` holds the ids of the items that each training
    source contains, by the name of the input.
    """
    votes = present(*(majority(scores, k) for k in majorities))
    metrics = [*task.metrics(scores), *votes, *_invalid_rates(scores, responses), *_clean(task, scores, flagged)]
    result = metrics_part(metrics)
    # All scores of a task have the same fields, so the first one shows them.
    foreign = [name for name in next(iter(scores), {}) if name.startswith("lmeval_")]
    if foreign:  # apart from the metrics, because they follow another project's rules
        result["compatibility"] = {name: sum(row[name] for row in scores) / len(scores) for name in foreign}
    if flagged:
        items = {item_id(row) for row in scores}
        result["contaminated"] = {name.removeprefix("overlap."): len(ids & items) for name, ids in flagged.items()}
    return result


def metrics_part(metrics: Sequence[Metric]) -> Row:
    """``metrics``, and ``intervals``: their 95 % intervals by name."""
    intervals = {metric.metric: [round(bound, 6) for bound in interval(metric)] for metric in metrics}
    return {"metrics": [asdict(metric) for metric in metrics], "intervals": intervals}


def warnings(metrics: Sequence[Row]) -> list[Row]:
    """Each rate of invalid answers that is above its limit in `MAX_RATES`, with that limit."""
    values = {metric["metric"]: metric["value"] for metric in metrics}
    return [
        {"metric": name, "value": values[name], "limit": limit}
        for name, limit in MAX_RATES.items()
        if values.get(name, 0.0) > limit
    ]


def _invalid_rates(scores: Sequence[Row], responses: Sequence[Row]) -> list[Metric]:
    """The shares of answers that were cut off, are empty, hold nothing to judge, or whose prompt left no room."""
    parsed = [row for row in scores if "parsed" in row]
    full = _rate("no_room_rate", responses, lambda row: row["finish"] == "context")
    return present(
        _rate("truncated_rate", responses, lambda row: row["finish"] != "stop"),
        _rate("empty_rate", responses, lambda row: not row["text"].strip()),
        _rate("parse_failure_rate", parsed, lambda row: not row["parsed"]),
        full if full and full.value else None,
    )


def _rate(name: str, rows: Sequence[Row], invalid: Callable[[Row], bool]) -> Metric | None:
    """The share of invalid rows; where an item has several, with a standard error clustered by item."""
    groups = by_item([{"item": item_id(row), "invalid": invalid(row)} for row in rows])
    counts = [sum(row["invalid"] for row in group) for group in groups]
    # Single answers: the binomial error, so that the interval is Wilson's.
    if len(groups) == len(rows):
        return share(name, [bool(count) for count in counts])
    return ratio(name, counts, [len(group) for group in groups])


def _clean(task: Benchmark, scores: Sequence[Row], flagged: Mapping[str, set[str]]) -> list[Metric]:
    """The headline metric on the items that no training source contains, and the share of the other items."""
    if not flagged:
        return []
    contaminated = set().union(*flagged.values())
    items = {item_id(row) for row in scores}
    clean = [row for row in scores if item_id(row) not in contaminated]
    headline = [
        replace(metric, metric="accuracy_clean") for metric in task.metrics(clean) if metric.metric == "accuracy"
    ]
    return [*headline, *present(share("contaminated_rate", [item in contaminated for item in items]))]
