"""Pairwise grading: which of two models answers better? Each pair is shown in both orders."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from eval.items.jsonl import Row
from eval.items.metrics import Metric, present
from eval.judge import prompts, ratings
from eval.judge.grade import Graded, conversations
from eval.judge.panel import CachedJudge, Judgment
from eval.judge.replies import Question
from eval.tasks.mtbench import clustered

OURS, TIE, THEIRS = 1.0, 0.5, 0.0


def run(
    items: Mapping[str, Row],
    ours: Sequence[Row],
    theirs: Sequence[Row],
    templates: Sequence[prompts.Template],
    repeats: int,
    panel: CachedJudge,
) -> tuple[list[Row], list[Row]]:
    """A score for each pair of answers, and what the judge replied, in both orders and all repeats.

    ValueError when the two did not answer the same questions in the same number of turns.
    """
    pairs = list(_paired(conversations(items, ours), conversations(items, theirs)))
    asked = [question for pair in pairs for question in _questions(*pair, templates, repeats)]
    found = panel.judge(asked, ratings.choice, pairwise=True)
    parts = [found[place : place + 2 * repeats] for place in range(0, len(found), 2 * repeats)]
    scores = [_score(pair[0], part) for pair, part in zip(pairs, parts, strict=True)]
    records = [row for pair, part in zip(pairs, parts, strict=True) for row in _records(pair[0], part)]
    return scores, records


def _paired(ours: Iterator[Graded], theirs: Iterator[Graded]) -> Iterator[tuple[Graded, Graded]]:
    known = {str(one.row["id"]): one for one in theirs}
    for one in ours:
        if str(one.row["id"]) not in known:
            raise ValueError(
                f"answer {one.row['id']} is missing on the other side: compare answers to the same questions"
            )
        yield one, known.pop(str(one.row["id"]))
    if known:
        raise ValueError(f"answer {next(iter(known))} is missing on one side: compare answers to the same questions")


def _questions(one: Graded, other: Graded, templates: Sequence[prompts.Template], repeats: int) -> list[Question]:
    """Both orders of the pair, as often as is to be asked: first ours as A, then ours as B."""
    kind = prompts.pick(templates, pairwise=True, referenced=bool(one.references), turns=one.turn)
    asked = one.item["turns"][: one.turn]
    orders = [{"a": one.answers, "b": other.answers}, {"a": other.answers, "b": one.answers}]
    filled = [prompts.fill(kind, asked, order, one.references) for order in orders]
    return [Question(messages, repeat) for repeat in range(repeats) for messages in filled]


def _score(one: Graded, judgments: Sequence[Judgment[str]]) -> Row:
    """``outcome``: the mean over the repeats that could be read; None when none could."""
    choices = [judgment.verdict for judgment in judgments]
    orders = list(zip(choices[::2], choices[1::2], strict=True))
    outcomes = [outcome(*order) for order in orders]
    kept = [value for value in outcomes if value is not None]
    return {
        "id": one.row["id"], "item": one.item["id"], "turn": one.turn, "category": one.item["category"],
        "outcome": math.fsum(kept) / len(kept) if kept else None, "outcomes": outcomes, "choices": orders,
    }  # fmt: skip


def outcome(first: str | None, second: str | None) -> float | None:
    """Of the choices with ours as A and with ours as B: a side wins only when both say so, otherwise it is a tie."""
    if first is None or second is None:
        return None
    return {("A", "B"): OURS, ("B", "A"): THEIRS}.get((first, second), TIE)


def _records(one: Graded, judgments: Sequence[Judgment[str]]) -> Iterator[Row]:
    for place, judgment in enumerate(judgments):
        second = asdict(judgment.second) if judgment.second else None
        yield {
            "id": one.row["id"], "repeat": place // 2, "ours": "AB"[place % 2], "choice": judgment.verdict,
            "reply": asdict(judgment.reply), "second": second,
        }  # fmt: skip


def metrics(scores: Sequence[Row]) -> list[Metric]:
    """``win_share`` (a tie counts half; 0.5 is par), the rates of wins, ties and losses, by question; ``agreed_rate``:
    how often the two orders agree; ``unparsed_rate``: how often one of them could not be read."""
    read = [row for row in scores if row["outcome"] is not None]
    rates = {"win_rate": OURS, "tie_rate": TIE, "loss_rate": THEIRS}
    return present(
        clustered("win_share", read, lambda row: float(row["outcome"])),
        *(clustered(name, read, _rate(value)) for name, value in rates.items()),
        clustered("agreed_rate", read, _agreed),
        clustered("unparsed_rate", scores, lambda row: row["outcomes"].count(None) / len(row["outcomes"])),
    )


def _rate(value: float) -> Callable[[Mapping[str, Any]], float]:
    """The share of a row's readable repeats that ended so."""

    def rate(row: Mapping[str, Any]) -> float:
        kept = [found for found in row["outcomes"] if found is not None]
        return kept.count(value) / len(kept)

    return rate


def _agreed(row: Mapping[str, Any]) -> float:
    same = {("A", "B"), ("B", "A"), ("C", "C")}
    kept = [tuple(order) for order in row["choices"] if None not in order]
    return sum(order in same for order in kept) / len(kept)
