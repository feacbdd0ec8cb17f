"""Client of a judge that is a local model, run by the engine that also answers test items."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from eval.engines.batches import plan
from eval.engines.models import encode, load_tokenizer, one_thread, render
from eval.engines.parallel import EnginePool
from eval.engines.request import Prompt, Request
from eval.judge.replies import CheckBudget, JudgePrompt, OnReply, Reply
from eval.spec.answers import AnswerSpec, Decoding
from eval.spec.judge import Judge

BATCH_ROWS = 8
BATCH_TOKENS = 1 << 16  # prompt tokens in one forward pass


class LocalJudge:
    """The model in ``folder``, one copy on each GPU; a `JudgeClient`.

    Repeated prompts get different replies only at a temperature above 0: each repetition has random numbers of its own.
    """

    def __init__(self, judge: Judge, folder: Path, precision: str) -> None:
        self._decoding = Decoding(judge.max_tokens, judge.temperature, 0)
        spec, inputs = AnswerSpec("judge", "", None, None, None, self._decoding, precision), {"model": folder}
        # The model itself is loaded with the first batch, by whichever process needs it.
        self._tokenizer, self._engines = load_tokenizer(spec, inputs), EnginePool(spec, inputs, None)

    def ask(self, prompts: Sequence[JudgePrompt], on_reply: OnReply, check_budget: CheckBudget) -> None:
        """As `JudgeClient.ask`, in batches. A local model costs nothing, so ``check_budget`` is never called."""
        tokens = encode(self._tokenizer, [render(self._tokenizer, prompt.messages) for prompt in prompts])
        batches = plan([len(ids) for ids in tokens], rows=BATCH_ROWS, tokens=BATCH_TOKENS)
        requests = [
            Request(tuple(Prompt(prompts[row].name, tokens[row]) for row in batch), self._decoding, ())
            for batch in batches
        ]
        with one_thread():
            for batch, answers in self._engines.answers(requests):
                for row, answer in zip(batches[batch], answers, strict=True):
                    on_reply(prompts[row], Reply(answer.text, len(tokens[row]), len(answer.tokens)))
