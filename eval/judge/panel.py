"""Send prompts to a judge through its cache of replies, within the budget."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Generic, Protocol, TypeVar

from eval.judge.budget import Budget
from eval.judge.prompts import AGAIN
from eval.judge.replies import JudgePrompt, Ledger, OnReply, Replies, Reply, Room
from eval.spec.judge import Judge, JudgeRun

Value = TypeVar("Value")
"""What is read from a reply: a rating or a choice."""


class JudgeClient(Protocol):
    """Something that replies to prompts: an endpoint or a local model."""

    def ask(self, prompts: Sequence[JudgePrompt], on_reply: OnReply, room: Room) -> None:
        """Get a reply to each prompt and pass it to ``on_reply`` at once, in any order and from any thread.

        ``room`` is entered for each call that costs money; an error from it ends this one.
        """


@dataclass(frozen=True)
class Judgment(Generic[Value]):
    """A judge's reply, and the second reply if the first one was unreadable; ``value`` is None if both were."""

    reply: Reply
    second: Reply | None
    value: Value | None


class CachedJudge:
    """A judge whose replies and spending are kept on disk. ``connect`` is called only for prompts without a reply."""

    def __init__(self, judge: Judge, execution: JudgeRun, connect: Callable[[], JudgeClient]) -> None:
        self._execution, self._judge, self._client = execution, judge, cache(connect)
        self._replies = Replies(Path(execution.cache), judge)
        self._ledger = Ledger(Path(execution.cache), execution.ledger)
        self._budget = Budget(judge, execution, self._ledger)

    def judge(
        self, prompts: Sequence[JudgePrompt], read: Callable[[str], Value | None], pairwise: bool
    ) -> list[Judgment[Value]]:
        """The judgments, in the order of the prompts.

        A reply in which ``read`` finds nothing is sent back once, with the request to state the verdict alone. Raises
        ValueError when the calls would cost, or have cost, more than the budget; replies so far are kept.
        """
        first = self.replies(prompts)
        unread = [number for number, reply in enumerate(first) if read(reply.text) is None]
        again = [_again(prompts[number], first[number], pairwise) for number in unread]
        # Only once: a judge that has not given a verdict twice is not likely to.
        second = dict(zip(unread, self.replies(again), strict=True))
        return [
            Judgment(reply, second.get(number), read(second.get(number, reply).text))
            for number, reply in enumerate(first)
        ]

    def replies(self, prompts: Sequence[JudgePrompt]) -> list[Reply]:
        """A reply to each prompt, from the cache where there is one."""
        # Equal prompts share one reply, as when two answers to a question are the same.
        distinct = {prompt.name: prompt for prompt in prompts}
        replies = {name: reply for name, prompt in distinct.items() if (reply := self._replies.find(prompt))}
        missing = [prompt for name, prompt in distinct.items() if name not in replies]

        def on_reply(prompt: JudgePrompt, reply: Reply) -> None:
            # Charged before it is stored: a kill in between may count a reply twice, but never leaves one unpaid.
            self._ledger.charge(prompt.name, self._execution.price(reply.input_tokens, reply.output_tokens))
            replies[prompt.name] = self._replies.keep(prompt, reply)

        # Without a missing reply the judge is not even connected, so scoring again needs no key.
        if missing:
            self._check_estimate(missing)
            self._client().ask(missing, on_reply, self._budget.room)
        return [replies[prompt.name] for prompt in prompts]

    def _check_estimate(self, prompts: Sequence[JudgePrompt]) -> None:
        """Raise ValueError when the estimated cost of the calls exceeds what is left of the budget."""
        cost, spent = math.fsum(map(self._budget.estimate, prompts)), self._ledger.spent()
        if cost and spent + cost > self._execution.dollars:
            raise ValueError(
                f"judge: {len(prompts)} calls would cost about ${cost:.2f}, and ${spent:.2f} of "
                f"suite.judge_client.dollars={self._execution.dollars:g} are spent; raise it to continue"
            )


def _again(prompt: JudgePrompt, reply: Reply, pairwise: bool) -> JudgePrompt:
    """The prompt with its reply and the request to state the verdict."""
    answer = {"role": "assistant", "content": reply.text or "(nothing)"}
    return JudgePrompt([*prompt.messages, answer, {"role": "user", "content": AGAIN[pairwise]}], prompt.repeat)
