"""Conversations as token ids, with a mask of the tokens that carry loss. Training and evaluation share the template."""

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
PROBE = (Message("user", "one"), Message("assistant", "two"), Message("user", "three"), Message("assistant", "four"))


@dataclass(frozen=True)
class Sample:
    """Token ids, and for each whether it is a target of the loss (the first never is: nothing predicts it)."""

    ids: list[int]
    supervised: list[bool]


class Unrenderable(ValueError):
    """A conversation that the template cannot turn into a prompt and answers."""


def load_tokenizer(folder: Path | None, hub: Hub | None) -> PreTrainedTokenizerBase:
    """The tokenizer of a folder or of a hub model at one revision."""
    if folder is not None:
        return AutoTokenizer.from_pretrained(str(folder))
    if hub is None:
        raise ValueError("no tokenizer: give the input `tokenizer` or `tokenizer_hub`")
    return AutoTokenizer.from_pretrained(str(download(hub.repo, hub.revision, TOKENIZER_FILES)))


def template_text(name: str) -> str:
    """The Jinja text of a template of this package."""
    path = TEMPLATES / f"{name}.jinja"
    if not path.is_file():
        known = ", ".join(sorted(file.stem for file in TEMPLATES.glob("*.jinja")))
        raise ValueError(
            f"template={name!r} is unknown; choose one of: {known}, or 'tokenizer' for the tokenizer's own"
        )
    return path.read_text(encoding="utf-8").rstrip("\n")


def set_template(tokenizer: PreTrainedTokenizerBase, template: str) -> None:
    """Give the tokenizer a template by name ('tokenizer' keeps its own) and the end-of-turn token that goes with it."""
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
    """Turns conversations into samples with one tokenizer, whose chat template is already set.

    ``system`` is the system turn of conversations that have none ('' for none); ``supervise`` is 'assistant' (the
    answers, each with its end-of-turn token) or 'all'.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, *, system: str, supervise: str) -> None:
        self.tokenizer, self.system, self.supervise = tokenizer, system, supervise
        self.special = [token for token in tokenizer.all_special_tokens if token]

    def check(self) -> None:
        """Raise a ValueError if the template cannot tell prompts from answers, shown on two conversations."""
        for turns in (PROBE[:2], PROBE):
            try:
                self.samples([turns])[0].result()
            except Unrenderable as error:
                raise ValueError(
                    f"the chat template cannot be trained on: with {len(turns)} turns, {error}; "
                    "name another template of this package, such as chatml, vicuna or alpaca"
                ) from error

    def samples(self, conversations: Sequence[tuple[Message, ...]]) -> list[Outcome]:
        """One outcome per conversation, in order."""
        plans = [self._texts(turns) for turns in conversations]
        texts = [text for plan in plans for text in plan.texts]
        ids = self.tokenizer(texts, add_special_tokens=False)["input_ids"] if texts else []
        outcomes, start = [], 0
        for turns, plan in zip(conversations, plans, strict=True):
            outcomes.append(self._outcome(turns, plan, ids[start : start + len(plan.texts)]))
            start += len(plan.texts)
        return outcomes

    def _texts(self, turns: tuple[Message, ...]) -> Texts:
        found = [token for token in self.special for turn in turns if token in turn.content]
        if found:
            return Texts([], f"the text holds {found[0]!r}, a special token of the tokenizer")
        if turns[0].role == "text":
            return Texts([turns[0].content])
        messages = [{"role": turn.role, "content": turn.content} for turn in turns]
        if self.system and turns[0].role != "system":
            messages.insert(0, {"role": "system", "content": self.system})
        answers = [number for number, message in enumerate(messages) if message["role"] == "assistant"]
        try:
            whole = self._apply(messages, prompt=False)
            return Texts([whole] + [self._apply(messages[:number], prompt=True) for number in answers])
        except Exception as error:  # a template raises whatever its author chose
            return Texts([], f"the template refuses it ({error})")

    def _apply(self, messages: list[dict[str, str]], *, prompt: bool) -> str:
        return str(self.tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=prompt))

    def _outcome(self, turns: tuple[Message, ...], plan: Texts, ids: list[list[int]]) -> Outcome:
        if plan.problem:
            return Outcome(None, plan.problem)
        if turns[0].role == "text":
            return Outcome(self._text_sample(ids[0]))
        try:
            return Outcome(self._chat_sample(ids[0], ids[1:]))
        except Unrenderable as error:
            return Outcome(None, str(error))

    def _text_sample(self, ids: list[int]) -> Sample:
        bos, eos = self.tokenizer.bos_token_id, self.tokenizer.eos_token_id
        framed = (
            [token for token in (bos,) if token is not None] + ids + [token for token in (eos,) if token is not None]
        )
        return Sample(framed, [False] + [True] * (len(framed) - 1))

    def _chat_sample(self, ids: list[int], prompts: list[list[int]]) -> Sample:
        bos, eos = self.tokenizer.bos_token_id, self.tokenizer.eos_token_id
        if bos is not None and bos != eos and ids.count(bos) > 1:
            raise Unrenderable(f"it holds {ids.count(bos)} start tokens {self.tokenizer.bos_token!r} instead of one")
        if self.supervise == "all":
            return Sample(ids, [False] + [True] * (len(ids) - 1))
        supervised = [False] * len(ids)
        for number, prompt in enumerate(prompts, start=1):
            if ids[: len(prompt)] != prompt:
                raise Unrenderable(
                    f"the prompt of answer {number} is not the beginning of the whole conversation in tokens"
                )
            if eos not in ids[len(prompt) :]:
                raise Unrenderable(f"answer {number} does not end with eos_token {self.tokenizer.eos_token!r}")
            end = ids.index(eos, len(prompt)) + 1
            supervised[len(prompt) : end] = [True] * (end - len(prompt))
        return Sample(ids, supervised)


@dataclass(frozen=True)
class Texts:
    """What to tokenise for one conversation: the whole, then the prompt of each answer; or the problem."""

    texts: list[str]
    problem: str = ""


@dataclass(frozen=True)
class Outcome:
    """A sample, or the reason why there is none."""

    sample: Sample | None
    problem: str = ""

    def result(self) -> Sample:
        """The sample; raise `Unrenderable` where there is none."""
        if self.sample is None:
            raise Unrenderable(self.problem)
        return self.sample
