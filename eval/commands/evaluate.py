"""Evaluate one model without a sweep: any Hugging Face folder, any suite, answers kept for the next time."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from common.digest import digest_of, key_of
from common.extras import require
from common.json_file import write_json
from common.options import option
from common.rows import data_files
from eval.commands.run_code import unsafe_allowed
from eval.commands.suite import load
from eval.engines.request import available
from eval.judge.setup import JudgeOptions, JudgeSetup, affordable, court
from eval.sandbox.client import Limits, Sandbox
from eval.spec.answers import ROWS, AnswerSpec, EvalRun, HubRows
from eval.spec.scores import ScoreSpec
from eval.spec.task_specs import overlap_spec, task_specs
from eval.spec.tasks import Suite, Task
from eval.stages import hub_rows, score
from eval.tasks import FORMS
from eval.tasks.shots import shots


@dataclass(frozen=True)
class Evaluate(JudgeOptions):
    """Options of ``python -m eval``."""

    model: str = option("a Hugging Face folder with weights, tokenizer and chat template; or a hub id, with revision=")
    revision: str | None = option("the commit or branch of a hub model", None)
    suite: str = option("a suite of conf/suite, or a YAML file like one", "open")
    tasks: list[str] | None = option("some tasks of the suite only", None, default_text="all of them")
    items: int | None = option("only the first items of each task", None, default_text="as the suite says")
    precision: str | None = option("of the weights: fp32 or bf16", None, default_text="as the suite says")
    eval_batch_size: int | None = option(
        "items in one forward pass", None, default_text="as the suite says", formerly="batch_rows"
    )
    system: str = option("the system turn used in training", "")
    seed: int = option("of answers drawn at a temperature", 0)
    data: str | None = option("the folder that the suite calls DOSAGE_DATA", None, default_text="$DOSAGE_DATA")
    world: str | None = option("the folder of the embedded world, for suite=micro", None)
    train: str | None = option(
        "a file or folder of training data: how many test items it contains is measured, and scores without them", None
    )
    backend: str | None = option(
        "what answers: local or vllm", None, default_text="as the suite says", formerly="engine"
    )
    workers: int | None = option(
        "processes that answer; the answers do not depend on it", None, default_text="one a core up to 8, or one a GPU"
    )
    out: str | None = option(
        "the folder of records; answers in it are scored again, not given again, while model, items and decoding are "
        "the same",
        None,
        default_text="evaluations/MODEL",
    )

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise ValueError(f"workers={self.workers} must be at least 1")
        if not Path(self.model).is_dir() and self.revision is None:
            raise ValueError(f"model={self.model} is no folder; for a model of the hub also give revision=")
        if self.train is not None and not (Path(self.train).exists() and data_files(Path(self.train))):
            raise ValueError(f"train={self.train} holds no training data; give a file or folder of .jsonl, .json, …")


@dataclass(frozen=True)
class _Work:
    """One task: what to answer and how to score it, from which file, and what names the answers."""

    entry: Task
    answer: AnswerSpec
    score: ScoreSpec
    inputs: Mapping[str, Path]
    key: str
    court: JudgeSetup | None
    turns: Sequence[Sequence[str]]


def run(asked: Evaluate) -> str:
    """Write OUT/TASK/{answers,scores}/ and OUT/summary.json; return the table. What can be wrong is found out first."""
    suite = load(asked.suite, asked.data)
    require("answering", ["eval"])
    wanted = _wanted(asked, suite)
    left_out = [name for name, entry in wanted.items() if entry.task == "loss"]
    weights = _weights(asked)
    out = Path(asked.out or f"evaluations/{Path(asked.model).name}")
    work = {name: _work(asked, suite, name, wanted[name], weights, out) for name in wanted if name not in left_out}
    level = _sandbox(work)
    _announce(work, out)
    found = {
        name: _measured(one, out / name, asked, asked.eval_batch_size or suite.eval_batch_size)
        for name, one in work.items()
    }
    summary = {"model": asked.model, "weights": weights, "suite": suite.name, "tasks": found, "left_out": left_out}
    write_json(out / "summary.json", summary)
    notes = [f"left out, as they need a sweep's tokens: {', '.join(left_out)}"] if left_out else []
    notes += [note for name in work for note in _caveats(name, found[name])]
    notes += [_bill(name, one.court, found[name]["judge"]) for name, one in work.items() if one.court]
    return "\n".join([_table(work, found), *notes, *([level] if level else []), f"records: {out}"])


def _wanted(asked: Evaluate, suite: Suite) -> dict[str, Task]:
    names = asked.tasks or list(suite.tasks)
    if unknown := [name for name in names if name not in suite.tasks]:
        raise ValueError(f"tasks={','.join(unknown)}: suite {suite.name} has {', '.join(suite.tasks)}")
    return {name: suite.tasks[name] for name in names}


def _work(asked: Evaluate, suite: Suite, name: str, entry: Task, weights: str, out: Path) -> _Work:
    """One task's specs; ValueError when its data is not there or not as it should be."""
    inputs = {"data": _place(asked, name, entry, entry.world or entry.path or entry.split, out)}
    if entry.shots:
        inputs["shots"] = _place(asked, name, entry, entry.shots_from or entry.path or entry.split, out)
    data = [digest_of(place) for place in inputs.values()]
    task = replace(entry, max_items=asked.items or entry.max_items)
    chosen = replace(suite, precision=asked.precision or suite.precision, backend=asked.backend or suite.backend)
    answer, scored = task_specs(task, chosen, seed=asked.seed, system=asked.system)
    local = Path(asked.model).is_dir()
    if not local:
        answer = replace(answer, model_repo=asked.model, model_revision=asked.revision)
    available(answer.engine)
    judges = court(asked, suite, name, entry, out)
    if judges:
        scored = replace(scored, judge=judges.judge, precision=answer.precision if "judge" in judges.files else "")
    # Items and worked examples are read here so that a bad file is refused before a model is loaded.
    items = FORMS[task.form][task.task].items(inputs["data"], scored.reading)
    shots(answer, inputs)
    if local:
        inputs["model"] = Path(asked.model)
    turns = [item["turns"] for item in items[: answer.items]] * answer.samples if judges else []
    return _Work(task, answer, scored, inputs, key_of(asdict(answer), weights, *data), judges, turns)


def _place(asked: Evaluate, name: str, entry: Task, place: str, out: Path) -> Path:
    """The file of a task's items or worked examples; rows of a hub are brought to OUT/TASK/rows."""
    if entry.hub is not None:
        folder = out / name / "rows" / place
        folder.mkdir(parents=True, exist_ok=True)
        hub_rows.run(HubRows(entry.hub, entry.revision or "", entry.config, place), {}, folder)
        return folder / ROWS
    found = Path(asked.world, place) if asked.world and entry.world else Path(place)
    if not found.is_file():
        remedy = "give world=FOLDER" if entry.world else "get it, or give data=FOLDER"
        raise ValueError(f"task {name}: {place} does not exist; {remedy}")
    return found


def _sandbox(work: Mapping[str, _Work]) -> str:
    """Which level will contain generated code; RuntimeError when none may. '' where no task runs any."""
    if all(FORMS[one.entry.form][one.entry.task].program is None for one in work.values()):
        return ""
    with Sandbox(Limits(1, 256 << 20), unsafe=unsafe_allowed()) as sandbox:
        return f"generated code ran at sandbox level {sandbox.level.number} ({sandbox.level.name})"


def _announce(work: Mapping[str, _Work], out: Path) -> None:
    """Say what judges will take before anything is answered; ValueError when one cannot be asked or paid."""
    for name, one in work.items():
        if one.court and not _answered(one, out / name):
            due = affordable(one.court, one.turns, one.entry.max_new_tokens)
            price = f", about ${due.dollars:.2f} of at most ${one.court.execution.dollars:g}" if due.dollars else ""
            print(f"judge of {name}: {due.calls} calls{price}", flush=True)


def _bill(name: str, judges: JudgeSetup, took: Mapping[str, Any]) -> str:
    """What the replies behind a task's scores took, whenever they were given."""
    price = judges.execution.price(took["input_tokens"], took["output_tokens"])
    return f"judge of {name}: {took['replies']} replies{f', ${price:.2f}' if price else ''}"


def _answered(work: _Work, out: Path) -> bool:
    """True when the same weights have answered the same before."""
    stamp = out / "answers" / "key.json"
    return stamp.exists() and json.loads(stamp.read_bytes()) == {"key": work.key}


def _measured(work: _Work, out: Path, asked: Evaluate, batch_rows: int) -> dict[str, Any]:
    """Answer, unless the same weights have answered the same before; score; the summary of the scores."""
    answers, scores, stamp = out / "answers", out / "scores", out / "answers" / "key.json"
    answers.mkdir(parents=True, exist_ok=True)
    scores.mkdir(exist_ok=True)
    if not _answered(work, out):
        from eval.engines.parallel import sensible
        from eval.stages import answer  # torch only when a model has to speak

        stamp.unlink(missing_ok=True)
        answer.run(work.answer, work.inputs, answers, EvalRun(work.key, batch_rows, asked.workers or sensible()))
        write_json(stamp, {"key": work.key})
    held = _overlaps(work, Path(asked.train), out / "overlap") if asked.train else {}
    inputs = {"answers": answers, "data": work.inputs["data"], **held, **(work.court.files if work.court else {})}
    score.run(work.score, inputs, scores, work.court.execution if work.court else None)
    return {"ability": work.entry.ability, **json.loads((scores / "summary.json").read_bytes())}


def _overlaps(work: _Work, train: Path, out: Path) -> dict[str, Path]:
    """The overlap of each file of training data with the items, as inputs of the score."""
    from eval.stages import overlap  # numpy, which run-code does without

    found = {}
    for file in data_files(train):
        name = "-".join(file.relative_to(train if train.is_dir() else train.parent).parts)
        found[f"overlap.{name}"] = folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        overlap.run(overlap_spec(work.entry), {"data": work.inputs["data"], "source": file}, folder)
    return found


def _caveats(name: str, found: Mapping[str, Any]) -> list[str]:
    """What a reader of a task's numbers must know."""
    odd = [f"{one['metric']} is {one['value']:.0%}, above {one['limit']:.0%}" for one in found["warnings"]]
    held = [
        f"{count} of {found['items']} items are in {source}" for source, count in found.get("contaminated", {}).items()
    ]
    return [*(f"warning: {name}: {one}" for one in odd), *(f"overlap: {name}: {one}" for one in held)]


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
    return digest_of(folder)
