"""Stage score: verdicts on one set of answers. Imports nothing heavy: scoring needs no model."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from eval.metrics import Metric, interval, present, ratio, share
from eval.rows import Row, locate, read, write, write_json
from eval.sandbox.client import Limits, Verdict
from eval.sandbox.pool import verdicts as run_all
from eval.spec import ScoreSpec
from eval.tasks import FORMS, Task

ALLOW_UNSAFE = "DOSAGE_UNSAFE_CODE"  # the environment variable that lets generated code run where nothing contains it


def run(spec: ScoreSpec, inputs: Mapping[str, Path], out: Path) -> None:
    """Write scores.jsonl (one record an item) and summary.json (metrics and sandbox) into ``out``."""
    responses = read(inputs["answers"] / "responses.jsonl")
    summary = _losses(responses, out) if spec.task == "loss" else _verdicts(spec, inputs, responses, out)
    write_json(out / "summary.json", {"task": spec.task, "items": len(responses), **summary})


def _losses(responses: Sequence[Row], out: Path) -> Row:
    """The mean loss per supervised token, clustered by sample."""
    write(
        out / "scores.jsonl",
        ({**row, "mean": row["loss"] / row["tokens"] if row["tokens"] else None} for row in responses),
    )
    metric = ratio("loss", [row["loss"] for row in responses], [row["tokens"] for row in responses])
    return {**_written(present(metric)), "sandbox": None}


def _verdicts(spec: ScoreSpec, inputs: Mapping[str, Path], responses: Sequence[Row], out: Path) -> Row:
    """Judge every answer text, in the order of the answers."""
    task = FORMS[spec.form][spec.task]
    items = {item["id"]: item for item in task.items(locate(inputs["data"], spec.file), spec.reading)[: spec.items]}
    answered = {_item(row) for row in responses}
    if set(items) != answered:
        odd = sorted(set(items) ^ answered)
        raise ValueError(
            f"answers and items of task {spec.task!r} differ in {len(odd)} ids, first {odd[0]!r}: answer again"
        )
    verdicts, contained = _executed(spec, task, items, responses)
    scores = [
        {**_name(row), **task.score(items[_item(row)], row["text"], verdict.status), **_detail(verdict)}
        for row, verdict in zip(responses, verdicts, strict=True)
    ]
    write(out / "scores.jsonl", scores)
    metrics = [*task.metrics(scores), *_rates(responses)]
    foreign = [name for name in next(iter(scores), {}) if name.startswith("lmeval_")]
    if foreign:  # beside the metrics: they are another project's rules, not measurements of ours
        contained["compatibility"] = {name: sum(row[name] for row in scores) / len(scores) for name in foreign}
    unsupported = sum(row["correct"] is None for row in scores)
    return {**_written(metrics), **contained, **({"unsupported": unsupported} if unsupported else {})}


def _executed(
    spec: ScoreSpec, task: Task, items: Mapping[str, Row], responses: Sequence[Row]
) -> tuple[list[Verdict], Row]:
    """How the program of each answer ended, and what contained it; empty verdicts for tasks that run nothing."""
    if task.program is None:
        return [Verdict("", 0.0, 0, "")] * len(responses), {"sandbox": None}
    programs = [task.program(items[_item(row)], row["text"]) for row in responses]
    limits = Limits(spec.seconds, spec.memory_mib << 20)
    found, level = run_all(programs, limits, unsafe=os.environ.get(ALLOW_UNSAFE) == "1")
    return found, {"sandbox": level.number, "sandbox_name": level.name}


def _item(row: Row) -> str:
    """The id of the item that was answered; where each was answered once, that of the answer."""
    return str(row.get("item", row["id"]))


def _name(row: Row) -> Row:
    return {name: row[name] for name in ("id", "item") if name in row}


def _detail(verdict: Verdict) -> Row:
    """The kind of error a program died of; not its message, which may differ from run to run."""
    return {"error": verdict.detail.partition(":")[0]} if verdict.detail else {}


def _rates(responses: Sequence[Row]) -> list[Metric]:
    return present(
        share("truncated_rate", [row["finish"] == "length" for row in responses]),
        share("empty_rate", [not row["text"].strip() for row in responses]),
    )


def _written(metrics: Sequence[Metric]) -> Row:
    """The metrics, and by their names the 95 % intervals."""
    intervals = {metric.metric: [round(bound, 6) for bound in interval(metric)] for metric in metrics}
    return {"metrics": [asdict(metric) for metric in metrics], "intervals": intervals}
