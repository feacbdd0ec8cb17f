"""Evaluate one model without a sweep: any Hugging Face folder, any suite, answers kept for the next time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from eval import score
from eval.rows import write_json
from eval.run_code import unsafe_allowed
from eval.sandbox.client import Limits, Sandbox
from eval.spec import AnswerSpec, Decoding, EvalRun, Reading, ScoreSpec, Suite, Task
from eval.suite import load
from eval.tasks import TASKS as KINDS

CHUNK = 1 << 22


@dataclass(frozen=True)
class Evaluate:
    """``model``: a folder, or a hub id with its ``revision``. The rest narrows the suite or says where things lie."""

    model: str
    suite: str = "open"
    revision: str | None = None
    out: str | None = None
    tasks: str | None = None
    items: int | None = None
    precision: str | None = None
    batch_rows: int | None = None
    system: str = ""
    seed: int = 0
    data: str | None = None
    world: str | None = None

    def __post_init__(self) -> None:
        if not Path(self.model).is_dir() and self.revision is None:
            raise ValueError(f"model={self.model} is no folder; for a model of the hub also give revision=")


@dataclass(frozen=True)
class _Work:
    """One task: what to answer and how to score it, from which file, and what names the answers."""

    entry: Task
    answer: AnswerSpec
    score: ScoreSpec
    inputs: Mapping[str, Path]
    key: str


def run(asked: Evaluate) -> str:
    """Write OUT/TASK/{answers,scores}/ and OUT/summary.json; return the table. What can be wrong is found out first."""
    suite = load(asked.suite, asked.data)
    wanted = _wanted(asked, suite)
    left_out = [name for name, entry in wanted.items() if entry.task == "loss"]
    weights = _weights(asked)
    work = {name: _work(asked, suite, name, one, weights) for name, one in wanted.items() if name not in left_out}
    level = _sandbox(work)
    out = Path(asked.out or f"evaluations/{Path(asked.model).name}")
    found = {name: _measured(one, out / name, asked.batch_rows or suite.batch_rows) for name, one in work.items()}
    summary = {"model": asked.model, "weights": weights, "suite": suite.name, "tasks": found, "left_out": left_out}
    write_json(out / "summary.json", summary)
    notes = [f"left out, as they need a sweep's tokens: {', '.join(left_out)}"] if left_out else []
    return "\n".join([_table(work, found), *notes, *([level] if level else []), f"records: {out}"])


def _wanted(asked: Evaluate, suite: Suite) -> dict[str, Task]:
    names = asked.tasks.split(",") if asked.tasks else list(suite.tasks)
    if unknown := [name for name in names if name not in suite.tasks]:
        raise ValueError(f"tasks={','.join(unknown)}: suite {suite.name} has {', '.join(suite.tasks)}")
    return {name: suite.tasks[name] for name in names}


def _work(asked: Evaluate, suite: Suite, name: str, entry: Task, weights: str) -> _Work:
    """One task's specs; ValueError when its file is not there."""
    place = Path(asked.world, entry.world) if asked.world and entry.world else Path(entry.path or "")
    if not place.is_file():
        remedy = "give world=FOLDER" if entry.world else "get it, or give data=FOLDER"
        raise ValueError(f"task {name}: {entry.world if entry.world else place} does not exist; {remedy}")
    fields = tuple(sorted(entry.fields.items()))
    local = Path(asked.model).is_dir()
    answer = AnswerSpec(
        task=entry.task, file="", items=asked.items or entry.items, model_repo=None if local else asked.model,
        model_revision=None if local else asked.revision,
        decoding=Decoding(entry.max_new_tokens, entry.temperature, asked.seed),
        precision=asked.precision or suite.precision, system=asked.system, reading=Reading(fields),
        samples=entry.samples,
    )  # fmt: skip
    reading = Reading(fields, entry.pattern)
    judged = ScoreSpec(entry.task, "", answer.items, entry.seconds, entry.memory_mib, reading)
    KINDS[entry.task].items(place, reading)  # so a bad file is told before a model is loaded
    inputs = {"data": place, **({"model": Path(asked.model)} if local else {})}
    return _Work(entry, answer, judged, inputs, _key(asdict(answer), weights, _digest(place)))


def _sandbox(work: Mapping[str, _Work]) -> str:
    """Which level will contain generated code; RuntimeError when none may. '' where no task runs any."""
    if all(KINDS[one.entry.task].program is None for one in work.values()):
        return ""
    with Sandbox(Limits(1, 256 << 20), unsafe=unsafe_allowed()) as sandbox:
        return f"generated code ran at sandbox level {sandbox.level.number} ({sandbox.level.name})"


def _measured(work: _Work, out: Path, batch_rows: int) -> dict[str, Any]:
    """Answer, unless the same weights have answered the same before; score; the summary of the scores."""
    answers, scores, stamp = out / "answers", out / "scores", out / "answers" / "key.json"
    answers.mkdir(parents=True, exist_ok=True)
    scores.mkdir(exist_ok=True)
    if not stamp.exists() or json.loads(stamp.read_bytes()) != {"key": work.key}:
        from eval import answer  # torch only when a model has to speak

        stamp.unlink(missing_ok=True)
        answer.run(work.answer, work.inputs, answers, EvalRun(work.key, batch_rows))
        write_json(stamp, {"key": work.key})
    score.run(work.score, {"answers": answers, "data": work.inputs["data"]}, scores)
    return {"ability": work.entry.ability, **json.loads((scores / "summary.json").read_bytes())}


def _table(work: Mapping[str, _Work], found: Mapping[str, Mapping[str, Any]]) -> str:
    rows = [("task", "ability", "metric", "value", "± error", "items")]
    for name in work:
        for one in found[name]["metrics"]:
            numbers = (f"{one['value']:.4f}", f"{one['stderr']:.4f}", str(one["n_items"]))
            rows.append((name, found[name]["ability"], one["metric"], *numbers))
    widths = [max(len(row[place]) for row in rows) for place in range(6)]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)


def _weights(asked: Evaluate) -> str:
    """What names the model: the content of every file of its folder, or its revision on the hub."""
    folder = Path(asked.model)
    if not folder.is_dir():
        return f"{asked.model}@{asked.revision}"
    files = sorted(path for path in folder.iterdir() if path.is_file())
    return _key(*(f"{path.name} {_digest(path)}" for path in files))


def _digest(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as file:
        while part := file.read(CHUNK):
            found.update(part)
    return found.hexdigest()


def _key(*parts: Any) -> str:
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
