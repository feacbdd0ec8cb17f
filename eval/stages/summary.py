"""What is said of a set of scores: metrics with their errors and intervals, shares of odd answers, and warnings."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from eval.items.jsonl import Row
from eval.items.metrics import Metric, by_item, interval, present, ratio, share
from eval.tasks import Benchmark

ALARMS = {"truncated_rate": 0.2, "empty_rate": 0.1, "parse_failure_rate": 0.2, "timeout_rate": 0.1}
"""Shares of answers above which a number says little about the ability: more room, or another format, is needed."""


def whole(task: str, responses: Sequence[Row], found: Row, answers: Path) -> Row:
    """The summary of a score: ``found`` with the numbers of items and answers, who answered, and warnings."""
    manifest = answers / "manifest.json"
    engine = json.loads(manifest.read_bytes()) if manifest.exists() else {}
    items = {row.get("item", row["id"]) for row in responses}
    return {
        "task": task, "items": len(items), "answers": len(responses), **found,
        **{name: engine[name] for name in ("engine", "precision", "versions") if name in engine},
        "warnings": warnings(found["metrics"]),
    }  # fmt: skip


def judged(task: Benchmark, scores: Sequence[Row], responses: Sequence[Row], flagged: Mapping[str, set[str]]) -> Row:
    """Metrics of the scores, of odd answers, and of the items that no training source holds; counts by source."""
    metrics = [*task.metrics(scores), *_odd(scores, responses), *_clean(task, scores, flagged)]
    found = written(metrics)
    foreign = [name for name in next(iter(scores), {}) if name.startswith("lmeval_")]
    if foreign:  # beside the metrics: they are another project's rules, not measurements of ours
        found["compatibility"] = {name: sum(row[name] for row in scores) / len(scores) for name in foreign}
    if flagged:
        items = {str(row.get("item", row["id"])) for row in scores}
        found["contaminated"] = {name.removeprefix("overlap."): len(ids & items) for name, ids in flagged.items()}
    return found


def written(metrics: Sequence[Metric]) -> Row:
    """The metrics, and by their names the 95 % intervals."""
    intervals = {metric.metric: [round(bound, 6) for bound in interval(metric)] for metric in metrics}
    return {"metrics": [asdict(metric) for metric in metrics], "intervals": intervals}


def warnings(metrics: Sequence[Row]) -> list[Row]:
    """Each share of odd answers that is too large to trust the rest, with its limit."""
    found = {metric["metric"]: metric["value"] for metric in metrics}
    return [
        {"metric": name, "value": found[name], "limit": limit}
        for name, limit in ALARMS.items()
        if found.get(name, 0.0) > limit
    ]


def _odd(scores: Sequence[Row], responses: Sequence[Row]) -> list[Metric]:
    """Shares of answers that were cut off, are empty, or hold nothing that could be judged."""
    judged = [row for row in scores if "parsed" in row]
    return present(
        _rate("truncated_rate", responses, lambda row: row["finish"] == "length"),
        _rate("empty_rate", responses, lambda row: not row["text"].strip()),
        _rate("parse_failure_rate", judged, lambda row: not row["parsed"]),
    )


def _rate(name: str, rows: Sequence[Row], odd: Callable[[Row], bool]) -> Metric | None:
    """The share of odd rows among all; where an item has several, clustered by item."""
    groups = by_item([{"item": row.get("item", row["id"]), "odd": odd(row)} for row in rows])
    counts = [sum(row["odd"] for row in group) for group in groups]
    if len(groups) == len(rows):
        return share(name, [bool(count) for count in counts])
    return ratio(name, counts, [len(group) for group in groups])


def _clean(task: Benchmark, scores: Sequence[Row], flagged: Mapping[str, set[str]]) -> list[Metric]:
    """The headline number on the items that no training source holds, and the share of the others."""
    if not flagged:
        return []
    held = set().union(*flagged.values())
    items = {str(row.get("item", row["id"])) for row in scores}
    clean = [row for row in scores if row.get("item", row["id"]) not in held]
    headline = [
        replace(metric, metric="accuracy_clean") for metric in task.metrics(clean) if metric.metric == "accuracy"
    ]
    return [*headline, *present(share("contaminated_rate", [item in held for item in items]))]
