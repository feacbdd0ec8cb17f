"""Verb compare: which of two models answered better, by a judge who sees every pair of answers in both orders."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from common.json_file import write_json
from common.options import option
from common.rows import write_jsonl
from eval.commands.suite import load
from eval.items.jsonl import Row, read
from eval.items.metrics import interval
from eval.judge import pairs, prompts
from eval.judge.grade import voice, with_references
from eval.judge.panel import CachedJudge
from eval.judge.setup import JudgeOptions, court
from eval.spec.answers import Reading
from eval.spec.scores import ScoreSpec
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


def run(asked: Compare) -> str:
    """Write scores.jsonl, judgments.jsonl and summary.json into ``out``; return the numbers as text."""
    suite, out = load(asked.suite, asked.data), Path(asked.out)
    entry = suite.tasks.get(asked.task)
    if entry is None or entry.task not in JUDGED or entry.path is None:
        known = ", ".join(name for name, one in suite.tasks.items() if one.task in JUDGED) or "none"
        raise ValueError(f"task={asked.task}: in suite {suite.name} a judge is needed, and a file read, by: {known}")
    judges = court(asked, suite, asked.task, entry, out)
    assert judges is not None  # its task needs one
    ours, theirs = (_responses(Path(place), asked.task) for place in (asked.answers, asked.against))
    listed = TASKS[entry.task].items(Path(entry.path), Reading(tuple(sorted(entry.columns.items()))))
    items = with_references({item["id"]: item for item in listed}, judges.files)
    spec = ScoreSpec(entry.task, "", None, 1.0, 1, judge=judges.judge, precision=suite.precision)
    panel = CachedJudge(judges.judge, judges.execution, partial(voice, spec, judges.files, judges.execution))
    templates = prompts.load(judges.files.get("prompts"))
    scores, replies = pairs.run(items, ours, theirs, templates, judges.judge.repeats, panel)
    out.mkdir(parents=True, exist_ok=True)
    write_jsonl(out / "judgments.jsonl", replies)
    write_jsonl(out / "scores.jsonl", scores)
    found = pairs.metrics(scores)
    write_json(
        out / "summary.json",
        {
            "task": asked.task, "answers": asked.answers, "against": asked.against, "judge": asdict(judges.judge),
            "metrics": [asdict(one) for one in found], "intervals": {one.metric: interval(one) for one in found},
        },
    )  # fmt: skip
    lines = [f"{one.metric:<13} {one.value:.4f} ± {one.stderr:.4f}  over {one.n_items} questions" for one in found]
    return "\n".join([*lines, f"records: {out}"])


def _responses(place: Path, task: str) -> list[Row]:
    """The answers in a folder of `python -m eval`, of an answer stage, or in a file."""
    places = [place, *(place / folder / "responses.jsonl" for folder in ("", "answers", f"{task}/answers"))]
    found = next((path for path in places if path.is_file()), None)
    if found is None:
        raise ValueError(f"{place} holds no answers to {task}: give a folder that python -m eval or a sweep wrote")
    return read(found)
