"""Single-answer grading: a judge rates every answer from 1 to 10, as often as ``Judge.repeats`` says."""

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
from eval.judge.replies import JudgePrompt
from eval.spec.item_rows import item_id
from eval.spec.judge import Judge, JudgeRun, missing_settings
from eval.spec.scores import ScoreSpec
from eval.tasks import mtbench


@dataclass(frozen=True)
class GradedAnswer:
    """One answer: its record, its item, its turn (from 1), and all answers of the dialogue up to this turn."""

    response: Row
    item: Row
    turn: int
    answers: tuple[str, ...]

    @property
    def references(self) -> list[str]:
        """The reference answers up to this turn; empty without any."""
        answers: list[str] = self.item["references"]
        return answers[: self.turn]


def run(
    spec: ScoreSpec, inputs: Mapping[str, Path], items: Mapping[str, Row], responses: Sequence[Row], execution: JudgeRun
) -> tuple[list[Row], list[Row], Row]:
    """Grade the answers: the scores (one row per answer), the judge's replies (one per repeat), and summary fields.

    Raises ValueError when the judge cannot be called or paid, RuntimeError when its endpoint keeps failing.
    """
    assert spec.judge is not None  # checked by ScoreSpec
    # Prompts are built for all answers first, so that the cost is known before the first call.
    templates, repeats = prompts.load(inputs.get("prompts")), range(spec.judge.repeats)
    graded = list(dialogues(with_references(items, inputs), responses))
    sent = [(answer, prompt) for answer in graded for prompt in _prompts(answer, templates, repeats)]
    judge = CachedJudge(spec.judge, execution, partial(connect, spec.judge, execution, inputs, spec.precision))
    judgments = judge.judge([prompt for _, prompt in sent], ratings.rating, pairwise=False)
    scores = [
        _score(answer, judgments[number * len(repeats) :][: len(repeats)]) for number, answer in enumerate(graded)
    ]
    return scores, list(_records(sent, judgments)), _summary(spec.judge, judgments, scores)


def connect(judge: Judge, execution: JudgeRun, files: Mapping[str, Path], precision: str) -> JudgeClient:
    """The judge's client: the local model in the folder ``judge`` of ``files``, in ``precision``, else the endpoint.

    Raises ValueError when a setting is missing or the endpoint cannot be used.
    """
    if "judge" in files:
        from eval.judge.local import LocalJudge  # imports torch

        return LocalJudge(judge, files["judge"], precision)
    if missing := missing_settings(judge, execution, os.environ):
        raise ValueError(f"judge: {missing}")
    endpoint = Endpoint(judge, execution)
    endpoint.check()
    return endpoint


def with_references(items: Mapping[str, Row], inputs: Mapping[str, Path]) -> dict[str, Row]:
    """The items, with reference answers from the input ``references`` where it holds some."""
    references = mtbench.references(inputs["references"]) if "references" in inputs else {}
    return {
        name: item | ({"references": references[name]} if name in references else {}) for name, item in items.items()
    }


def dialogues(items: Mapping[str, Row], responses: Sequence[Row]) -> Iterator[GradedAnswer]:
    """Each answer with those of the earlier turns, which come right before it in ``responses``."""
    answers: tuple[str, ...] = ()
    for response in responses:
        turn = response.get("turn", 1)
        answers = (*(answers if turn > 1 else ()), response["text"])
        yield GradedAnswer(response, items[item_id(response)], turn, answers)


def _prompts(answer: GradedAnswer, templates: Sequence[prompts.Template], repeats: range) -> list[JudgePrompt]:
    template = prompts.pick(templates, pairwise=False, referenced=bool(answer.references), turns=answer.turn)
    messages = prompts.fill(template, answer.item["turns"][: answer.turn], {"": answer.answers}, answer.references)
    return [JudgePrompt(messages, repeat) for repeat in repeats]


def _score(answer: GradedAnswer, judgments: Sequence[Judgment[float]]) -> Row:
    """``rating``: the mean of the readable ratings, None without any; ``share``: the same on a scale from 0 to 1."""
    values = [judgment.value for judgment in judgments]
    readable = [rating for rating in values if rating is not None]
    rating = math.fsum(readable) / len(readable) if readable else None
    return {
        "id": answer.response["id"], "item": answer.item["id"], "turn": answer.turn,
        "category": answer.item["category"], "rating": rating,
        "share": None if rating is None else mtbench.share(rating), "ratings": values, "parsed": rating is not None,
    }  # fmt: skip


def _records(sent: Sequence[tuple[GradedAnswer, JudgePrompt]], judgments: Sequence[Judgment[float]]) -> Iterator[Row]:
    for (answer, prompt), judgment in zip(sent, judgments, strict=True):
        second = asdict(judgment.second) if judgment.second else None
        yield {
            "id": answer.response["id"], "repeat": prompt.repeat, "rating": judgment.value,
            "fastchat": ratings.fastchat(judgment.reply.text), "reply": asdict(judgment.reply), "second": second,
        }  # fmt: skip


def _summary(judge: Judge, judgments: Sequence[Judgment[float]], scores: Sequence[Row]) -> Row:
    """Who judged, the number of replies and tokens, the mean rating of each repeat, and FastChat's reading."""
    replies = [reply for judgment in judgments for reply in (judgment.reply, judgment.second) if reply]
    by_repeat = [[row["ratings"][repeat] for row in scores] for repeat in range(judge.repeats)]
    readable = [[rating for rating in column if rating is not None] for column in by_repeat]
    fastchat = [ratings.fastchat(judgment.reply.text) for judgment in judgments]
    return {
        "judge": {
            **asdict(judge),
            "replies": len(replies),
            "input_tokens": sum(reply.input_tokens for reply in replies),
            "output_tokens": sum(reply.output_tokens for reply in replies),
            "asked_twice": sum(judgment.second is not None for judgment in judgments),
            "scores": [math.fsum(column) / len(column) if column else None for column in readable],
        },
        "compatibility": {"fastchat_score": ratings.fastchat_mean(fastchat), "fastchat_unread": fastchat.count(-1.0)},
    }
