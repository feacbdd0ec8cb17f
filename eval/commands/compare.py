"""Verb compare: a judge compares two models' answers, each pair in both orders."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from common.json_file import write_json
from common.options import Result, option
from common.rows import write_jsonl
from eval.commands.suite import load
from eval.items.jsonl import Row, read
from eval.items.metrics import interval
from eval.judge import pairs, prompts
from eval.judge.grade import connect, with_references
from eval.judge.panel import CachedJudge
from eval.judge.setup import JudgeOptions, judge_setup
from eval.spec.task_specs import task_specs
from eval.spec.tasks import JUDGED
from eval.tasks import TASKS


@dataclass(frozen=True)
class Compare(JudgeOptions):
    """Options of ``python -m eval compare``."""

    answers: str = option("a folder that python -m eval wrote for one model, or any folder with a responses.jsonl")
    against: str = option("the same for the other model")
    out: str = option("the folder of records")
    task: str = option("a task of the suite that a judge scores and that reads a file", "mtbench")
    suite: str = option("a suite of conf/suite, or a YAML file like one", "paper")
    data: str | None = option("the folder that the suite calls DOSAGE_DATA", None, default_text="$DOSAGE_DATA")


def run(options: Compare) -> Result:
    """Write scores.jsonl, judgments.jsonl and summary.json into ``out``; return the metrics as text.

    Raises ValueError for a task, a file or a judge that cannot be used, RuntimeError when the judge keeps failing.
    """
    suite, out = load(options.suite, options.data), Path(options.out)
    task = suite.tasks.get(options.task)
    if task is None or task.task not in JUDGED or task.path is None:
        fit = [name for name, one in suite.tasks.items() if one.task in JUDGED and one.path is not None]
        raise ValueError(
            f"task={options.task} is not a task of suite {suite.name} that a judge scores and that reads a file; "
            f"such tasks: {', '.join(fit) or 'none'}"
        )
    setup = judge_setup(options, suite, options.task, task, out)
    assert setup is not None  # a task in JUDGED has one
    ours, theirs = (_responses(Path(place), options.task) for place in (options.answers, options.against))
    reading = task_specs(task, suite, seed=0, system="").score.reading
    items = {item["id"]: item for item in TASKS[task.task].items(Path(task.path), reading)}
    client = partial(connect, setup.judge, setup.execution, setup.files, suite.precision)
    scores, replies = pairs.run(
        with_references(items, setup.files), ours, theirs, prompts.load(setup.files.get("prompts")),
        setup.judge.repeats, CachedJudge(setup.judge, setup.execution, client),
    )  # fmt: skip
    metrics = pairs.metrics(scores)
    out.mkdir(parents=True, exist_ok=True)
    write_jsonl(out / "judgments.jsonl", replies)
    write_jsonl(out / "scores.jsonl", scores)
    found = {
        "task": options.task, "answers": options.answers, "against": options.against,
        "judge": asdict(setup.judge), "metrics": [asdict(metric) for metric in metrics],
        "intervals": {metric.metric: interval(metric) for metric in metrics},
    }  # fmt: skip
    write_json(out / "summary.json", found)
    lines = [
        f"{metric.metric:<13} {metric.value:.4f} ± {metric.stderr:.4f}  over {metric.n_items} questions"
        for metric in metrics
    ]
    return Result("\n".join([*lines, f"records: {out}"]), {**found, "records": str(out)})


def _responses(place: Path, task: str) -> list[Row]:
    """The answers in a file, in the folder of an answer stage, or in a folder that `python -m eval` wrote."""
    candidates = [place, *(place / folder / "responses.jsonl" for folder in ("", "answers", f"{task}/answers"))]
    for file in candidates:
        if file.is_file():
            return read(file)
    raise ValueError(f"{place} holds no answers to {task}: give a folder that python -m eval or a sweep wrote")
