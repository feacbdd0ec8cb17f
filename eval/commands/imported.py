"""Answers that another engine gave, as records of ours: lm-eval's samples, inspect_ai's logs, or our own."""

from __future__ import annotations

import json
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from common.wording import plural
from eval.items.jsonl import Row, field, read
from eval.items.thoughts import split

ID_FIELDS = ("id", "task_id", "key", "question_id")
"""Fields of a foreign document that may hold the item's own id; without one, its position counts."""

Answer = tuple[list[str], str, str]
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
        few = plural(len(made[name]), "answer")
        raise ValueError(f"{path}: item {name} has {few}, others have {max(counts)}; give all, or items=N")
    return [
        {"id": name if len(rows) == 1 else f"{name}#{number}", **({"item": name} if len(rows) > 1 else {}), **row}
        for name, rows in made.items()
        for number, row in enumerate(rows)
    ], engine


def _answers(path: Path) -> tuple[list[Answer], str]:
    if (samples := _inspect_samples(path)) is not None:
        return _foreign(path, "inspect_ai", _of_inspect, samples), "inspect_ai"
    rows = read(path)
    if rows and "resps" in rows[0]:
        return _foreign(path, "lm-eval", _of_lm_eval, rows), "lm-eval"
    if rows and "text" in rows[0]:
        return [_of_ours(path, number, row) for number, row in enumerate(rows)], "given"
    has = ", ".join(rows[0]) if rows else "nothing"
    raise ValueError(f"{path} holds no answers: rows need 'text' (ours) or 'resps' (lm-eval); the first has {has}")


def _inspect_samples(path: Path) -> Any:
    """The samples in a log of inspect_ai, which is an archive or JSON; None for another file."""
    try:
        if zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as log:
                names = sorted(name for name in log.namelist() if name.startswith("samples/"))
                return [json.loads(log.read(name)) for name in names]
        if path.suffix == ".json" and isinstance(found := json.loads(path.read_bytes()), dict):
            return found.get("samples")
    except ValueError as problem:
        raise ValueError(f"{path} is neither JSON nor a log of inspect_ai: {problem}") from None
    return None


def _foreign(path: Path, engine: str, convert: Callable[[Any], Iterator[Answer]], rows: Any) -> list[Answer]:
    """The answers in what ``engine`` wrote. Raises ValueError where it is not laid out as it writes it."""
    try:
        answers = list(convert(rows))
    except (KeyError, TypeError, AttributeError, IndexError) as problem:
        raise ValueError(f"{path} is not laid out as {engine} writes it: {type(problem).__name__} {problem}") from None
    if not answers:
        raise ValueError(f"{path} holds no answers")
    return answers


def _of_lm_eval(rows: Sequence[Row]) -> Iterator[Answer]:
    seen: set[str] = set()
    for row in rows:
        doc, position = row.get("doc", {}), str(row.get("doc_id"))
        if position in seen:  # a document is logged once for every filter
            continue
        seen.add(position)
        names = [str(doc[name]) for name in ID_FIELDS if isinstance(doc, dict) and name in doc] + [position]
        for text in _texts(row["resps"]):
            yield names, text, "stop"


def _texts(value: Any) -> list[str]:
    return [text for one in value for text in _texts(one)] if isinstance(value, list) else [str(value)]


def _of_inspect(samples: Sequence[Mapping[str, Any]]) -> Iterator[Answer]:
    for sample in sorted(samples, key=lambda one: int(one.get("epoch", 1))):
        choices = sample["output"].get("choices") or [{}]
        content = choices[0].get("message", {}).get("content", sample["output"].get("completion", ""))
        parts = content if isinstance(content, list) else [{"type": "text", "text": content or ""}]
        text = "".join(part["text"] for part in parts if part.get("type") == "text")
        yield [str(sample["id"])], text, "length" if choices[0].get("stop_reason") == "max_tokens" else "stop"


def _of_ours(path: Path, number: int, row: Row) -> Answer:
    name = field(path, number, row, "item" if "item" in row else "id", (str, int, float))
    return [str(name)], field(path, number, row, "text", str), str(row.get("finish") or "stop")
