"""What a person reads to see why an answer counts as right or wrong: everything about it in one row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from eval.items.jsonl import Row
from eval.items.source_texts import strings
from eval.spec.item_rows import item_id
from eval.tasks import Benchmark

FILE = "viewer.jsonl"
"""A row an answer, in their order: ``id``, ``item``, ``prompt`` as the model saw it, ``thought`` before the answer ('':
none), ``answer``, ``gold`` (what is right, or the program's own solution), ``read`` (what was read from the answer),
``verdict`` (true, false, or a rating; null without one) and ``reason``."""


def rows(task: Benchmark, items: Mapping[str, Row], responses: Sequence[Row], scores: Sequence[Row]) -> Iterator[Row]:
    """The rows of `FILE`."""
    for response, score in zip(responses, scores, strict=True):
        gold = score.get("gold", "\n".join(strings(items[item_id(response)].get(task.parts[1], ""))))
        yield {
            "id": response["id"], "item": item_id(response), "prompt": response.get("prompt", ""),
            "thought": response.get("thought", ""), "answer": response["text"], "gold": gold,
            "read": score.get("extracted"), "verdict": score.get("correct", score.get("rating")),
            "reason": _reason(response, score),
        }  # fmt: skip


def _reason(response: Row, score: Row) -> str:
    """Why an answer has its verdict, in a few words."""
    if response["finish"] == "context":
        return "the prompt leaves no room for an answer"
    if not response["text"].strip():
        return "the answer is empty" + (": the thought before it was cut off" if response.get("thought") else "")
    if "followed" in score:
        missed = [kind for kind, held in zip(score["instructions"], score["followed"], strict=True) if not held]
        return f"not followed: {', '.join(missed)}" if missed else "all instructions are followed"
    if "rating" in score:
        return "no reply of the judge has a rating" if score["rating"] is None else f"ratings {score['ratings']}"
    if "status" in score:
        return f"program {score['status']}" + (f": {score['error']}" if score.get("error") else "")
    if not score.get("parsed", True):
        return "no answer could be read" + (" (it was cut off)" if response["finish"] == "length" else "")
    return f"read {score.get('extracted')!r}"
