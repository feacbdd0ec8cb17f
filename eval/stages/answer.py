"""Stage answer: a model's answers to the items of one task, or its losses on held-out samples."""

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
from eval.engines.losses import Flags, Ids, losses
from eval.engines.models import encode, load_model, load_tokenizer, one_thread, render
from eval.engines.parallel import EnginePool
from eval.engines.request import Answer, Prompt, Request
from eval.items.jsonl import Row, locate
from eval.spec.answers import AnswerSpec, EvalRun
from eval.stages.records import Records
from eval.tasks import FORMS, Messages
from eval.tasks.shots import shots

MAX_LOGITS = 1 << 26  # numbers in one forward pass that keeps the logits of all positions: 256 MiB in float32
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
        (_predict if spec.task == "loss" else _answer_items)(spec, inputs, out, execution, responses)


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


def _answer_items(
    spec: AnswerSpec, inputs: Mapping[str, Path], out: Path, execution: EvalRun, responses: Records
) -> None:
    """Let the model answer the items: all first turns, then all second ones after the first answers, and so on."""
    task, decoding = FORMS[spec.form][spec.task], spec.decoding
    assert decoding is not None  # checked by AnswerSpec
    items = task.items(locate(inputs["data"], spec.file), spec.reading)[: spec.items]
    _check_distinct([item["id"] for item in items])
    examples = {"shots": shots(spec, inputs)}
    dialogues = [
        _dialogue(
            item, number if spec.samples > 1 else None, turns(task.messages(item | examples)), decoding.temperature
        )
        for item in items
        for number in range(spec.samples)
    ]
    tokenizer = load_tokenizer(spec, inputs)
    before: dict[str | None, Messages] = {None: [{"role": "system", "content": spec.system}] if spec.system else []}
    with EnginePool(spec, inputs, execution.workers) as engines:
        for number in range(max(map(len, dialogues), default=0)):
            current = [dialogue[number] for dialogue in dialogues if len(dialogue) > number]
            conversations = [before[turn.earlier] + turn.asks for turn in current]
            texts = [render(tokenizer, messages) for messages in conversations]
            # One turn of all dialogues at a time, since the next turn's prompts contain these answers.
            _answer(engines, current, texts, encode(tokenizer, texts, spec.form), spec, execution, responses)
            for turn, messages in zip(current, conversations, strict=True):
                answer = {"role": "assistant", "content": responses.records[turn.id]["text"]}
                before[turn.id] = [*messages, answer]
    rows = responses.finish([turn.id for dialogue in dialogues for turn in dialogue])
    counts = {
        "prompt_tokens": sum(row["prompt_tokens"] for row in rows),
        "tokens": sum(row["tokens"] for row in rows),
        "truncated": sum(row["finish"] == "length" for row in rows),
    }
    _write_manifest(spec, out, len(rows), counts)


def turns(messages: Messages) -> list[Messages]:
    """A conversation cut after each user message that the model is to answer: one not followed by an answer."""
    parts: list[Messages] = [[]]
    for number, message in enumerate(messages):
        parts[-1].append(message)
        following = messages[number + 1]["role"] if number + 1 < len(messages) else None
        if message["role"] == following == "user":
            parts.append([])
    return parts


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


def _answer(
    engines: EnginePool,
    current: Sequence[_Turn],
    texts: Sequence[str],
    tokens: Sequence[tuple[int, ...]],
    spec: AnswerSpec,
    execution: EvalRun,
    responses: Records,
) -> None:
    """Answer the turns that have no record yet, in batches of one temperature; ``texts`` are the rendered prompts."""
    assert spec.decoding is not None
    batches = []
    for temperature in sorted({turn.temperature for turn in current}):
        rows = [row for row, turn in enumerate(current) if turn.temperature == temperature]
        planned = plan([len(tokens[row]) for row in rows], rows=execution.batch_rows, tokens=MAX_TOKENS)
        batches += [[rows[place] for place in batch] for batch in planned]
    # A batch is done again unless all of it is done, so that its composition, and with it rounding, stays the same.
    batches = [batch for batch in batches if not all(current[row].id in responses.records for row in batch)]
    requests = [
        Request(
            tuple(Prompt(current[row].id, tokens[row]) for row in batch),
            replace(spec.decoding, temperature=current[batch[0]].temperature),
            FORMS[spec.form][spec.task].stops,
        )
        for batch in batches
    ]
    for number, answers in engines.answers(requests):
        answered = zip(batches[number], answers, strict=True)
        responses.add(_record(current[row], texts[row], len(tokens[row]), answer) for row, answer in answered)


def _record(turn: _Turn, prompt: str, prompt_tokens: int, answer: Answer) -> Row:
    return {
        "id": turn.id, **turn.fields, "prompt": prompt, "prompt_tokens": prompt_tokens, "text": answer.text,
        "tokens": len(answer.tokens), "finish": answer.finish,
    }  # fmt: skip


def _predict(spec: AnswerSpec, inputs: Mapping[str, Path], out: Path, execution: EvalRun, responses: Records) -> None:
    """Record the model's summed loss on the supervised tokens of each held-out sample."""
    samples = _samples(inputs, spec.items)
    model = load_model(spec, inputs)
    # Models that also read images keep the sizes of their language model in a part of the config.
    config = model.config.get_text_config()
    context = getattr(config, "max_position_embeddings", None) or 1 << 30
    names = [name for name, _, _ in samples]
    for name, ids, _ in samples:
        if len(ids) > context:
            raise ValueError(
                f"sample {name} has {len(ids)} tokens, the model reads {context}; tokenise with a shorter limit"
            )

    # Losses need the logits of every position, and those dominate memory.
    max_tokens = max(1, MAX_LOGITS // config.vocab_size)
    for batch in plan([len(ids) for _, ids, _ in samples], rows=execution.batch_rows, tokens=max_tokens):
        if not all(names[row] in responses.records for row in batch):
            sums = losses(model, [samples[row][1] for row in batch], [samples[row][2] for row in batch])
            measured = zip(batch, sums, strict=True)
            responses.add({"id": names[row], "loss": loss, "tokens": tokens} for row, (loss, tokens) in measured)
    rows = responses.finish(names)
    _write_manifest(spec, out, len(rows), {"tokens": sum(row["tokens"] for row in rows)})


def _samples(inputs: Mapping[str, Path], count: int | None) -> list[tuple[str, Ids, Flags]]:
    """Name, token ids and supervised flags of held-out samples: the first ``count`` of each input (None: all)."""
    samples = []
    for source in sorted(name for name in inputs if name == "data" or name.startswith("data.")):
        folder, prefix = inputs[source], source.removeprefix("data").removeprefix(".")
        ids, flags, ends = (np.load(folder / f"{part}.npy") for part in ("ids", "supervised", "offsets"))
        for number in range(len(ends) - 1)[:count]:
            name = f"{prefix}/{number}" if prefix else str(number)
            samples.append((name, ids[ends[number] : ends[number + 1]], flags[ends[number] : ends[number + 1]]))
    if not samples:
        raise ValueError("task 'loss' found no samples; give tokens folders as the inputs data or data.NAME")
    return samples


def _check_distinct(names: list[str]) -> None:
    if len(set(names)) < len(names):
        twice = next(name for number, name in enumerate(names) if name in names[:number])
        raise ValueError(f"two items have the id {twice!r}; ids must differ")


def _write_manifest(spec: AnswerSpec, out: Path, items: int, counts: Mapping[str, int]) -> None:
    versions = {"torch": torch.__version__, "transformers": transformers.__version__}
    versions |= {spec.engine: version(spec.engine)} if spec.engine != "local" else {}
    manifest = {
        "task": spec.task, "items": items, **counts, "engine": spec.engine, "precision": spec.precision,
        "versions": versions,
    }  # fmt: skip
    write_json(out / "manifest.json", manifest)
