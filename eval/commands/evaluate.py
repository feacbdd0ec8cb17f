"""Evaluate one model without a sweep: any Hugging Face folder, any suite. Finished answers are reused."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

from common import model_folder
from common.digest import digest_of, key_of
from common.extras import require
from common.json_file import write_json
from common.options import Result, option
from common.restore import collected, refuse
from common.rows import data_files
from eval.commands.results import file_of, told, warnings_of
from eval.commands.suite import load
from eval.engines.request import available
from eval.judge.setup import JudgeOptions, JudgeSetup, check_cost, judge_setup
from eval.sandbox.client import Sandbox, unsafe_allowed
from eval.sandbox.programs import Limits
from eval.spec.answers import EvalRun
from eval.spec.task_specs import TaskSpecs, overlap_spec, task_specs
from eval.spec.tasks import Suite, Task
from eval.stages import score
from eval.tasks import FORMS
from eval.tasks.shots import items_with_shots


@dataclass(frozen=True)
class Evaluate(JudgeOptions):
    """Options of ``python -m eval``."""

    model: str = option("a Hugging Face folder with weights, tokenizer and chat template; or a hub id, with revision=")
    revision: str | None = option("the commit or branch of a hub model", None)
    suite: str = option("a suite of conf/suite, or a YAML file like one", "open")
    tasks: list[str] | None = option("the tasks to run", None, default_text="all of them")
    items: int | None = option(
        "how many items of each task to answer, from the first", None, default_text="as the suite says"
    )
    precision: str | None = option("precision of the weights: fp32 or bf16", None, default_text="as the suite says")
    eval_batch_size: int | None = option(
        "items in one forward pass", None, default_text="as the suite says", formerly="batch_rows"
    )
    system: str = option("the system turn used in training", "")
    seed: int = option("seed of answers drawn at a temperature", 0)
    data: str | None = option("the folder that the suite calls DOSAGE_DATA", None, default_text="$DOSAGE_DATA")
    world: str | None = option("the folder of the embedded world, for suite=micro", None)
    train: str | None = option(
        "a file or folder of training data; test items found in it are counted, and left out of accuracy_clean", None
    )
    backend: str | None = option(
        "the engine that answers: local or vllm", None, default_text="as the suite says", formerly="engine"
    )
    workers: int | None = option(
        "processes that answer; the answers do not depend on it",
        None,
        default_text="one per core up to 8, or one per GPU",
    )
    out: str | None = option(
        "the folder of records; answers in it are scored again, not generated again, while model, items and decoding "
        "are the same",
        None,
        default_text="evaluations/MODEL",
    )

    def __post_init__(self) -> None:
        refuse(self._problems())

    def _problems(self) -> Iterator[str]:
        if self.workers is not None and self.workers < 1:
            yield f"workers={self.workers} must be at least 1"
        if Path(self.model).is_dir():
            yield from (f"model={self.model}: {problem}" for problem in model_folder.problems(Path(self.model)))
        elif self.revision is None:
            yield f"model={self.model} is not a folder; for a hub model also give revision="
        if self.train is not None and not (Path(self.train).exists() and data_files(Path(self.train))):
            yield f"train={self.train} holds no training data; give a file or folder of .jsonl, .json, …"


@dataclass(frozen=True)
class _TaskRun:
    """One task of the command: its specs, its input files, its judge, and the key that identifies its answers.

    ``turns`` holds the user's turns of each dialogue that a judge will see, empty without a judge.
    """

    task: Task
    specs: TaskSpecs
    inputs: Mapping[str, Path]
    key: str
    judge: JudgeSetup | None
    turns: Sequence[Sequence[str]]


def run(options: Evaluate) -> Result:
    """Write OUT/TASK/{answers,scores}/ and OUT/summary.json; return a table of the metrics.

    Whatever can be checked beforehand is checked before a model is loaded. Raises ValueError for what the user can
    correct, RuntimeError where generated code cannot be contained.
    """
    suite = _with_options(load(options.suite, options.data), options)
    require("answering", ["eval"])
    left_out = [name for name, task in suite.tasks.items() if task.task == "loss"]
    # Hashing the folder takes a while for large models, so it is done once for all tasks.
    weights = _weights(options)
    out = Path(options.out or f"evaluations/{Path(options.model).name}")
    runs = collected(
        (name, partial(_prepare, options, suite, name, task, weights, out))
        for name, task in suite.tasks.items()
        if name not in left_out
    )
    sandbox = _check_sandbox(runs)
    _announce_cost(runs, out)
    summaries = {name: _measure(one, out / name, options, suite.eval_batch_size) for name, one in runs.items()}
    found = {"model": options.model, "weights": weights, "suite": suite.name, "tasks": summaries, "left_out": left_out}
    write_json(out / "summary.json", found)
    notes = [f"left out, as they need a sweep's tokens: {', '.join(left_out)}"] if left_out else []
    notes += [note for name, summary in summaries.items() for note in warnings_of(name, summary)]
    notes += [_cost(name, one.judge, summaries[name]["judge"]) for name, one in runs.items() if one.judge]
    notes += [sandbox] if sandbox else []
    return told(found, notes, out)


def _with_options(suite: Suite, options: Evaluate) -> Suite:
    """The suite with the tasks and values that the options choose."""
    names = options.tasks or list(suite.tasks)
    if unknown := [name for name in names if name not in suite.tasks]:
        raise ValueError(f"tasks={','.join(unknown)}: suite {suite.name} has {', '.join(suite.tasks)}")
    return replace(
        suite,
        tasks={name: suite.tasks[name].first(options.items) for name in names},
        **{
            name: value
            for name in ("precision", "eval_batch_size", "backend")
            if (value := getattr(options, name)) is not None
        },
    )


def _prepare(options: Evaluate, suite: Suite, name: str, task: Task, weights: str, out: Path) -> _TaskRun:
    """Build a task's specs and find its files. Raises ValueError for a file that is missing or malformed."""
    inputs = {"data": file_of(options.world, name, task, task.world or task.path or task.split, out)}
    if task.shots:
        inputs["shots"] = file_of(options.world, name, task, task.shots_from or task.path or task.split, out)
    # Before the model joins the inputs: its own digest is ``weights``.
    digests = [digest_of(file) for file in inputs.values()]
    answer, score_spec = task_specs(task, suite, seed=options.seed, system=options.system)
    local = Path(options.model).is_dir()
    if not local:
        answer = replace(answer, model_repo=options.model, model_revision=options.revision)
    available(answer.engine)
    judge = judge_setup(options, suite, name, task, out)
    if judge:
        precision = answer.precision if "judge" in judge.files else ""
        score_spec = replace(score_spec, judge=judge.judge, precision=precision)
    # Items and worked examples are read here so that a bad file is refused before a model is loaded.
    items = items_with_shots(answer, inputs)
    if local:
        inputs["model"] = Path(options.model)
    turns = [item["turns"] for item in items] * answer.samples if judge else []
    key = key_of(asdict(answer), weights, *digests)
    return _TaskRun(task, TaskSpecs(answer, score_spec), inputs, key, judge, turns)


def _check_sandbox(runs: Mapping[str, _TaskRun]) -> str:
    """A sentence on the level that contains generated code, '' where no task runs any.

    Raises RuntimeError where no level is good enough, ValueError for limits that no program could run with.
    """
    if all(FORMS[one.task.form][one.task.task].program is None for one in runs.values()):
        return ""
    for one in runs.values():
        Limits(one.specs.score.seconds, one.specs.score.memory_mib << 20)
    # Starting a sandbox probes the levels; no program is run in this one.
    with Sandbox(Limits(1, 256 << 20), unsafe=unsafe_allowed()) as sandbox:
        return f"generated code ran at sandbox level {sandbox.level.number} ({sandbox.level.name})"


def _announce_cost(runs: Mapping[str, _TaskRun], out: Path) -> None:
    """Print what judges will cost. Raises ValueError for a judge that cannot be called or paid."""
    for name, one in runs.items():
        if one.judge and not _answered(one, out / name):
            estimate = check_cost(one.judge, one.turns, one.task.max_new_tokens)
            limit = one.judge.execution.dollars
            price = f", about ${estimate.dollars:.2f} of at most ${limit:g}" if estimate.dollars else ""
            print(f"judge of {name}: {estimate.calls} calls{price}", flush=True)


def _cost(name: str, judge: JudgeSetup, usage: Mapping[str, Any]) -> str:
    """A sentence on what the replies behind a task's scores cost, in this run or an earlier one."""
    dollars = judge.execution.price(usage["input_tokens"], usage["output_tokens"])
    return f"judge of {name}: {usage['replies']} replies{f', ${dollars:.2f}' if dollars else ''}"


def _answered(one: _TaskRun, out: Path) -> bool:
    """Whether an earlier run has finished the same answers by the same weights."""
    stamp = out / "answers" / "key.json"
    return stamp.exists() and json.loads(stamp.read_bytes()) == {"key": one.key}


def _measure(one: _TaskRun, out: Path, options: Evaluate, batch_rows: int) -> dict[str, Any]:
    """Answer the task's items, unless an earlier run has; score the answers; return the summary of the scores."""
    answers, scores, stamp = out / "answers", out / "scores", out / "answers" / "key.json"
    answers.mkdir(parents=True, exist_ok=True)
    scores.mkdir(exist_ok=True)
    if not _answered(one, out):
        from eval.engines.parallel import default_workers
        from eval.stages import answer  # imports torch

        # The stamp is written last: without it, a killed run's answers are not taken for finished ones.
        stamp.unlink(missing_ok=True)
        execution = EvalRun(one.key, batch_rows, options.workers or default_workers())
        answer.run(one.specs.answer, one.inputs, answers, execution)
        write_json(stamp, {"key": one.key})
    inputs = {"answers": answers, "data": one.inputs["data"]}
    if options.train:
        inputs |= _overlaps(one, Path(options.train), out / "overlap")
    if one.judge:
        inputs |= one.judge.files
    score.run(one.specs.score, inputs, scores, one.judge.execution if one.judge else None)
    return {"ability": one.task.ability, **json.loads((scores / "summary.json").read_bytes())}


def _overlaps(one: _TaskRun, train: Path, out: Path) -> dict[str, Path]:
    """The overlap of each file of training data with the items, as inputs of the score stage."""
    from eval.stages import overlap  # imports numpy, which run-code works without

    folders = {}
    for file in data_files(train):
        name = "-".join(file.relative_to(train if train.is_dir() else train.parent).parts)
        folders[f"overlap.{name}"] = folder = out / name
        folder.mkdir(parents=True, exist_ok=True)
        overlap.run(overlap_spec(one.task), {"data": one.inputs["data"], "source": file}, folder)
    return folders


def _weights(options: Evaluate) -> str:
    """What identifies the model: a digest of its folder, or its id and revision on the hub."""
    folder = Path(options.model)
    return digest_of(folder) if folder.is_dir() else f"{options.model}@{options.revision}"
