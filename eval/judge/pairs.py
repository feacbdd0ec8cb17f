"""Pairwise grading: which of two models answered better? The judge sees each pair of answers in both orders."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from eval.items.jsonl import Row
from eval.items.metrics import Metric, present
from eval.judge import prompts, ratings
from eval.judge.grade import GradedAnswer, dialogues
from eval.judge.panel import CachedJudge, Judgment
from eval.judge.replies import JudgePrompt
from eval.tasks.mtbench import clustered

WIN, TIE, LOSS = 1.0, 0.5, 0.0

Pair = tuple[GradedAnswer, GradedAnswer]


def run(
    items: Mapping[str, Row],
    ours: Sequence[Row],
    theirs: Sequence[Row],
    templates: Sequence[prompts.Template],
    repeats: int,
    judge: CachedJudge,
) -> tuple[list[Row], list[Row]]:
    """Compare two models' answers: a score for each pair, and the judge's replies in both orders and all repeats.

    Raises ValueError when the two did not answer the same questions in the same number of turns.
    """
    pairs = list(_paired(dialogues(items, ours), dialogues(items, theirs)))
    # All pairs at once, so that their calls run side by side.
    sent = [prompt for pair in pairs for prompt in _prompts(*pair, templates, repeats)]
    judgments = judge.judge(sent, ratings.choice, pairwise=True)
    by_pair = [judgments[start : start + 2 * repeats] for start in range(0, len(judgments), 2 * repeats)]
    scores = [_score(pair[0], own) for pair, own in zip(pairs, by_pair, strict=True)]
    records = [row for pair, own in zip(pairs, by_pair, strict=True) for row in _records(pair[0], own)]
    return scores, records


def _paired(ours: Iterator[GradedAnswer], theirs: Iterator[GradedAnswer]) -> Iterator[Pair]:
    others = {str(answer.response["id"]): answer for answer in theirs}
    for answer in ours:
        name = str(answer.response["id"])
        if name not in others:
            raise ValueError(f"answer {name} is missing on the other side: compare answers to the same questions")
        yield answer, others.pop(name)
    if others:
        raise ValueError(f"answer {next(iter(others))} is missing on one side: compare answers to the same questions")


def _prompts(
    ours: GradedAnswer, theirs: GradedAnswer, templates: Sequence[prompts.Template], repeats: int
) -> list[JudgePrompt]:
    """Both orders of a pair, for each repeat: first ours as A, then ours as B."""
    template = prompts.pick(templates, pairwise=True, referenced=bool(ours.references), turns=ours.turn)
    questions = ours.item["turns"][: ours.turn]
    orders = [{"a": ours.answers, "b": theirs.answers}, {"a": theirs.answers, "b": ours.answers}]
    # Judges prefer an answer for its position, so each pair is shown both ways round.
    both = [prompts.fill(template, questions, order, ours.references) for order in orders]
    return [JudgePrompt(messages, repeat) for repeat in range(repeats) for messages in both]


def _score(ours: GradedAnswer, judgments: Sequence[Judgment[str]]) -> Row:
    """``outcome``: the mean over the readable repeats; None without any."""
    choices = [judgment.value for judgment in judgments]
    orders = list(zip(choices[::2], choices[1::2], strict=True))
    outcomes = [outcome(*order) for order in orders]
    readable = [value for value in outcomes if value is not None]
    return {
        "id": ours.response["id"], "item": ours.item["id"], "turn": ours.turn, "category": ours.item["category"],
        "outcome": math.fsum(readable) / len(readable) if readable else None, "outcomes": outcomes, "choices": orders,
    }  # fmt: skip


def outcome(first: str | None, second: str | None) -> float | None:
    """The outcome of a pair from the choices with ours as A and with ours as B.

    A side wins only when both orders say so; otherwise it is a tie (Zheng et al. 2023, arXiv:2306.05685). None when a
    choice could not be read.
    """
    if first is None or second is None:
        return None
    return {("A", "B"): WIN, ("B", "A"): LOSS}.get((first, second), TIE)


def _records(ours: GradedAnswer, judgments: Sequence[Judgment[str]]) -> Iterator[Row]:
    for number, judgment in enumerate(judgments):
        second = asdict(judgment.second) if judgment.second else None
        yield {
            "id": ours.response["id"], "repeat": number // 2, "ours": "AB"[number % 2], "choice": judgment.value,
            "reply": asdict(judgment.reply), "second": second,
        }  # fmt: skip


def metrics(scores: Sequence[Row]) -> list[Metric]:
    """``win_share``, the rates of wins, ties and losses, ``agreed_rate`` and ``unparsed_rate``.

    In ``win_share`` a tie counts half, so 0.5 is par. ``agreed_rate`` says how often both orders lead to the same
    winner, ``unparsed_rate`` how often one of them could not be read. Standard errors are clustered by question.
    """
    readable = [row for row in scores if row["outcome"] is not None]
    rates = {"win_rate": WIN, "tie_rate": TIE, "loss_rate": LOSS}
    return present(
        clustered("win_share", readable, lambda row: float(row["outcome"])),
        *(clustered(name, readable, _rate_of(value)) for name, value in rates.items()),
        clustered("agreed_rate", readable, _agreed),
        clustered("unparsed_rate", scores, lambda row: row["outcomes"].count(None) / len(row["outcomes"])),
    )


def _rate_of(value: float) -> Callable[[Mapping[str, Any]], float]:
    """A function that gives the share of a row's readable repeats with that outcome."""

    def rate(row: Mapping[str, Any]) -> float:
        readable = [outcome for outcome in row["outcomes"] if outcome is not None]
        return readable.count(value) / len(readable)

    return rate


def _agreed(row: Mapping[str, Any]) -> float:
    """The share of a row's readable repeats in which both orders lead to the same winner."""
    same = {("A", "B"), ("B", "A"), ("C", "C")}
    readable = [tuple(order) for order in row["choices"] if None not in order]
    return sum(order in same for order in readable) / len(readable)
