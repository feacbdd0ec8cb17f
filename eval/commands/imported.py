"""Answers that another engine gave, as records of ours: lm-eval's samples, inspect_ai's logs, or our own."""

from __future__ import annotations

import json
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from eval.items.jsonl import Row, read
from eval.items.thoughts import split

ID_FIELDS = ("id", "task_id", "key", "question_id")
"""Fields of a foreign document that may hold the item's own id; without one, its position counts."""

Answers = list[tuple[list[str], str, str]]
"""The names that an answer's item may have, the answer's text, and how it ended."""


def records(path: Path, items: Sequence[str]) -> tuple[list[Row], str]:
    """The answers in a file as records in the order of ``items``, and the name of what wrote it.

    Raises ValueError for a file of another kind, and for an item that has no answer.
    """
    found, engine = _answers(path)
    known = set(items)
    made: dict[str, list[Row]] = {name: [] for name in items}
    # inspect_ai counts samples from 1 where they have no id.
    shift = engine == "inspect_ai" and {names[0] for names, _, _ in found} == {
        str(int(n) + 1) for n in items if n.isdigit()
    }
    for names, text, finish in found:
        own = [str(int(names[0]) - 1)] if shift else [name for name in names if name in known]
        if not own:
            raise ValueError(f"{path}: an answer is to item {' or '.join(names)}, which is not among the items")
        thought = split(text)
        kept = {"thought": thought.thought, "thought_characters": len(thought.thought)} if thought.thought else {}
        made[own[0]].append({"text": thought.answer, **kept, "finish": finish if thought.closed else "length"})
    counts = Counter(len(rows) for rows in made.values())
    if len(counts) > 1:
        name = min(made, key=lambda item: len(made[item]))
        raise ValueError(
            f"{path}: item {name} has {len(made[name])} answers, others have {max(counts)}; give all, or items=N"
        )
    return [
        {"id": name if len(rows) == 1 else f"{name}#{number}", **({"item": name} if len(rows) > 1 else {}), **row}
        for name, rows in made.items()
        for number, row in enumerate(rows)
    ], engine


def _answers(path: Path) -> tuple[Answers, str]:
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as log:
            names = sorted(name for name in log.namelist() if name.startswith("samples/"))
            return list(_of_inspect([json.loads(log.read(name)) for name in names])), "inspect_ai"
    if path.suffix == ".json" and isinstance(held := json.loads(path.read_bytes()), dict) and "samples" in held:
        return list(_of_inspect(held["samples"])), "inspect_ai"
    rows = read(path)
    for engine, (mark, convert) in KINDS.items():
        if rows and all(mark in row for row in rows):
            return list(convert(rows)), engine
    has = ", ".join(rows[0]) if rows else "nothing"
    raise ValueError(f"{path} holds no answers: rows need 'text' (ours) or 'resps' (lm-eval); the first has {has}")


def _of_lm_eval(rows: Sequence[Row]) -> Iterator[tuple[list[str], str, str]]:
    seen: set[str] = set()
    for row in rows:
        doc, position = row.get("doc", {}), str(row.get("doc_id"))
        if position in seen:  # a document is logged once for every filter
            continue
        seen.add(position)
        names = [str(doc[name]) for name in ID_FIELDS if name in doc] + [position]
        for text in _texts(row["resps"]):
            yield names, text, "stop"


def _texts(value: Any) -> list[str]:
    return [text for one in value for text in _texts(one)] if isinstance(value, list) else [str(value)]


def _of_inspect(samples: Sequence[Mapping[str, Any]]) -> Iterator[tuple[list[str], str, str]]:
    for sample in sorted(samples, key=lambda one: int(one.get("epoch", 1))):
        choices = sample["output"].get("choices") or [{}]
        content = choices[0].get("message", {}).get("content", sample["output"].get("completion", ""))
        parts = content if isinstance(content, list) else [{"type": "text", "text": content}]
        text = "".join(part["text"] for part in parts if part.get("type") == "text")
        yield [str(sample["id"])], text, "length" if choices[0].get("stop_reason") == "max_tokens" else "stop"


def _of_ours(rows: Sequence[Row]) -> Iterator[tuple[list[str], str, str]]:
    for row in rows:
        yield [str(row.get("item", row["id"]))], str(row["text"]), str(row.get("finish", "stop"))


KINDS: dict[str, tuple[str, Callable[[Sequence[Row]], Iterator[tuple[list[str], str, str]]]]] = {
    "lm-eval": ("resps", _of_lm_eval), "given": ("text", _of_ours),
}  # fmt: skip
