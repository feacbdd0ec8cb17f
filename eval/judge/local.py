"""A judge that is a local model, through the same engine that answers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from eval.batches import plan
from eval.engines import local
from eval.judge.replies import Question, Reply
from eval.judge.spec import Judge
from eval.models import encode, load_model, load_tokenizer, one_thread, render
from eval.spec import AnswerSpec, Decoding

ROWS = 8
TOKENS = 1 << 16  # prompt tokens in one forward pass


class LocalJudge:
    """The model in ``folder``. Repeats differ only at a temperature above 0, by random numbers of their own."""

    def __init__(self, judge: Judge, folder: Path, precision: str) -> None:
        self.decoding = Decoding(judge.max_tokens, judge.temperature, 0)
        spec = AnswerSpec("exact_match", "", None, None, None, self.decoding, precision)
        self.model, self.tokenizer = load_model(spec, {"model": folder}), load_tokenizer(spec, {"model": folder})

    def speak(
        self, questions: Sequence[Question], heard: Callable[[Question, Reply], None], allowed: Callable[[], None]
    ) -> None:
        """As `eval.judge.endpoint.Endpoint.speak`, a batch at a time; costs nothing, so ``allowed`` is not asked."""
        tokens = encode(self.tokenizer, [render(self.tokenizer, question.messages) for question in questions])
        for batch in plan([len(ids) for ids in tokens], rows=ROWS, tokens=TOKENS):
            rows = [local.Prompt(questions[place].name, tokens[place]) for place in batch]
            with one_thread():
                answers = local.answer(self.model, self.tokenizer, rows, decoding=self.decoding, stops=())
            for place, found in zip(batch, answers, strict=True):
                heard(questions[place], Reply(found.text, len(tokens[place]), len(found.tokens)))
