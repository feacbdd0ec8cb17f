"""Turn conversations into token ids and a mask of the tokens that carry loss.

Evaluation renders its prompts with the same templates (`tests/test_templates.py` compares the two).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from transformers import AutoTokenizer, PreTrainedTokenizerBase

from common.hub import TOKENIZER_FILES, download
from common.model_folder import check
from train.sources import Message
from train.spec import Hub

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
    """The tokenizer of ``folder`` if given, else of the hub model.

    Raises a ValueError if both are None or if there are no files of a tokenizer, for which transformers makes an empty
    one for some models.
    """
    if folder is None:
        if hub is None:
            raise ValueError("no tokenizer: give the input `tokenizer`, or set `tokenizer_hub`")
        folder = download(hub.repo, hub.revision, TOKENIZER_FILES)
    check(folder, f"the model {hub.repo!r} at revision {hub.revision!r}" if hub else str(folder), weights=False)
    return AutoTokenizer.from_pretrained(str(folder), trust_remote_code=False)


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
    if end is None:
        raise ValueError(
            f"template={template!r} ends a turn with the tokenizer's eos_token, which this tokenizer does not have; "
            "name one of its tokens as eos_token in its tokenizer_config.json"
        )
    if end not in tokenizer.get_vocab():
        remedy = "choose another template, such as vicuna or alpaca" if template in END_OF_TURN else "correct eos_token"
        raise ValueError(
            f"template={template!r} ends a turn with {end!r}, which this tokenizer does not have; {remedy}"
        )
    tokenizer.eos_token = end


class Renderer:
    """Turns conversations into samples with one tokenizer and its chat template.

    ``system`` is the system turn for conversations without one ('' for none). ``supervise`` is 'assistant', where the
    answers with their end-of-turn tokens carry loss, or 'all'. Raises a ValueError if the system turn holds a special
    token.
    """

    def __init__(self, tokenizer: PreTrainedTokenizerBase, *, system: str, supervise: str) -> None:
        self.tokenizer, self.system, self.supervise = tokenizer, system, supervise
        self.special = special_tokens(tokenizer)
        for token in self.special:
            if token in system:
                raise ValueError(f"system={system!r} holds {token!r}, a special token of the tokenizer; remove it")

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
        for token in self.special:
            if any(token in text for text in texts_of(turns)):
                return RenderedTexts([], f"the text holds {token!r}, a special token of the tokenizer")
        if turns[0].role == "text":
            return RenderedTexts([turns[0].content])
        tools = json.loads(turns[0].content) if turns[0].role == "tools" else None
        messages = [_as_template_input(turn) for turn in turns if turn.role != "tools"]
        if self.system and messages[0]["role"] != "system":
            messages.insert(0, {"role": "system", "content": self.system})
        answers = [number for number, message in enumerate(messages) if message["role"] == "assistant"]
        try:
            # The prompts are rendered as evaluation renders them, and must turn out as beginnings of the whole.
            whole = self._apply(messages, tools, prompt=False)
            if ignored := self._ignored_field(messages, tools, whole):
                remedy = "use a template that does, such as the model's own (template: tokenizer)"
                return RenderedTexts([], f"the chat template does not use it; {remedy}", ignored)
            prompts = [self._apply(messages[:number], tools, prompt=True) for number in answers]
        except Exception as error:  # templates raise errors of any class
            return RenderedTexts([], f"the template refuses it ({error})")
        return RenderedTexts([whole, *prompts])

    def _apply(self, messages: list[dict[str, Any]], tools: list[Any] | None, *, prompt: bool) -> str:
        return str(
            self.tokenizer.apply_chat_template(messages, tools=tools, tokenize=False, add_generation_prompt=prompt)
        )

    def _ignored_field(self, messages: list[dict[str, Any]], tools: list[Any] | None, whole: str) -> str:
        """What of the conversation the template leaves out of the ``whole`` text: a role or field, '' for nothing."""
        for message in messages:
            if message["role"] != "assistant" and message["content"].strip() not in whole:
                return str(message["role"])
        if tools and self._apply(messages, None, prompt=False) == whole:
            return "tools"
        for number, message in enumerate(messages):
            without_calls = {name: value for name, value in message.items() if name != "tool_calls"}
            rest = [*messages[:number], without_calls, *messages[number + 1 :]]
            if without_calls != message and self._apply(rest, tools, prompt=False) == whole:
                return "tool_calls"
        return ""

    def _result(self, turns: tuple[Message, ...], rendered: RenderedTexts, ids: list[list[int]]) -> RenderResult:
        if rendered.problem:
            return RenderResult(None, rendered.problem, rendered.field)
        if turns[0].role == "text":
            return RenderResult(self._text_sample(ids[0]))
        try:
            return RenderResult(self._chat_sample(turns, ids[0], ids[1:]))
        except RenderError as error:
            return RenderResult(None, str(error))

    def _text_sample(self, ids: list[int]) -> Sample:
        bos, eos = self.tokenizer.bos_token_id, self.tokenizer.eos_token_id
        framed = ([] if bos is None else [bos]) + ids + ([] if eos is None else [eos])
        return Sample(framed, [False] + [True] * (len(framed) - 1))

    def _chat_sample(self, turns: tuple[Message, ...], ids: list[int], prompts: list[list[int]]) -> Sample:
        """Mask the tokens ``ids`` of a conversation; ``prompts`` are the tokens of what precedes each answer.

        Each answer's tokens are those after its prompt, up to and including the next end-of-turn token.
        """
        bos, eos = self.tokenizer.bos_token_id, self.tokenizer.eos_token_id
        if bos is not None and bos != eos and ids.count(bos) > 1:
            raise RenderError(f"it holds {ids.count(bos)} start tokens {self.tokenizer.bos_token!r} instead of one")
        answers = [turn for turn in turns if turn.role == "assistant"]
        supervised = [self.supervise == "all"] * len(ids)
        for number, (answer, prompt) in enumerate(zip(answers, prompts, strict=True), start=1):
            if self.supervise == "all" and answer.trained:
                continue
            if ids[: len(prompt)] != prompt:
                raise RenderError(
                    f"the prompt of answer {number} is not the beginning of the whole conversation in tokens"
                )
            if eos not in ids[len(prompt) :]:
                raise RenderError(f"answer {number} does not end with eos_token {self.tokenizer.eos_token!r}")
            end = ids.index(eos, len(prompt)) + 1
            supervised[len(prompt) : end] = [answer.trained] * (end - len(prompt))
        supervised[:1] = [False]  # nothing predicts it, even where the template renders nothing before an answer
        return Sample(ids, supervised)


def special_tokens(tokenizer: PreTrainedTokenizerBase) -> list[str]:
    """The texts that the tokenizer reads as control tokens wherever they stand, those without a role included."""
    added = [token.content for token in tokenizer.added_tokens_decoder.values() if token.special]
    return [token for token in dict.fromkeys([*tokenizer.all_special_tokens, *added]) if token]


def texts_of(turns: Sequence[Message]) -> Iterator[str]:
    """Every text of a conversation that is rendered: what is said, the calls of tools and the tools on offer."""
    for turn in turns:
        yield turn.content
        if turn.tool_calls:
            yield turn.tool_calls


def _as_template_input(turn: Message) -> dict[str, Any]:
    message: dict[str, Any] = {"role": turn.role, "content": turn.content}
    return message | ({"tool_calls": json.loads(turn.tool_calls)} if turn.tool_calls else {})


@dataclass(frozen=True)
class RenderedTexts:
    """The texts to tokenise for one conversation (the whole of it, then the prompt of each answer), or the problem."""

    texts: list[str]
    problem: str = ""
    field: str = ""


@dataclass(frozen=True)
class RenderResult:
    """A sample, or the reason why there is none, with the field of the row that is the cause, if it is one."""

    sample: Sample | None
    problem: str = ""
    field: str = ""

    def result(self) -> Sample:
        """The sample. Raises `RenderError` if there is none."""
        if self.sample is None:
            raise RenderError(f"{self.field}: {self.problem}" if self.field else self.problem)
        return self.sample
