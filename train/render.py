"""Turn conversations into token ids and a mask of the tokens that carry loss.

Evaluation renders its prompts with the same templates (`tests/test_templates.py` compares the two).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from transformers import AutoTokenizer, PreTrainedTokenizerBase

from common.hub import download
from train.sources import Message
from train.spec import Hub

TOKENIZER_FILES = ["*.json", "*.jinja", "*.model", "*.txt"]
TEMPLATES = Path(__file__).parent / "templates"
# The token that ends an assistant turn, for templates that do not end it with the tokenizer's own eos_token.
END_OF_TURN = {"chatml": "<|im_end|>"}
# Two answers, since some templates drop or move earlier turns once a later one follows.
PROBE = (Message("user", "one"), Message("assistant", "two"), Message("user", "three"), Message("assistant", "four"))


@dataclass(frozen=True)
class Sample:
    """Token ids, and for each whether it carries loss. The first never does, since nothing predicts it."""

    ids: list[int]
    supervised: list[bool]


class RenderError(ValueError):
    """A conversation that the chat template does not split into prompts and answers."""


def load_tokenizer(folder: Path | None, hub: Hub | None) -> PreTrainedTokenizerBase:
    """The tokenizer of ``folder`` if given, else of the hub model. Raises a ValueError if both are None."""
    if folder is not None:
        return AutoTokenizer.from_pretrained(str(folder))
    if hub is None:
        raise ValueError("no tokenizer: give the input `tokenizer`, or set `tokenizer_hub`")
    return AutoTokenizer.from_pretrained(str(download(hub.repo, hub.revision, TOKENIZER_FILES)))


def template_text(name: str) -> str:
    """The Jinja text of one of this package's chat templates. Raises a ValueError for an unknown name."""
    path = TEMPLATES / f"{name}.jinja"
    if not path.is_file():
        names = ", ".join(sorted(file.stem for file in TEMPLATES.glob("*.jinja")))
        raise ValueError(
            f"template={name!r} is unknown; choose one of: {names}, or 'tokenizer' for the tokenizer's own"
        )
    return path.read_text(encoding="utf-8").rstrip("\n")


def set_template(tokenizer: PreTrainedTokenizerBase, template: str) -> None:
    """Set the tokenizer's chat template by name, and its eos_token to the token that ends a turn of that template.

    'tokenizer' keeps the tokenizer's own template. Raises a ValueError for an unknown name and for a tokenizer that
    lacks a template of its own or the end-of-turn token.
    """
    if template == "tokenizer":
        if not tokenizer.chat_template:
            raise ValueError("template='tokenizer', but this tokenizer has no chat template; name one, such as chatml")
        return
    tokenizer.chat_template = template_text(template)
    end = END_OF_TURN.get(template, tokenizer.eos_token)
    if end is None or end not in tokenizer.get_vocab():
        raise ValueError(
            f"template={template!r} ends a turn with {end or 'eos_token'!r}, which this tokenizer does not have; "
            "choose another template, such as vicuna or alpaca"
        )
    tokenizer.eos_token = end


class Renderer:
    """Turns conversations into samples with one tokenizer and its chat template.

    ``system`` is the system turn for conversations without one ('' for none). ``supervise`` is 'assistant', where the
    answers with their end-of-turn tokens carry loss, or 'all'.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, *, system: str, supervise: str) -> None:
        self.tokenizer, self.system, self.supervise = tokenizer, system, supervise
        self.special = [token for token in tokenizer.all_special_tokens if token]

    def check(self) -> None:
        """Render two short conversations; raise a ValueError if the template does not split them into answers."""
        for turns in (PROBE[:2], PROBE):
            try:
                self.samples([turns])[0].result()
            except RenderError as error:
                raise ValueError(
                    f"the chat template cannot be trained on: with {len(turns)} turns, {error}; "
                    "choose a template of this package, such as chatml, vicuna or alpaca"
                ) from error

    def samples(self, conversations: Sequence[tuple[Message, ...]]) -> list[RenderResult]:
        """The sample of each conversation, or the problem with it, in order."""
        parts = [self._texts(turns) for turns in conversations]
        texts = [text for part in parts for text in part.texts]
        # One call for all texts, since fast tokenizers work on a batch in parallel.
        ids = self.tokenizer(texts, add_special_tokens=False)["input_ids"] if texts else []
        results, start = [], 0
        for turns, part in zip(conversations, parts, strict=True):
            results.append(self._result(turns, part, ids[start : start + len(part.texts)]))
            start += len(part.texts)
        return results

    def _texts(self, turns: tuple[Message, ...]) -> RenderedTexts:
        specials = [token for token in self.special for turn in turns if token in turn.content]
        if specials:
            return RenderedTexts([], f"the text holds {specials[0]!r}, a special token of the tokenizer")
        if turns[0].role == "text":
            return RenderedTexts([turns[0].content])
        messages = [{"role": turn.role, "content": turn.content} for turn in turns]
        if self.system and turns[0].role != "system":
            messages.insert(0, {"role": "system", "content": self.system})
        answers = [number for number, message in enumerate(messages) if message["role"] == "assistant"]
        try:
            # The prompts are rendered as evaluation renders them, and must turn out as beginnings of the whole.
            whole = self._apply(messages, prompt=False)
            return RenderedTexts([whole] + [self._apply(messages[:number], prompt=True) for number in answers])
        except Exception as error:  # templates raise errors of any class
            return RenderedTexts([], f"the template refuses it ({error})")

    def _apply(self, messages: list[dict[str, str]], *, prompt: bool) -> str:
        return str(self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=prompt))

    def _result(self, turns: tuple[Message, ...], rendered: RenderedTexts, ids: list[list[int]]) -> RenderResult:
        if rendered.problem:
            return RenderResult(None, rendered.problem)
        if turns[0].role == "text":
            return RenderResult(self._text_sample(ids[0]))
        try:
            return RenderResult(self._chat_sample(ids[0], ids[1:]))
        except RenderError as error:
            return RenderResult(None, str(error))

    def _text_sample(self, ids: list[int]) -> Sample:
        bos, eos = self.tokenizer.bos_token_id, self.tokenizer.eos_token_id
        framed = ([] if bos is None else [bos]) + ids + ([] if eos is None else [eos])
        return Sample(framed, [False] + [True] * (len(framed) - 1))

    def _chat_sample(self, ids: list[int], prompts: list[list[int]]) -> Sample:
        """Mask the tokens ``ids`` of a conversation; ``prompts`` are the tokens of what precedes each answer.

        Each answer's tokens are those after its prompt, up to and including the next end-of-turn token.
        """
        bos, eos = self.tokenizer.bos_token_id, self.tokenizer.eos_token_id
        if bos is not None and bos != eos and ids.count(bos) > 1:
            raise RenderError(f"it holds {ids.count(bos)} start tokens {self.tokenizer.bos_token!r} instead of one")
        if self.supervise == "all":
            return Sample(ids, [False] + [True] * (len(ids) - 1))
        supervised = [False] * len(ids)
        for number, prompt in enumerate(prompts, start=1):
            if ids[: len(prompt)] != prompt:
                raise RenderError(
                    f"the prompt of answer {number} is not the beginning of the whole conversation in tokens"
                )
            if eos not in ids[len(prompt) :]:
                raise RenderError(f"answer {number} does not end with eos_token {self.tokenizer.eos_token!r}")
            end = ids.index(eos, len(prompt)) + 1
            supervised[len(prompt) : end] = [True] * (end - len(prompt))
        return Sample(ids, supervised)


@dataclass(frozen=True)
class RenderedTexts:
    """The texts to tokenise for one conversation (the whole of it, then the prompt of each answer), or the problem."""

    texts: list[str]
    problem: str = ""


@dataclass(frozen=True)
class RenderResult:
    """A sample, or the reason why there is none."""

    sample: Sample | None
    problem: str = ""

    def result(self) -> Sample:
        """The sample. Raises `RenderError` if there is none."""
        if self.sample is None:
            raise RenderError(self.problem)
        return self.sample
