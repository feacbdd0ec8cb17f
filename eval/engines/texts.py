"""The text of generated tokens."""

from __future__ import annotations

from collections.abc import Sequence

from transformers import PreTrainedTokenizerBase

from eval.items.thoughts import MARKS

CONTEXT = 8  # tokens of the prompt behind which an answer is decoded


def answer_text(
    tokenizer: PreTrainedTokenizerBase, tokens: Sequence[int], prompt: Sequence[int], stops: Sequence[str]
) -> str:
    """The text of an answer to a prompt, up to the first stop string."""
    text = decoded(tokenizer, tokens, prompt)
    for stop in stops:
        text = text.partition(stop)[0]
    return text


def decoded(tokenizer: PreTrainedTokenizerBase, tokens: Sequence[int], prompt: Sequence[int] = ()) -> str:
    """The text without special tokens, but with the marks around thoughts.

    It is decoded behind the last tokens of the ``prompt``: on its own an answer loses its first space in tokenizers
    such as Llama's.
    """
    marks = {tokenizer.convert_tokens_to_ids(mark): mark for pair in MARKS for mark in pair}
    special = {number: mark for number, mark in marks.items() if number in tokenizer.all_special_ids}
    text, start = "", 0
    for place in [place for place, token in enumerate(tokens) if token in special] if special else []:
        text += _behind(tokenizer, tokens[start:place], () if start else prompt) + special[tokens[place]]
        start = place + 1
    return _without_ends(tokenizer, text + _behind(tokenizer, tokens[start:], () if start else prompt))


def _behind(tokenizer: PreTrainedTokenizerBase, tokens: Sequence[int], prompt: Sequence[int]) -> str:
    last = list(prompt[-CONTEXT:])
    before, whole = plain(tokenizer, last), plain(tokenizer, [*last, *tokens])
    # A prompt that ends within a character cannot be cut off again.
    return whole[len(before) :] if whole.startswith(before) else plain(tokenizer, tokens)


def plain(tokenizer: PreTrainedTokenizerBase, tokens: Sequence[int]) -> str:
    """The text of tokens on their own, without special ones."""
    text = tokenizer.decode(list(tokens), skip_special_tokens=True)
    assert isinstance(text, str)  # a list of ids decodes to one text
    return text


def _without_ends(tokenizer: PreTrainedTokenizerBase, text: str) -> str:
    """A text up to an end of turn that a model has spelled with ordinary tokens."""
    end = tokenizer.eos_token
    return text.partition(end)[0] if isinstance(end, str) and len(end) > 3 else text
