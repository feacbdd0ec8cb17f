"""What a model finds likely: its losses on held-out samples, and its log-likelihoods of the choices of an item."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from transformers import PreTrainedModel, PreTrainedTokenizerBase

from eval.engines.batches import plan
from eval.engines.losses import Flags, Ids, losses
from eval.engines.models import encode, load_model, load_tokenizer, source_of
from eval.engines.rows import Rows
from eval.items.jsonl import Row
from eval.spec.answers import AnswerSpec, EvalRun
from eval.stages.records import Records
from eval.tasks import FORMS
from eval.tasks.shots import items_with_shots

MAX_LOGITS = 1 << 26  # numbers in one forward pass that keeps the logits of all positions: 256 MiB in float32

Sample = tuple[str, Ids, Flags]
"""Name, token ids and supervised flags of one sample."""


def measure(
    spec: AnswerSpec, inputs: Mapping[str, Path], execution: EvalRun, responses: Records
) -> tuple[list[Row], Mapping[str, int]]:
    """The finished records, and counts for the manifest: of samples for task loss, else of items with choices."""
    if spec.task == "loss":
        rows = _measured(spec, inputs, _samples(inputs, spec.items), execution, responses)
        finished = responses.finish([row["id"] for row in rows])
        return finished, {"tokens": sum(row["tokens"] for row in finished)}
    items, task = items_with_shots(spec, inputs), FORMS[spec.form][spec.task]
    assert task.continuations is not None
    texts = [(task.messages(item)[0]["content"], task.continuations(item)) for item in items]
    tokenizer = load_tokenizer(spec, inputs)
    encoded = [_continued(tokenizer, prompt, choices) for prompt, choices in texts]
    names = [
        f"{item['id']}/{number}"
        for item, (_, choices) in zip(items, texts, strict=True)
        for number in range(len(choices))
    ]
    samples = [(name, *one) for name, one in zip(names, [one for own in encoded for one in own], strict=True)]
    measured = {row["id"]: row for row in _measured(spec, inputs, samples, execution, responses)}
    for item, (prompt, choices) in zip(items, texts, strict=True):
        own = [-measured[f"{item['id']}/{number}"]["loss"] for number in range(len(choices))]
        best = choices[own.index(max(own))]
        responses.add(
            [{"id": item["id"], "prompt": prompt, "text": best.strip(), "likelihoods": own, "finish": "stop"}]
        )
    finished = responses.finish([item["id"] for item in items])
    return finished, {"choices": len(samples)}


def _measured(
    spec: AnswerSpec, inputs: Mapping[str, Path], samples: Sequence[Sample], execution: EvalRun, responses: Records
) -> list[Row]:
    """A record of each sample: the model's summed loss on its supervised tokens, and their number."""
    model = load_model(spec, inputs)
    # Models that also read images keep the sizes of their language model in a part of the config.
    config: Any = model.config.get_text_config()
    _check_room(samples, getattr(config, "max_position_embeddings", None) or 1 << 30)
    names = [name for name, _, _ in samples]
    # Losses need the logits of every position, and those dominate memory.
    max_tokens = max(1, MAX_LOGITS // config.vocab_size)
    fitting, work = Rows(source_of(spec, inputs)[0], spec.task), partial(_batch, model)
    for batch in plan([len(ids) for _, ids, _ in samples], rows=execution.batch_rows, tokens=max_tokens):
        if not all(names[row] in responses.records for row in batch):
            responses.add(fitting.run(work, [samples[row] for row in batch], lambda sample: len(sample[1])))
    return [responses.records[name] for name in names]


def _batch(model: PreTrainedModel, samples: Sequence[Sample]) -> list[Row]:
    sums = losses(model, [ids for _, ids, _ in samples], [flags for _, _, flags in samples])
    return [
        {"id": name, "loss": loss, "tokens": count} for (name, _, _), (loss, count) in zip(samples, sums, strict=True)
    ]


def _check_room(samples: Sequence[Sample], context: int) -> None:
    """Raise ValueError for a sample that is longer than the model reads."""
    for name, ids, _ in samples:
        if len(ids) > context:
            raise ValueError(
                f"sample {name} has {len(ids)} tokens, the model reads {context}; tokenise with a shorter limit, "
                "or show fewer worked examples"
            )


def _continued(
    tokenizer: PreTrainedTokenizerBase, prompt: str, continuations: Sequence[str]
) -> list[tuple[Ids, Flags]]:
    """The token ids of a prompt with each continuation, and flags on those of the continuation."""
    whole = encode(tokenizer, [prompt + text for text in continuations], "completion")
    (head,) = encode(tokenizer, [prompt], "completion")
    made = []
    for ids in whole:
        # Prompt and continuation are encoded as one text, as in training; where they share a token it counts.
        shared = next(
            (place for place, pair in enumerate(zip(ids, head, strict=False)) if pair[0] != pair[1]), len(head)
        )
        start = max(1, min(shared, len(ids) - 1))
        made.append((np.array(ids, dtype=np.int32), np.arange(len(ids)) >= start))
    return made


def _samples(inputs: Mapping[str, Path], count: int | None) -> list[Sample]:
    """Held-out samples: the first ``count`` of each input (None: all)."""
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
