"""Stage answer: a model's answers to the items of one task, or its losses on held-out samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import torch
import transformers

from common.json_file import write_json
from eval.engines.batches import plan
from eval.engines.models import encode, load_tokenizer, one_thread, render, thought_marks
from eval.engines.parallel import EnginePool
from eval.engines.request import Answer, Prompt, Request
from eval.items.jsonl import Row
from eval.items.thoughts import Thought, split
from eval.spec.answers import AnswerSpec, EvalRun
from eval.stages import likelihood
from eval.stages.records import Records
from eval.tasks import FORMS, Messages
from eval.tasks.benchmark import turns
from eval.tasks.shots import items_with_shots

MAX_TOKENS = 1 << 17  # prompt tokens in one forward pass that keeps only the last position


def run(spec: AnswerSpec, inputs: Mapping[str, Path], out: Path, execution: EvalRun) -> None:
    """Write responses.jsonl (one record per answer, in item order) and manifest.json into ``out``.

    A killed run leaves its finished batches in ``out``, and the next run with the same ``execution.key`` continues from
    there with any number of processes. The bytes written are the same in either case, because batches are planned over
    all items, whatever is done already, and only this process writes. Raises ValueError for bad items and for a model
    or tokenizer that cannot be used.
    """
    # One thread, since several gain little for small models; see `one_thread`.
    with one_thread(), Records(out, "responses", execution.key) as responses:
        if spec.decoding is not None:
            rows, counts = _answer_items(spec, inputs, execution, responses)
        else:
            rows, counts = likelihood.measure(spec, inputs, execution, responses)
    _write_manifest(spec, out, len(rows), counts)


@dataclass(frozen=True)
class _Turn:
    """One turn of one dialogue: ``asks`` ends with the user's message.

    ``earlier`` is the id of the turn before it, ``fields`` go into the record.
    """

    id: str
    fields: Row
    asks: Messages
    earlier: str | None
    temperature: float


@dataclass(frozen=True)
class _Prompts:
    """The current turns with their rendered prompts and these as token ids; and the marks around thoughts."""

    turns: Sequence[_Turn]
    texts: Sequence[str]
    tokens: Sequence[tuple[int, ...]]
    marks: Sequence[tuple[str, str]]


def _answer_items(
    spec: AnswerSpec, inputs: Mapping[str, Path], execution: EvalRun, responses: Records
) -> tuple[list[Row], Mapping[str, int]]:
    """Let the model answer the items: all first turns, then all second ones after the first answers, and so on."""
    task, decoding = FORMS[spec.form][spec.task], spec.decoding
    assert decoding is not None  # checked by AnswerSpec
    items = items_with_shots(spec, inputs)
    asked = [turns(task.messages(item)) for item in items]
    dialogues = [
        _dialogue(item, number if spec.samples > 1 else None, parts, decoding.temperature)
        for item, parts in zip(items, asked, strict=True)
        for number in range(spec.samples)
    ]
    tokenizer = load_tokenizer(spec, inputs)
    marks = thought_marks(tokenizer) if spec.form == "chat" else ()
    before: dict[str | None, Messages] = {None: [{"role": "system", "content": spec.system}] if spec.system else []}
    with EnginePool(spec, inputs, execution.workers) as engines:
        for number in range(max(map(len, dialogues), default=0)):
            current = [dialogue[number] for dialogue in dialogues if len(dialogue) > number]
            conversations = [before[turn.earlier] + turn.asks for turn in current]
            texts = [render(tokenizer, messages, spec.template_options) for messages in conversations]
            # One turn of all dialogues at a time, since the next turn's prompts contain these answers.
            prompts = _Prompts(current, texts, encode(tokenizer, texts, spec.form), marks)
            _answer(engines, prompts, spec, execution, responses)
            for turn, messages in zip(current, conversations, strict=True):
                answer = {"role": "assistant", "content": responses.records[turn.id]["text"]}
                before[turn.id] = [*messages, answer]
    rows = responses.finish([turn.id for dialogue in dialogues for turn in dialogue])
    counts = {
        "prompt_tokens": sum(row["prompt_tokens"] for row in rows),
        "tokens": sum(row["tokens"] for row in rows),
        "truncated": sum(row["finish"] != "stop" for row in rows),
        "without_room": sum(row["finish"] == "context" for row in rows),
    }
    return rows, counts


def _dialogue(item: Row, sample: int | None, parts: Sequence[Messages], temperature: float) -> list[_Turn]:
    """The turns of one answer to an item. ``item["temperature"]``, if present, overrides the task's temperature."""
    dialogue: list[_Turn] = []
    for number, asks in enumerate(parts, start=1):
        name = f"{item['id']}/{number}" if len(parts) > 1 else item["id"]
        fields = {"item": item["id"]} if len(parts) > 1 or sample is not None else {}
        fields |= {"turn": number} if len(parts) > 1 else {}
        name += "" if sample is None else f"#{sample}"
        earlier = dialogue[-1].id if dialogue else None
        dialogue.append(_Turn(name, fields, asks, earlier, item.get("temperature", temperature)))
    return dialogue


def _answer(engines: EnginePool, prompts: _Prompts, spec: AnswerSpec, execution: EvalRun, responses: Records) -> None:
    """Answer the turns that have no record yet, in batches of one temperature."""
    assert spec.decoding is not None
    batches, current = [], prompts.turns
    for temperature in sorted({turn.temperature for turn in current}):
        rows = [row for row, turn in enumerate(current) if turn.temperature == temperature]
        planned = plan([len(prompts.tokens[row]) for row in rows], rows=execution.batch_rows, tokens=MAX_TOKENS)
        batches += [[rows[place] for place in batch] for batch in planned]
    # A batch is done again unless all of it is done, so that its composition, and with it rounding, stays the same.
    batches = [batch for batch in batches if not all(current[row].id in responses.records for row in batch)]
    requests = [
        Request(
            tuple(Prompt(current[row].id, prompts.tokens[row]) for row in batch),
            replace(spec.decoding, temperature=current[batch[0]].temperature),
            spec.stops or FORMS[spec.form][spec.task].stops,
        )
        for batch in batches
    ]
    for number, answers in engines.answers(requests):
        responses.add(_record(prompts, row, answer) for row, answer in zip(batches[number], answers, strict=True))


def _record(prompts: _Prompts, row: int, answer: Answer) -> Row:
    """The record of an answer. A thought before it is kept apart; one without an end leaves an answer cut off."""
    turn, prompt = prompts.turns[row], prompts.texts[row]
    parts = split(answer.text, prompt=prompt, marks=prompts.marks) if prompts.marks else Thought("", answer.text, True)
    thought = {"thought": parts.thought, "thought_characters": len(parts.thought)} if parts.thought else {}
    return {
        "id": turn.id, **turn.fields, "prompt": prompt, "prompt_tokens": len(prompts.tokens[row]),
        "text": parts.answer, **thought, "tokens": len(answer.tokens),
        "finish": answer.finish if parts.closed or answer.finish == "context" else "length",
    }  # fmt: skip


def _write_manifest(spec: AnswerSpec, out: Path, items: int, counts: Mapping[str, int]) -> None:
    versions = {"torch": torch.__version__, "transformers": transformers.__version__}
    versions |= {spec.engine: version(spec.engine)} if spec.engine != "local" else {}
    manifest = {
        "task": spec.task, "items": items, **counts, "engine": spec.engine, "precision": spec.precision,
        "versions": versions,
    }  # fmt: skip
    write_json(out / "manifest.json", manifest)
