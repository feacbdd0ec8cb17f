"""The dollars that a judge may cost: what is spent, and what the calls under way will cost."""

from __future__ import annotations

import math
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from eval.judge.replies import JudgePrompt, Ledger
from eval.spec.judge import REPLY_TOKENS, TOKEN, Judge, JudgeRun


class Budget:
    """Lets a call begin only while what is spent and under way leaves room for it. Safe to use from several threads."""

    def __init__(self, judge: Judge, execution: JudgeRun, ledger: Ledger) -> None:
        self._judge, self._execution, self._ledger = judge, execution, ledger
        self._under_way: dict[str, float] = {}
        self._changed = threading.Condition()

    def estimate(self, prompt: JudgePrompt) -> float:
        """Dollars that a call is expected to cost."""
        return self._price(prompt, min(REPLY_TOKENS, self._judge.max_tokens))

    def _price(self, prompt: JudgePrompt, reply_tokens: int) -> float:
        tokens = sum(len(message["content"]) for message in prompt.messages) / TOKEN
        return self._execution.price(tokens, reply_tokens)

    @contextmanager
    def room(self, prompt: JudgePrompt) -> Iterator[None]:
        """A call, once there is room for it beside those under way; ValueError when there is none without them."""
        cost = self.estimate(prompt)
        with self._changed:
            while cost and self._ledger.spent() + math.fsum(self._under_way.values()) + cost > self._execution.dollars:
                if not self._under_way:
                    raise ValueError(
                        f"judge: ${self._ledger.spent():.2f} of suite.judge_client.dollars="
                        f"{self._execution.dollars:g} are spent; raise it to continue: replies so far are kept"
                    )
                self._changed.wait()
            # What is under way may still grow to the longest reply.
            self._under_way[prompt.name] = self._price(prompt, self._judge.max_tokens)
        try:
            yield
        finally:
            with self._changed:
                del self._under_way[prompt.name]
                self._changed.notify_all()
