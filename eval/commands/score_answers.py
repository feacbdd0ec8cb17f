"""Verb score: score answers that another engine gave."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from common.json_file import write_json
from common.options import Result, option
from common.rows import write_jsonl
from common.wording import no_file
from eval.commands.imported import records
from eval.commands.results import file_of, told, warnings_of
from eval.commands.suite import load
from eval.items.jsonl import Row
from eval.judge.setup import JudgeOptions, judge_setup
from eval.spec.task_specs import task_specs
from eval.spec.tasks import Suite, Task
from eval.stages import score
from eval.tasks import FORMS
from eval.tasks.shots import check_ids


@dataclass(frozen=True)
class ScoreAnswers(JudgeOptions):
    """Options of ``python -m eval score``."""

    responses: str = option("a file of answers: our responses.jsonl, samples of lm-eval, or a log of inspect_ai")
    task: str = option("the task of the suite that was answered")
    out: str = option("the folder of records")
    suite: str = option("a suite of conf/suite, or a YAML file like one", "open")
    items: int | None = option("how many items were answered, from the first", None, default_text="as the suite says")
    data: str | None = option("the folder that the suite calls DOSAGE_DATA", None, default_text="$DOSAGE_DATA")
    world: str | None = option("the folder of the embedded world, for suite=micro", None)


def run(options: ScoreAnswers) -> Result:
    """Write OUT/answers and OUT/scores as an evaluation does; return a table of the metrics.

    Raises ValueError for a file or a task that cannot be used, RuntimeError where code cannot be contained.
    """
    suite, out, source = load(options.suite, options.data), Path(options.out), Path(options.responses)
    task = suite.tasks.get(options.task)
    if task is None or task.task == "loss" or task.form == "likelihood":
        fit = [name for name, one in suite.tasks.items() if one.task != "loss" and one.form != "likelihood"]
        raise ValueError(
            f"task={options.task} is no task of suite {suite.name} with answers; such tasks: {', '.join(fit)}"
        )
    if not source.is_file():
        raise ValueError(f"responses={no_file(source)}; give a file of answers")
    task = task.first(options.items)
    data = file_of(options.world, options.task, task, task.world or task.path or task.split, out)
    spec = task_specs(task, suite, seed=0, system="").score
    items = FORMS[task.form][task.task].items(data, spec.reading)[: spec.items]
    check_ids(data, items)
    rows, engine = records(source, [item["id"] for item in items])
    summary = scored(Answered(options.task, task, data, rows, {"engine": engine}), suite, options, out)
    return told({"suite": suite.name, "tasks": {options.task: summary}}, warnings_of(options.task, summary), out)


@dataclass(frozen=True)
class Answered:
    """The answers to the items of the task called ``name`` in the file ``data``; ``manifest`` says what gave them."""

    name: str
    task: Task
    data: Path
    rows: Sequence[Row]
    manifest: Row


def scored(answered: Answered, suite: Suite, options: JudgeOptions, out: Path) -> Row:
    """Write ``out``/answers and ``out``/scores; return the summary of the scores, with the task's ability."""
    task = answered.task
    spec = task_specs(task, suite, seed=0, system="").score
    judge = judge_setup(options, suite, answered.name, task, out)
    if judge:
        spec = replace(spec, judge=judge.judge, precision=suite.precision if "judge" in judge.files else "")
    answers, scores = out / "answers", out / "scores"
    for folder in (answers, scores):
        folder.mkdir(parents=True, exist_ok=True)
    write_jsonl(answers / "responses.jsonl", answered.rows)
    write_json(answers / "manifest.json", {"task": task.task, "answers": len(answered.rows), **answered.manifest})
    inputs = {"answers": answers, "data": answered.data, **(judge.files if judge else {})}
    score.run(spec, inputs, scores, judge.execution if judge else None)
    return {"ability": task.ability, **json.loads((scores / "summary.json").read_bytes())}
