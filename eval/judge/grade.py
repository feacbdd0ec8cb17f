"""Single-answer grading: every answer is rated from 1 to 10, as often as the judge's ``repeats`` say."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

from eval.items.jsonl import Row
from eval.judge import prompts, ratings
from eval.judge.endpoint import Endpoint
from eval.judge.panel import CachedJudge, JudgeClient, Judgment
from eval.judge.replies import Question
from eval.spec.judge import Judge, JudgeRun, lacking
from eval.spec.scores import ScoreSpec
from eval.tasks import mtbench


@dataclass(frozen=True)
class Graded:
    """One answer with its item, the number of its turn, and the answers up to and including it."""

    row: Row
    item: Row
    turn: int
    answers: tuple[str, ...]

    @property
    def references(self) -> list[str]:
        answers: list[str] = self.item["references"]
        return answers[: self.turn]


def run(
    spec: ScoreSpec, inputs: Mapping[str, Path], items: Mapping[str, Row], responses: Sequence[Row], execution: JudgeRun
) -> tuple[list[Row], list[Row], Row]:
    """The scores (a row an answer), what the judge replied (a row a repeat), and what else to record."""
    assert spec.judge is not None  # ScoreSpec has checked it
    templates, repeats = prompts.load(inputs.get("prompts")), range(spec.judge.repeats)
    graded = list(conversations(with_references(items, inputs), responses))
    asked = [(one, question) for one in graded for question in _questions(one, templates, repeats)]
    panel = CachedJudge(spec.judge, execution, partial(voice, spec, inputs, execution))
    found = panel.judge([question for _, question in asked], ratings.rating, pairwise=False)
    scores = [_score(one, found[place * len(repeats) :][: len(repeats)]) for place, one in enumerate(graded)]
    return scores, list(_records(asked, found)), _summary(spec.judge, found, scores)


def voice(spec: ScoreSpec, inputs: Mapping[str, Path], execution: JudgeRun) -> JudgeClient:
    """The judge itself, ready to speak: the model of the input ``judge``, else the endpoint."""
    assert spec.judge is not None
    if "judge" in inputs:
        from eval.judge.local import LocalJudge  # torch only when a local model has to speak

        return LocalJudge(spec.judge, inputs["judge"], spec.precision)
    if lacks := lacking(spec.judge, execution, os.environ):
        raise ValueError(f"judge: {lacks}")
    endpoint = Endpoint(spec.judge, execution)
    endpoint.ready()
    return endpoint


def with_references(items: Mapping[str, Row], inputs: Mapping[str, Path]) -> dict[str, Row]:
    """The items with the reference answers of the input ``references``, where there is one and it has them."""
    known = mtbench.references(inputs["references"]) if "references" in inputs else {}
    return {name: item | ({"references": known[name]} if name in known else {}) for name, item in items.items()}


def conversations(items: Mapping[str, Row], responses: Sequence[Row]) -> Iterator[Graded]:
    """Each answer after those before it, which the answers' order puts before it."""
    answers: tuple[str, ...] = ()
    for row in responses:
        turn = row.get("turn", 1)
        answers = (*(answers if turn > 1 else ()), row["text"])
        yield Graded(row, items[str(row.get("item", row["id"]))], turn, answers)


def _questions(one: Graded, templates: Sequence[prompts.Template], repeats: range) -> list[Question]:
    kind = prompts.pick(templates, pairwise=False, referenced=bool(one.references), turns=one.turn)
    messages = prompts.fill(kind, one.item["turns"][: one.turn], {"": one.answers}, one.references)
    return [Question(messages, repeat) for repeat in repeats]


def _score(one: Graded, judgments: Sequence[Judgment[float]]) -> Row:
    """``rating``: the mean of the repeats that could be read, None when none could; ``share``: the same from 0 to 1."""
    found = [judgment.verdict for judgment in judgments]
    kept = [rating for rating in found if rating is not None]
    rating = math.fsum(kept) / len(kept) if kept else None
    return {
        "id": one.row["id"], "item": one.item["id"], "turn": one.turn, "category": one.item["category"],
        "rating": rating, "share": None if rating is None else mtbench.share(rating), "ratings": found,
        "parsed": rating is not None,
    }  # fmt: skip


def _records(asked: Sequence[tuple[Graded, Question]], found: Sequence[Judgment[float]]) -> Iterator[Row]:
    for (one, question), judgment in zip(asked, found, strict=True):
        second = asdict(judgment.second) if judgment.second else None
        yield {
            "id": one.row["id"], "repeat": question.repeat, "rating": judgment.verdict,
            "fastchat": ratings.fastchat(judgment.reply.text), "reply": asdict(judgment.reply), "second": second,
        }  # fmt: skip


def _summary(judge: Judge, found: Sequence[Judgment[float]], scores: Sequence[Row]) -> Row:
    """Who judged, what it took, the score by repeat, and FastChat's reading of the same replies."""
    replies = [reply for judgment in found for reply in (judgment.reply, judgment.second) if reply]
    repeats = [[row["ratings"][place] for row in scores] for place in range(judge.repeats)]
    kept = [[rating for rating in column if rating is not None] for column in repeats]
    foreign = [ratings.fastchat(judgment.reply.text) for judgment in found]
    return {
        "judge": {
            **asdict(judge),
            "replies": len(replies),
            "input_tokens": sum(reply.input_tokens for reply in replies),
            "output_tokens": sum(reply.output_tokens for reply in replies),
            "asked_twice": sum(judgment.second is not None for judgment in found),
            "scores": [math.fsum(column) / len(column) if column else None for column in kept],
        },
        "compatibility": {"fastchat_score": ratings.fastchat_mean(foreign), "fastchat_unread": foreign.count(-1.0)},
    }
