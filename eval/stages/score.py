"""Stage score: verdicts on one set of answers. Imports nothing heavy: scoring needs no model."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from common.json_file import write_json
from common.rows import write_jsonl
from eval.items.jsonl import Row, locate, read
from eval.items.metrics import present, ratio
from eval.judge import grade
from eval.sandbox.client import unsafe_allowed
from eval.sandbox.pool import run_all
from eval.sandbox.programs import Limits, ProgramVerdict
from eval.spec import item_rows
from eval.spec.judge import JudgeRun
from eval.spec.scores import ScoreSpec
from eval.stages import summary
from eval.stages.records import Records
from eval.tasks import FORMS, Benchmark


def run(spec: ScoreSpec, inputs: Mapping[str, Path], out: Path, execution: JudgeRun | None = None) -> None:
    """Write scores.jsonl (one record an answer, in their order), items.jsonl (`ItemRow`) and summary.json into ``out``.

    A killed run leaves its verdicts in ``out``, and the next one on the same answers goes on from there. What a judge,
    asked as ``execution`` says, replies is kept in ``execution.cache`` and written to judgments.jsonl.
    """
    responses = read(inputs["answers"] / "responses.jsonl")
    scores, found = _losses(responses, out) if spec.task == "loss" else _judged(spec, inputs, responses, out, execution)
    write_jsonl(out / item_rows.FILE, map(asdict, item_rows.item_rows(spec.task, scores)))
    write_json(out / "summary.json", summary.whole(spec.task, responses, found, inputs["answers"]))


def _losses(responses: Sequence[Row], out: Path) -> tuple[list[Row], Row]:
    """Each sample's mean loss per supervised token, and the metric over all of them, clustered by sample."""
    scores = [{**row, "mean": row["loss"] / row["tokens"] if row["tokens"] else None} for row in responses]
    write_jsonl(out / "scores.jsonl", scores)
    metric = ratio("loss", [row["loss"] for row in responses], [row["tokens"] for row in responses])
    return scores, {**summary.written(present(metric)), "sandbox": None}


def _judged(
    spec: ScoreSpec, inputs: Mapping[str, Path], responses: Sequence[Row], out: Path, execution: JudgeRun | None
) -> tuple[list[Row], Row]:
    """The verdict on every answer text, and what the summary says of them."""
    task = FORMS[spec.form][spec.task]
    items = {item["id"]: item for item in task.items(locate(inputs["data"], spec.file), spec.reading)[: spec.items]}
    answered = {_item(row) for row in responses}
    if set(items) != answered:
        odd = sorted(set(items) ^ answered)
        raise ValueError(
            f"answers and items of task {spec.task!r} differ in {len(odd)} ids, first {odd[0]!r}: answer again"
        )
    with Records(out, "scores", _key(spec, inputs)) as records:
        if spec.judge is None:
            contained = _fill(spec, task, items, responses, records)
        else:
            contained = _graded(spec, inputs, items, responses, records, out, execution)
        scores = records.finish([row["id"] for row in responses])
    flagged = {name: _flagged(folder) for name, folder in sorted(inputs.items()) if name.startswith("overlap.")}
    return scores, {**summary.judged(task, scores, responses, flagged), **contained}


def _graded(
    spec: ScoreSpec,
    inputs: Mapping[str, Path],
    items: Mapping[str, Row],
    responses: Sequence[Row],
    records: Records,
    out: Path,
    execution: JudgeRun | None,
) -> Row:
    """Record how the judge rates each answer, and what it replied; who judged."""
    if execution is None:
        raise ValueError(f"task={spec.task}: say how the judge is asked (suite.judge_client)")
    scores, replies, judge = grade.run(spec, inputs, items, responses, execution)
    write_jsonl(out / "judgments.jsonl", replies)
    records.add(scores)
    return {"sandbox": None, **judge}


def _fill(
    spec: ScoreSpec, task: Benchmark, items: Mapping[str, Row], responses: Sequence[Row], records: Records
) -> Row:
    """Record the verdict on each answer that has none yet as it falls; what contained the programs, if any ran."""
    assert task.score is not None  # or a judge would score
    score, waiting = task.score, [row for row in responses if row["id"] not in records.records]

    def keep(place: int, verdict: ProgramVerdict) -> None:
        row = waiting[place]
        judged = score(items[_item(row)], row["text"], verdict.status)
        records.add([{**_name(row), **judged, **_detail(verdict)}])

    if task.program is None:
        for place in range(len(waiting)):
            keep(place, ProgramVerdict("", 0.0, 0, ""))
        return {"sandbox": None}
    programs = [task.program(items[_item(row)], row["text"]) for row in waiting]
    limits = Limits(spec.seconds, spec.memory_mib << 20)
    _, level = run_all(programs, limits, unsafe=unsafe_allowed(), on_verdict=keep)
    return {"sandbox": level.number, "sandbox_name": level.name}


def _key(spec: ScoreSpec, inputs: Mapping[str, Path]) -> str:
    """What verdicts left behind must rest on: answers, items, what a judge saw, the machine that contained programs."""
    found = hashlib.sha256(json.dumps([asdict(spec), platform.node()], sort_keys=True).encode())
    shown = [inputs[name] for name in ("references", "prompts") if name in inputs]
    for file in (inputs["answers"] / "responses.jsonl", locate(inputs["data"], spec.file), *shown):
        found.update(hashlib.sha256(file.read_bytes()).digest())
    return found.hexdigest()[:16]


def _flagged(folder: Path) -> set[str]:
    """The items that a training source holds."""
    return {row["id"] for row in read(folder / "items.jsonl") if row["flagged"]}


def _item(row: Row) -> str:
    """The id of the item that was answered; where each was answered once, that of the answer."""
    return str(row.get("item", row["id"]))


def _name(row: Row) -> Row:
    return {name: row[name] for name in ("id", "item") if name in row}


def _detail(verdict: ProgramVerdict) -> Row:
    """The kind of error a program died of; not its message, which may differ from run to run."""
    return {"error": verdict.detail.partition(":")[0]} if verdict.detail else {}
