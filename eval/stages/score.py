"""Stage score: verdicts on one set of answers, and the metrics over them. Torch is imported only for a local judge."""

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
from eval.spec.item_rows import FILE, item_id, item_rows
from eval.spec.judge import JudgeRun
from eval.spec.scores import ScoreSpec
from eval.stages import summary, viewer
from eval.stages.records import Records
from eval.tasks import FORMS, Benchmark


def run(spec: ScoreSpec, inputs: Mapping[str, Path], out: Path, execution: JudgeRun | None = None) -> None:
    """Write scores.jsonl (one record per answer, in their order), items.jsonl (`ItemRow`) and summary.json to ``out``.

    For people it writes `viewer.FILE`, everything about an answer in one row; not for task ``loss``.

    A killed run leaves its verdicts in ``out``, and the next run on the same answers continues from there. A judge is
    called as ``execution`` says; its replies are kept in ``execution.cache`` and written to judgments.jsonl. Raises
    ValueError when answers and items do not belong together or the judge cannot be used, RuntimeError when generated
    code cannot be contained or the judge keeps failing.
    """
    responses = read(inputs["answers"] / "responses.jsonl")
    if spec.task == "loss":
        scores, result = _loss_scores(responses, out)
    else:
        scores, result = _scores(spec, inputs, responses, out, execution)
    write_jsonl(out / FILE, map(asdict, item_rows(spec.task, scores)))
    write_json(out / "summary.json", summary.whole(spec.task, responses, result, inputs["answers"]))


def _loss_scores(responses: Sequence[Row], out: Path) -> tuple[list[Row], Row]:
    """Write and return each sample's mean loss per supervised token; and the metric over them, for the summary."""
    scores = [{**row, "mean": row["loss"] / row["tokens"] if row["tokens"] else None} for row in responses]
    write_jsonl(out / "scores.jsonl", scores)
    metric = ratio("loss", [row["loss"] for row in responses], [row["tokens"] for row in responses])
    return scores, {**summary.metrics_part(present(metric)), "sandbox": None}


def _scores(
    spec: ScoreSpec, inputs: Mapping[str, Path], responses: Sequence[Row], out: Path, execution: JudgeRun | None
) -> tuple[list[Row], Row]:
    """Write and return the verdict on every answer; and what the summary says about them."""
    task = FORMS[spec.form][spec.task]
    items = {item["id"]: item for item in task.items(locate(inputs["data"], spec.file), spec.reading)[: spec.items]}
    answered = {item_id(row) for row in responses}
    # A stale set of answers would otherwise be scored against other items without a sign.
    if set(items) != answered:
        unmatched = sorted(set(items) ^ answered)
        raise ValueError(
            f"answers and items of task {spec.task!r} differ in {len(unmatched)} ids, first {unmatched[0]!r}: "
            "answer again"
        )
    # Running programs can take long, so their verdicts survive a kill.
    with Records(out, "scores", _key(spec, inputs)) as records:
        if spec.judge is None:
            scorer = _add_verdicts(spec, task, items, responses, records)
        else:
            scorer = _add_ratings(spec, inputs, items, responses, records, out, execution)
        scores = records.finish([row["id"] for row in responses])
    write_jsonl(out / viewer.FILE, viewer.rows(task, items, responses, scores))
    flagged = {name: _flagged(folder) for name, folder in sorted(inputs.items()) if name.startswith("overlap.")}
    return scores, {**summary.of_scores(task, scores, responses, flagged, spec.majority), **scorer}


def _add_ratings(
    spec: ScoreSpec,
    inputs: Mapping[str, Path],
    items: Mapping[str, Row],
    responses: Sequence[Row],
    records: Records,
    out: Path,
    execution: JudgeRun | None,
) -> Row:
    """Record the judge's rating of each answer, and write its replies; return the judge's part of the summary."""
    if execution is None:
        raise ValueError(f"task={spec.task}: set suite.judge_client, which says how the judge is called")
    scores, replies, judge = grade.run(spec, inputs, items, responses, execution)
    write_jsonl(out / "judgments.jsonl", replies)
    records.add(scores)
    return {"sandbox": None, **judge}


def _add_verdicts(
    spec: ScoreSpec, task: Benchmark, items: Mapping[str, Row], responses: Sequence[Row], records: Records
) -> Row:
    """Record a verdict on each answer that has none yet; return the sandbox level for the summary (None: unused)."""
    assert task.score is not None  # tasks without it have a judge
    score, waiting = task.score, [row for row in responses if row["id"] not in records.records]

    def on_verdict(number: int, verdict: ProgramVerdict) -> None:
        row = waiting[number]
        item = items[item_id(row)] | {name: row[name] for name in ("likelihoods",) if name in row}
        fields = score(item, row["text"], verdict.status)
        ids: Row = {name: row[name] for name in ("id", "item") if name in row}
        records.add([{**ids, **fields, **_error_kind(verdict)}])

    if task.program is None:
        for number in range(len(waiting)):
            on_verdict(number, ProgramVerdict("", 0.0, 0, ""))
        return {"sandbox": None}
    programs = [task.program(items[item_id(row)], row["text"]) for row in waiting]
    limits = Limits(spec.seconds, spec.memory_mib << 20)
    _, level = run_all(programs, limits, unsafe=unsafe_allowed(), on_verdict=on_verdict)
    return {"sandbox": level.number, "sandbox_name": level.name}


def _key(spec: ScoreSpec, inputs: Mapping[str, Path]) -> str:
    """What the verdicts of an earlier run must have in common with this one to be continued.

    That is the spec, the answers, the items, the files a judge reads, and the machine, which contains the programs.
    """
    # The machine counts because a verdict may depend on its speed and on the sandbox level that it offers.
    total = hashlib.sha256(json.dumps([asdict(spec), platform.node()], sort_keys=True).encode())
    judge_files = [inputs[name] for name in ("references", "prompts") if name in inputs]
    for file in (inputs["answers"] / "responses.jsonl", locate(inputs["data"], spec.file), *judge_files):
        total.update(hashlib.sha256(file.read_bytes()).digest())
    return total.hexdigest()[:16]


def _flagged(folder: Path) -> set[str]:
    """The ids of the items that a training source contains, from the folder of an overlap."""
    return {row["id"] for row in read(folder / "items.jsonl") if row["flagged"]}


def _error_kind(verdict: ProgramVerdict) -> Row:
    """The kind of error that ended a program, without its message, which may differ from run to run."""
    return {"error": verdict.detail.partition(":")[0]} if verdict.detail else {}
