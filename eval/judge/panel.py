"""Put prompts to a judge: what was asked before is not asked again, and nothing is spent above the cap."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from eval.judge.prompts import AGAIN
from eval.judge.replies import Ledger, Question, Replies, Reply
from eval.spec.judge import REPLY_TOKENS, TOKEN, Judge, JudgeRun

Verdict = TypeVar("Verdict")


class JudgeClient(Protocol):
    """What replies to prompts: an endpoint, or a local model."""

    def speak(
        self, questions: Sequence[Question], heard: Callable[[Question, Reply], None], allowed: Callable[[], None]
    ) -> None:
        """Give the reply to each question to ``heard``; ``allowed`` raises to prevent a further one."""


@dataclass(frozen=True)
class Judgment(Generic[Verdict]):
    """The judge's reply, a second one where the first could not be read, and the verdict; None: neither could be."""

    reply: Reply
    second: Reply | None
    verdict: Verdict | None


class CachedJudge:
    """A judge with its kept replies and its ledger. ``voice`` is made only when something has to be asked."""

    def __init__(self, judge: Judge, execution: JudgeRun, voice: Callable[[], JudgeClient]) -> None:
        self._how, self._judge, self._voice = execution, judge, cache(voice)
        self._replies = Replies(Path(execution.cache), judge)
        self._ledger = Ledger(Path(execution.cache), execution.ledger)

    def judge(
        self, questions: Sequence[Question], read: Callable[[str], Verdict | None], pairwise: bool
    ) -> list[Judgment[Verdict]]:
        """The judgments in order. A reply that ``read`` makes nothing of is asked for once more, with the reason."""
        first = self._replied(questions)
        unread = [place for place, reply in enumerate(first) if read(reply.text) is None]
        again = [_again(questions[place], first[place], pairwise) for place in unread]
        second = dict(zip(unread, self._replied(again), strict=True))
        return [
            Judgment(reply, second.get(place), read(second.get(place, reply).text)) for place, reply in enumerate(first)
        ]

    def _replied(self, questions: Sequence[Question]) -> list[Reply]:
        """A reply to each question, from those that are kept where there is one. ValueError when it would cost more
        than the cap leaves."""
        asked = {question.name: question for question in questions}
        found = {name: reply for name, question in asked.items() if (reply := self._replies.find(question))}
        missing = [question for name, question in asked.items() if name not in found]

        def heard(question: Question, reply: Reply) -> None:
            self._ledger.charge(question.name, self._how.price(reply.input_tokens, reply.output_tokens))
            found[question.name] = self._replies.keep(question, reply)

        if missing:
            self._affordable(missing)
            self._voice().speak(missing, heard, self._allowed)
        return [found[question.name] for question in questions]

    def _affordable(self, questions: Sequence[Question]) -> None:
        tokens = sum(len(message["content"]) for question in questions for message in question.messages) / TOKEN
        replies = len(questions) * min(REPLY_TOKENS, self._judge.max_tokens)
        asked, spent = self._how.price(tokens, replies), self._ledger.spent()
        if asked and spent + asked > self._how.dollars:
            raise ValueError(
                f"judge: {len(questions)} calls would cost about ${asked:.2f}, and ${spent:.2f} of "
                f"suite.judge_client.dollars={self._how.dollars:g} are spent; raise it to go on"
            )

    def _allowed(self) -> None:
        spent = self._ledger.spent()
        if spent >= self._how.dollars:
            raise ValueError(
                f"judge: ${spent:.2f} of suite.judge_client.dollars={self._how.dollars:g} are spent; raise it to go "
                "on: replies so far are kept"
            )


def _again(question: Question, reply: Reply, pairwise: bool) -> Question:
    """The question with its reply and the request to state the verdict."""
    said = {"role": "assistant", "content": reply.text or "(nothing)"}
    return Question([*question.messages, said, {"role": "user", "content": AGAIN[pairwise]}], question.repeat)
