"""Verb ask: a model behind an OpenAI-compatible endpoint answers the tasks of a suite, within a budget."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from common.json_file import write_json
from common.options import Result, option
from common.restore import collected, refuse
from eval.commands.results import file_of, told, warnings_of
from eval.commands.score_answers import Answered, scored
from eval.commands.suite import load
from eval.items.jsonl import Row
from eval.items.thoughts import split
from eval.judge.endpoint import Endpoint
from eval.judge.panel import CachedJudge
from eval.judge.replies import JudgePrompt, Reply
from eval.judge.setup import JudgeOptions, judge_setup, prices_of
from eval.spec.answers import AnswerSpec
from eval.spec.judge import Judge, JudgeRun, object_problems
from eval.spec.task_specs import task_specs
from eval.spec.tasks import Suite, Task
from eval.tasks import FORMS, Messages
from eval.tasks.benchmark import turns
from eval.tasks.shots import items_with_shots

OPTIONS = {
    "judge: ": "", "suite.judge_client.dollars": "most", "suite.judge_client.base_url": "url=",
    "suite.judge_client.key_variable": "key_variable=", "suite.judge.model": "model=", "suite.judge ": "extra= ",
    "base_url=": "url=", "dollars=": "most=", "prices=": "token_prices=",
}  # fmt: skip
"""The words of a judge's messages, and the options of this command that set the same."""


@dataclass(frozen=True)
class Ask(JudgeOptions):
    """Options of ``python -m eval ask``."""

    model: str = option("the model's name at the endpoint")
    url: str = option("the endpoint, such as http://127.0.0.1:8000/v1")
    out: str = option("the folder of records; replies are kept in it, and no prompt is sent twice")
    token_prices: str = option(
        "dollars per million tokens of prompt and answer, as in 3/15; 0/0 for a server of your own"
    )
    most: float = option("the most dollars that the answers may cost", 10.0)
    key_variable: str = option("the environment variable that holds the key; '' sends none", "OPENAI_API_KEY")
    suite: str = option("a suite of conf/suite, or a YAML file like one", "open")
    tasks: list[str] | None = option("the tasks to ask, in the chat form", None, default_text="all that ask something")
    items: int | None = option("how many items of each task, from the first", None, default_text="as the suite says")
    system: str = option("the system turn", "")
    extra: str = option("a JSON object of further fields for the requests", "")
    data: str | None = option("the folder that the suite calls DOSAGE_DATA", None, default_text="$DOSAGE_DATA")
    world: str | None = option("the folder of the embedded world, for suite=micro", None)

    def __post_init__(self) -> None:
        if self.extra:
            refuse(object_problems("extra", self.extra, '{"reasoning_effort": "low"}'))


@dataclass(frozen=True)
class _Asked:
    """What is asked of a task: its items with their worked examples, from the file ``data``, as ``spec`` says."""

    task: Task
    data: Path
    spec: AnswerSpec
    items: Sequence[Row]


def run(options: Ask) -> Result:
    """Write OUT/TASK/{answers,scores}/ and OUT/summary.json; return a table of the metrics.

    Raises ValueError for what the user can correct and for a spent budget, RuntimeError where it keeps failing.
    """
    suite, out = load(options.suite, options.data), Path(options.out)
    fit = [name for name, task in suite.tasks.items() if task.task != "loss" and task.form == "chat"]
    names = options.tasks or fit
    if unknown := [name for name in names if name not in fit]:
        raise ValueError(
            f"tasks={','.join(unknown)}: suite {suite.name} has in the chat form {', '.join(fit) or 'none'}"
        )
    # Before the first prompt is sent: answers may cost money.
    asked = collected((name, partial(_prepared, options, suite, name, out)) for name in names)
    try:
        prices: dict[str, Any] = {**prices_of(options.token_prices)}
        execution = JudgeRun(
            base_url=options.url,
            key_variable=options.key_variable,
            dollars=options.most,
            cache=str(out / "replies"),
            **prices,
        )
        Endpoint(Judge(options.model), execution).check()
        summaries = {name: _measured(options, suite, name, one, execution, out) for name, one in asked.items()}
    except ValueError as problem:
        raise ValueError(_in_own_terms(str(problem))) from None
    found = {"model": options.model, "url": options.url, "tasks": summaries}
    write_json(out / "summary.json", found)
    notes = [note for name, summary in summaries.items() for note in warnings_of(name, summary)]
    return told(found, notes, out)


def _in_own_terms(text: str) -> str:
    """A message about a judge with this command's options in place of a suite's settings."""
    for setting, key in OPTIONS.items():
        text = text.replace(setting, key)
    return text


def _prepared(options: Ask, suite: Suite, name: str, out: Path) -> _Asked:
    """What will be asked of a task. Raises ValueError for files and settings that its answers or scores would lack."""
    task = suite.tasks[name].first(options.items)
    inputs = {"data": file_of(options.world, name, task, task.world or task.path or task.split, out / name)}
    if task.shots:
        inputs["shots"] = file_of(options.world, name, task, task.shots_from or task.path or task.split, out / name)
    spec = task_specs(task, suite, seed=0, system=options.system).answer
    judge_setup(options, suite, name, task, out / name)
    return _Asked(task, inputs["data"], spec, items_with_shots(spec, inputs))


def _measured(options: Ask, suite: Suite, name: str, asked: _Asked, execution: JudgeRun, out: Path) -> Row:
    rows = _answers(options, asked.spec, asked.items, execution)
    manifest = {"engine": "endpoint", "model": options.model}
    return scored(Answered(name, asked.task, asked.data, rows, manifest), suite, options, out / name)


def _answers(options: Ask, spec: AnswerSpec, items: Sequence[Row], execution: JudgeRun) -> list[Row]:
    """The records of all answers: all first turns are asked together, then all second ones, and so on."""
    dialogues = [
        (item, sample, turns(FORMS[spec.form][spec.task].messages(item)))
        for item in items
        for sample in range(spec.samples)
    ]
    before: list[Messages] = [[{"role": "system", "content": spec.system}] if spec.system else [] for _ in dialogues]
    rows: dict[tuple[int, int], Row] = {}
    for turn in range(max((len(parts) for _, _, parts in dialogues), default=0)):
        asked = [number for number, (_, _, parts) in enumerate(dialogues) if len(parts) > turn]
        for number in asked:
            before[number] = [*before[number], *dialogues[number][2][turn]]
        for number, reply in _replies(options, spec, dialogues, before, asked, execution).items():
            item, sample, parts = dialogues[number]
            rows[number, turn] = _record(spec, item, sample, (turn, len(parts)), before[number], reply)
            before[number] = [*before[number], {"role": "assistant", "content": rows[number, turn]["text"]}]
    return [rows[place] for place in sorted(rows)]


def _replies(
    options: Ask,
    spec: AnswerSpec,
    dialogues: Sequence[Any],
    before: Sequence[Messages],
    asked: Sequence[int],
    execution: JudgeRun,
) -> dict[int, Reply]:
    """The reply to each dialogue that is asked, by its number."""
    assert spec.decoding is not None
    by_temperature: dict[float, list[int]] = {}
    for number in asked:
        by_temperature.setdefault(dialogues[number][0].get("temperature", spec.decoding.temperature), []).append(number)
    replies: dict[int, Reply] = {}
    for temperature, numbers in by_temperature.items():
        fields: dict[str, Any] = {"top_p": spec.decoding.top_p} if spec.decoding.top_p < 1 else {}
        fields |= {"stop": list(spec.stops)} if spec.stops else {}
        extra = json.dumps({**fields, **json.loads(options.extra or "{}")}, sort_keys=True)
        model = Judge(options.model, 1, temperature, spec.decoding.max_new_tokens, extra if extra != "{}" else "")
        client = CachedJudge(model, execution, lambda model=model: Endpoint(model, execution))  # type: ignore[misc]
        prompts = [JudgePrompt(before[number], dialogues[number][1]) for number in numbers]
        replies |= dict(zip(numbers, client.replies(prompts), strict=True))
    return replies


def _record(spec: AnswerSpec, item: Row, sample: int, turn: tuple[int, int], messages: Messages, reply: Reply) -> Row:
    """The record of one answer, named as the answer stage names it; ``turn`` is its number and that of all turns."""
    number, count = turn
    name = (f"{item['id']}/{number + 1}" if count > 1 else item["id"]) + (f"#{sample}" if spec.samples > 1 else "")
    fields = {"item": item["id"]} if count > 1 or spec.samples > 1 else {}
    fields |= {"turn": number + 1} if count > 1 else {}
    thought = split(reply.text)
    kept = {"thought": thought.thought, "thought_characters": len(thought.thought)} if thought.thought else {}
    return {
        "id": name, **fields, "prompt": messages[-1]["content"], "prompt_tokens": reply.input_tokens,
        "text": thought.answer, **kept, "tokens": reply.output_tokens,
        "finish": reply.finish if thought.closed else "length",
    }  # fmt: skip
