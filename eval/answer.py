"""Stage answer: what a model says to the items of one task, or how well it predicts held-out samples."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import torch
import transformers

from eval.batches import plan
from eval.engines import local
from eval.engines.losses import losses
from eval.models import encode, load_model, load_tokenizer, render
from eval.responses import Responses
from eval.rows import Row, locate, write_json
from eval.spec import AnswerSpec, EvalRun
from eval.tasks import TASKS

LOGITS = 1 << 26  # numbers in one forward pass that keeps the logits of all positions: 256 MiB
TOKENS = 1 << 17  # prompt tokens in one forward pass that keeps only the last


def run(spec: AnswerSpec, inputs: Mapping[str, Path], out: Path, how: EvalRun) -> None:
    """Write responses.jsonl (one record an item, in item order) and manifest.json into ``out``.

    A killed run leaves its finished batches in ``out`` and the next one with the same ``how.key`` goes on from there.
    Batches are planned over all items, whatever is done already, so a resumed run writes the same bytes.
    """
    with _one_thread(), Responses(out, how.key) as responses:
        (_predict if spec.task == "loss" else _ask)(spec, inputs, out, how, responses)


def _ask(spec: AnswerSpec, inputs: Mapping[str, Path], out: Path, how: EvalRun, responses: Responses) -> None:
    """Let the model answer the items."""
    task, decoding = TASKS[spec.task], spec.decoding
    assert decoding is not None  # AnswerSpec has checked it
    items = task.items(locate(inputs["data"], spec.file), spec.reading)[: spec.items]
    _distinct([item["id"] for item in items])
    places = [(item, number) for item in items for number in range(spec.samples)]
    names = [f"{item['id']}#{number}" if spec.samples > 1 else item["id"] for item, number in places]
    own = [{"item": item["id"]} if spec.samples > 1 else {} for item, _ in places]
    tokenizer, model = load_tokenizer(spec, inputs), load_model(spec, inputs)
    before = [{"role": "system", "content": spec.system}] if spec.system else []
    texts = [render(tokenizer, before + task.messages(item)) for item, _ in places]
    tokens = encode(tokenizer, texts)

    def records(batch: Sequence[int]) -> Iterator[Row]:
        prompts = [local.Prompt(names[row], tokens[row]) for row in batch]
        answers = local.answer(model, tokenizer, prompts, decoding=decoding, stops=task.stops)
        for row, found in zip(batch, answers, strict=True):
            yield {
                "id": names[row], **own[row], "prompt": texts[row], "prompt_tokens": len(tokens[row]),
                "text": found.text, "tokens": len(found.tokens), "finish": found.finish,
            }  # fmt: skip

    batches = plan([len(ids) for ids in tokens], rows=how.batch_rows, tokens=TOKENS)
    _fill(responses, names, batches, records)
    rows = responses.finish(names)
    counts = {
        "prompt_tokens": sum(row["prompt_tokens"] for row in rows),
        "tokens": sum(row["tokens"] for row in rows),
        "truncated": sum(row["finish"] == "length" for row in rows),
    }
    _manifest(spec, out, len(rows), counts)


def _predict(spec: AnswerSpec, inputs: Mapping[str, Path], out: Path, how: EvalRun, responses: Responses) -> None:
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

    def records(batch: Sequence[int]) -> Iterator[Row]:
        found = losses(model, [samples[row][1] for row in batch], [samples[row][2] for row in batch])
        for row, (loss, tokens) in zip(batch, found, strict=True):
            yield {"id": names[row], "loss": loss, "tokens": tokens}

    limit = max(1, LOGITS // config.vocab_size)
    _fill(responses, names, plan([len(ids) for _, ids, _ in samples], rows=how.batch_rows, tokens=limit), records)
    rows = responses.finish(names)
    _manifest(spec, out, len(rows), {"tokens": sum(row["tokens"] for row in rows)})


def _fill(
    responses: Responses,
    names: Sequence[str],
    batches: list[list[int]],
    records: Callable[[Sequence[int]], Iterator[Row]],
) -> None:
    """Work through the batches that are not recorded whole."""
    for batch in batches:
        if not all(names[row] in responses.records for row in batch):
            responses.add(records(batch))


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
    record = {
        "task": spec.task,
        "items": items,
        **counts,
        "engine": "local",
        "precision": spec.precision,
        "versions": versions,
    }
    write_json(out / "manifest.json", record)


@contextmanager
def _one_thread() -> Iterator[None]:
    """One thread on the CPU: more of them gain little on small models and lose a hundredfold on a busy machine."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
