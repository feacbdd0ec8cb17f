"""Client of a judge that is a local model, run by the engine that also answers test items."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from eval.engines.batches import plan
from eval.engines.models import encode, load_tokenizer, one_thread, render
from eval.engines.parallel import EnginePool
from eval.engines.request import Prompt, Request
from eval.judge.prompts import Messages
from eval.judge.replies import JudgePrompt, OnReply, Reply, Room
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

    def ask(self, prompts: Sequence[JudgePrompt], on_reply: OnReply, room: Room) -> None:
        """As `JudgeClient.ask`, in batches. A local model costs nothing, so ``room`` is never entered."""
        tokens = encode(self._tokenizer, [self._rendered(prompt.messages) for prompt in prompts])
        batches = plan([len(ids) for ids in tokens], rows=BATCH_ROWS, tokens=BATCH_TOKENS)
        requests = [
            Request(tuple(Prompt(prompts[row].name, tokens[row]) for row in batch), self._decoding, ())
            for batch in batches
        ]
        with one_thread():
            for batch, answers in self._engines.answers(requests):
                for row, answer in zip(batches[batch], answers, strict=True):
                    on_reply(prompts[row], Reply(answer.text, len(tokens[row]), len(answer.tokens)))

    def _rendered(self, messages: Messages) -> str:
        """The conversation in the judge's chat template, its system turn before the user's where that has none."""
        try:
            return render(self._tokenizer, messages)
        except ValueError:
            if messages[0]["role"] != "system":
                raise
        first = {"role": "user", "content": f"{messages[0]['content']}\n\n{messages[1]['content']}"}
        return render(self._tokenizer, [first, *messages[2:]])
