"""A judge that is a local model, through the same engine that answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from eval.engines.batches import plan
from eval.engines.models import encode, load_tokenizer, one_thread, render
from eval.engines.parallel import EnginePool
from eval.engines.request import Prompt, Request
from eval.judge.replies import Question, Reply
from eval.spec.answers import AnswerSpec, Decoding
from eval.spec.judge import Judge

ROWS = 8
TOKENS = 1 << 16  # prompt tokens in one forward pass


class LocalJudge:
    """The model in ``folder``, once a GPU. Repeats differ only at a temperature above 0, by random numbers of their
    own."""

    def __init__(self, judge: Judge, folder: Path, precision: str) -> None:
        self._decoding = Decoding(judge.max_tokens, judge.temperature, 0)
        spec, inputs = AnswerSpec("judge", "", None, None, None, self._decoding, precision), {"model": folder}
        self._tokenizer, self._several = load_tokenizer(spec, inputs), EnginePool(spec, inputs, None)

    def speak(
        self, questions: Sequence[Question], heard: Callable[[Question, Reply], None], allowed: Callable[[], None]
    ) -> None:
        """As `eval.judge.endpoint.Endpoint.speak`, a batch at a time; costs nothing, so ``allowed`` is not asked."""
        tokens = encode(self._tokenizer, [render(self._tokenizer, question.messages) for question in questions])
        batches = plan([len(ids) for ids in tokens], rows=ROWS, tokens=TOKENS)
        asked = [
            Request(tuple(Prompt(questions[row].name, tokens[row]) for row in batch), self._decoding, ())
            for batch in batches
        ]
        with one_thread():
            for place, answers in self._several.answers(asked):
                for row, found in zip(batches[place], answers, strict=True):
                    heard(questions[row], Reply(found.text, len(tokens[row]), len(found.tokens)))
