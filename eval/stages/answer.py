"""Stage answer: what a model says to the items of one task, or how well it predicts held-out samples."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch
import transformers

from common.json_file import write_json
from eval.engines.batches import plan
from eval.engines.losses import losses
from eval.engines.models import encode, load_model, load_tokenizer, one_thread, render
from eval.engines.parallel import EnginePool
from eval.engines.request import Answer, Prompt, Request
from eval.items.jsonl import Row, locate
from eval.spec.answers import AnswerSpec, EvalRun
from eval.stages.records import Records
from eval.tasks import FORMS, Messages
from eval.tasks.shots import shots

LOGITS = 1 << 26  # numbers in one forward pass that keeps the logits of all positions: 256 MiB
TOKENS = 1 << 17  # prompt tokens in one forward pass that keeps only the last


def run(spec: AnswerSpec, inputs: Mapping[str, Path], out: Path, execution: EvalRun) -> None:
    """Write responses.jsonl (one record an item, in item order) and manifest.json into ``out``.

    A killed run leaves its finished batches in ``out`` and the next one with the same ``how.key`` goes on from there,
    with as many processes as it likes. Batches are planned over all items, whatever is done already, and this process
    alone writes, so the bytes are the same.
    """
    with one_thread(), Records(out, "responses", execution.key) as responses:
        (_predict if spec.task == "loss" else _ask)(spec, inputs, out, execution, responses)


@dataclass(frozen=True)
class _Turn:
    """One turn of one answering of an item: the user's message stands last in ``asks``, what precedes it before."""

    id: str
    own: Row
    asks: Messages
    earlier: str | None
    temperature: float


def _ask(spec: AnswerSpec, inputs: Mapping[str, Path], out: Path, execution: EvalRun, responses: Records) -> None:
    """Let the model answer the items: all first turns, then all second ones with the first answers in between."""
    task, decoding = FORMS[spec.form][spec.task], spec.decoding
    assert decoding is not None  # AnswerSpec has checked it
    items = task.items(locate(inputs["data"], spec.file), spec.reading)[: spec.items]
    _distinct([item["id"] for item in items])
    shown = {"shots": shots(spec, inputs)}
    conversations = [
        _conversation(
            item, number if spec.samples > 1 else None, turns(task.messages(item | shown)), decoding.temperature
        )
        for item in items
        for number in range(spec.samples)
    ]
    tokenizer = load_tokenizer(spec, inputs)
    said: dict[str | None, Messages] = {None: [{"role": "system", "content": spec.system}] if spec.system else []}
    with EnginePool(spec, inputs, execution.workers) as several:
        for turn in range(max(map(len, conversations), default=0)):
            asked = [conversation[turn] for conversation in conversations if len(conversation) > turn]
            before = [said[question.earlier] + question.asks for question in asked]
            texts = [render(tokenizer, messages) for messages in before]
            _answer(several, asked, texts, encode(tokenizer, texts, spec.form), spec, execution, responses)
            for question, messages in zip(asked, before, strict=True):
                answer = {"role": "assistant", "content": responses.records[question.id]["text"]}
                said[question.id] = [*messages, answer]
    rows = responses.finish([question.id for conversation in conversations for question in conversation])
    counts = {
        "prompt_tokens": sum(row["prompt_tokens"] for row in rows),
        "tokens": sum(row["tokens"] for row in rows),
        "truncated": sum(row["finish"] == "length" for row in rows),
    }
    _manifest(spec, out, len(rows), counts)


def turns(messages: Messages) -> list[Messages]:
    """A conversation cut where the model is to speak: after a user's message that no given answer follows."""
    found: list[Messages] = [[]]
    for place, message in enumerate(messages):
        found[-1].append(message)
        following = messages[place + 1]["role"] if place + 1 < len(messages) else None
        if message["role"] == following == "user":
            found.append([])
    return found


def _conversation(item: Row, sample: int | None, parts: Sequence[Messages], temperature: float) -> list[_Turn]:
    """The turns of one answering of an item. ``item["temperature"]``, where there is one, goes before the task's."""
    made: list[_Turn] = []
    for number, asks in enumerate(parts, start=1):
        name = f"{item['id']}/{number}" if len(parts) > 1 else item["id"]
        own = {"item": item["id"]} if len(parts) > 1 or sample is not None else {}
        own |= {"turn": number} if len(parts) > 1 else {}
        name += "" if sample is None else f"#{sample}"
        earlier = made[-1].id if made else None
        made.append(_Turn(name, own, asks, earlier, item.get("temperature", temperature)))
    return made


def _answer(
    several: EnginePool,
    questions: Sequence[_Turn],
    texts: Sequence[str],
    tokens: Sequence[tuple[int, ...]],
    spec: AnswerSpec,
    execution: EvalRun,
    responses: Records,
) -> None:
    """Answer the questions, whose rendered prompts are ``texts``, in batches of one temperature."""
    assert spec.decoding is not None
    batches = []
    for temperature in sorted({question.temperature for question in questions}):
        rows = [row for row, question in enumerate(questions) if question.temperature == temperature]
        planned = plan([len(tokens[row]) for row in rows], rows=execution.batch_rows, tokens=TOKENS)
        batches += [[rows[place] for place in batch] for batch in planned]
    batches = [batch for batch in batches if not all(questions[row].id in responses.records for row in batch)]
    asked = [
        Request(
            tuple(Prompt(questions[row].id, tokens[row]) for row in batch),
            replace(spec.decoding, temperature=questions[batch[0]].temperature),
            FORMS[spec.form][spec.task].stops,
        )
        for batch in batches
    ]
    for place, answers in several.answers(asked):
        found = zip(batches[place], answers, strict=True)
        responses.add(_record(questions[row], texts[row], len(tokens[row]), answer) for row, answer in found)


def _record(question: _Turn, text: str, tokens: int, answer: Answer) -> Row:
    return {
        "id": question.id, **question.own, "prompt": text, "prompt_tokens": tokens, "text": answer.text,
        "tokens": len(answer.tokens), "finish": answer.finish,
    }  # fmt: skip


def _predict(spec: AnswerSpec, inputs: Mapping[str, Path], out: Path, execution: EvalRun, responses: Records) -> None:
    """Let the model predict the supervised tokens of held-out samples."""
    samples = _samples(inputs, spec.items)
    model = load_model(spec, inputs)
    config = model.config.get_text_config()
    context = getattr(config, "max_position_embeddings", None) or 1 << 30
    names = [name for name, _, _ in samples]
    for name, ids, _ in samples:
        if len(ids) > context:
            raise ValueError(
                f"sample {name} has {len(ids)} tokens, the model reads {context}; tokenise with a shorter limit"
            )

    limit = max(1, LOGITS // config.vocab_size)
    for batch in plan([len(ids) for _, ids, _ in samples], rows=execution.batch_rows, tokens=limit):
        if not all(names[row] in responses.records for row in batch):
            found = losses(model, [samples[row][1] for row in batch], [samples[row][2] for row in batch])
            told = zip(batch, found, strict=True)
            responses.add({"id": names[row], "loss": loss, "tokens": tokens} for row, (loss, tokens) in told)
    rows = responses.finish(names)
    _manifest(spec, out, len(rows), {"tokens": sum(row["tokens"] for row in rows)})


def _samples(inputs: Mapping[str, Path], count: int | None) -> list[tuple[str, np.ndarray, np.ndarray]]:
    """Name, ids and supervised flags of each held-out sample; ``count`` keeps the first so many of each input."""
    found = []
    for source in sorted(name for name in inputs if name == "data" or name.startswith("data.")):
        folder, prefix = inputs[source], source.removeprefix("data").removeprefix(".")
        ids, flags, ends = (np.load(folder / f"{part}.npy") for part in ("ids", "supervised", "offsets"))
        for number in range(len(ends) - 1)[:count]:
            name = f"{prefix}/{number}" if prefix else str(number)
            found.append((name, ids[ends[number] : ends[number + 1]], flags[ends[number] : ends[number + 1]]))
    if not found:
        raise ValueError("task 'loss' found no samples; give tokens folders as the inputs data or data.NAME")
    return found


def _distinct(names: list[str]) -> None:
    if len(set(names)) < len(names):
        twice = next(name for place, name in enumerate(names) if name in names[:place])
        raise ValueError(f"two items have the id {twice!r}; ids must differ")


def _manifest(spec: AnswerSpec, out: Path, items: int, counts: Mapping[str, int]) -> None:
    versions = {"torch": torch.__version__, "transformers": transformers.__version__}
    versions |= {spec.engine: version(spec.engine)} if spec.engine != "local" else {}
    record = {
        "task": spec.task,
        "items": items,
        **counts,
        "engine": spec.engine,
        "precision": spec.precision,
        "versions": versions,
    }
    write_json(out / "manifest.json", record)
