"""Load the model under test and its tokenizer, and turn conversations into prompts."""

from __future__ import annotations

import datetime
import json
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from unittest.mock import patch

import torch
from jinja2 import TemplateError
from transformers import AutoModelForCausalLM, AutoTokenizer, GenerationConfig, PreTrainedModel, PreTrainedTokenizerBase
from transformers.utils import chat_template_utils

from common.wording import printable
from eval.engines import devices
from eval.items.thoughts import MARKS, marks_of
from eval.spec.answers import AnswerSpec
from eval.spec.tasks import TASKS

DAY = datetime.date(2024, 7, 26)
"""The day that templates write into prompts: a fixed one, so that the same items always have the same prompts."""

TEMPLATE_SECONDS = 20.0

DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def load_model(spec: AnswerSpec, inputs: Mapping[str, Path]) -> PreTrainedModel:
    """The model in ``spec.precision``, on a GPU if there is one, or on several where `placement` says so.

    Raises ValueError when it cannot be opened, or no GPUs hold it.
    """
    if spec.precision not in DTYPES:
        raise ValueError(f"precision={spec.precision!r} is unknown; choose one of: {', '.join(DTYPES)}")
    source, revision = source_of(spec, inputs)
    places = placement(spec, inputs)
    try:
        model: PreTrainedModel = AutoModelForCausalLM.from_pretrained(
            source, revision=revision, dtype=DTYPES[spec.precision], trust_remote_code=False, device_map=places or None
        )
    except (OSError, ValueError) as error:
        raise ValueError(f"model {source} cannot be opened: {printable(str(error))}") from error
    _check_state(model, source)
    if torch.cuda.is_available() and not places:
        torch.nn.Module.cuda(model)
    model.eval()
    return model


def placement(spec: AnswerSpec, inputs: Mapping[str, Path]) -> dict[str, int]:
    """The GPU of each part of the model where it takes several; empty where one GPU holds it, or there is none.

    Raises ValueError as `load_model` does.
    """
    if not (memory := devices.cards()):
        return {}
    source, revision = source_of(spec, inputs)
    try:
        outline = devices.outline(source, revision, DTYPES[spec.precision])
    except (OSError, ValueError) as error:
        raise ValueError(f"model {source} cannot be opened: {printable(str(error))}") from error
    return devices.device_map(outline, memory, source)


def load_tokenizer(spec: AnswerSpec, inputs: Mapping[str, Path]) -> PreTrainedTokenizerBase:
    """The tokenizer stored with the model, or that of the input ``tokenizer``.

    Raises ValueError when it cannot be opened, or has no chat template and the chat form needs one.
    """
    source, revision = source_of(spec, inputs)
    if "tokenizer" in inputs:
        # A base model has no chat template; training stores one with the tokenised samples.
        source, revision = str(inputs["tokenizer"] / "tokenizer"), "main"
    try:
        tokenizer = AutoTokenizer.from_pretrained(source, revision=revision, trust_remote_code=False)
    except (OSError, ValueError) as error:
        raise ValueError(f"tokenizer of {source} cannot be opened: {printable(str(error))}") from error
    if spec.form == "chat" and not tokenizer.chat_template:
        base = [name for name, kind in TASKS.items() if "completion" in kind.forms]
        raise ValueError(
            f"tokenizer of {source} has no chat template; store one with the model, as training does, or use the "
            f"completion form (form: completion, for the tasks {', '.join(base)})"
        )
    return tokenizer


def _check_state(model: PreTrainedModel, source: str) -> None:
    """Raise ValueError for a model whose layers carry a state: padding and leaving rows would change its answers."""
    if getattr(model, "_is_stateful", False):
        kind = model.config.model_type
        raise ValueError(
            f"model {source} is of type {kind}, whose layers carry a state from token to token; the local engine "
            "would answer wrongly in batches: set backend=vllm, or score answers of another engine with "
            "python -m eval score"
        )


def render(tokenizer: PreTrainedTokenizerBase, messages: list[dict[str, str]], options: str = "") -> str:
    """A conversation in the chat template, up to where the assistant's turn begins. A plain text stays as it is.

    ``options`` is a JSON object of further variables of the template. Templates that ask for the day get `DAY`. Raises
    ValueError for a template that refuses the conversation, or takes longer than `TEMPLATE_SECONDS`.
    """
    if messages[-1]["role"] == "text":
        return messages[-1]["content"]
    variables = json.loads(options or "{}")
    try:
        # Templates ask transformers' function strftime_now, which takes the day from this name.
        with time_limit(TEMPLATE_SECONDS), patch.object(chat_template_utils, "datetime", _Clock):
            text = tokenizer.apply_chat_template(messages, add_generation_prompt=True, tokenize=False, **variables)
    except (TemplateError, TimeoutError) as error:
        system = messages[0]["role"] == "system"
        remedy = "leave out the system turn (system=)" if system else "store another template with the model"
        reason = str(error) or type(error).__name__
        raise ValueError(f"the chat template of {tokenizer.name_or_path} fails ({reason}); {remedy}") from None
    assert isinstance(text, str)  # one conversation, not tokenised
    return text


class _Clock:
    """A clock for templates, on which it is always `DAY`."""

    @staticmethod
    def now() -> datetime.date:
        return DAY


@contextmanager
def time_limit(seconds: float) -> Iterator[None]:
    """Raise TimeoutError in this block after that time; without effect outside of a process's first thread."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(number: int, frame: object) -> None:
        raise TimeoutError(f"not done after {seconds:g} s")

    before = signal.signal(signal.SIGALRM, end)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def thought_marks(tokenizer: PreTrainedTokenizerBase) -> tuple[tuple[str, str], ...]:
    """The marks around thoughts that the tokenizer or its chat template knows; all known ones if there are none."""
    template = tokenizer.chat_template if isinstance(tokenizer.chat_template, str) else ""
    words = {token.content for token in tokenizer.added_tokens_decoder.values()}
    return marks_of({closing for _, closing in MARKS if closing in words or closing in template})


def encode(tokenizer: PreTrainedTokenizerBase, texts: Sequence[str], form: str = "chat") -> list[tuple[int, ...]]:
    """The token ids of rendered prompts.

    A chat template writes the special tokens itself, so the tokenizer adds none in the chat form; in the completion
    form it adds its usual ones. Raises ValueError when a prompt begins with two BOS tokens.
    """
    encoded = tokenizer(list(texts), add_special_tokens=form == "completion")["input_ids"] if texts else []
    for ids in encoded:
        if tokenizer.bos_token_id is not None and ids[:2] == [tokenizer.bos_token_id] * 2:
            raise ValueError("the chat template writes two BOS tokens; remove one from it")
    return [tuple(ids) for ids in encoded]


@contextmanager
def one_thread() -> Iterator[None]:
    """Use one CPU thread.

    More threads gain little on small models, and on a busy machine they can be a hundred times slower.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def end_tokens(config: GenerationConfig | None, tokenizer: PreTrainedTokenizerBase) -> frozenset[int]:
    """The ids that end an answer: the tokenizer's EOS, and the special tokens that the model's generation_config names.

    An ordinary token in generation_config is a default of the architecture, which belongs to another tokenizer.
    """
    # Chat models often end a turn with a token other than EOS.
    named = config.eos_token_id if config else None
    special = {number for number, token in tokenizer.added_tokens_decoder.items() if token.special}
    ids = {*(named if isinstance(named, list) else [named])} & special
    return frozenset(ids | {tokenizer.eos_token_id} - {None})


def source_of(spec: AnswerSpec, inputs: Mapping[str, Path]) -> tuple[str, str]:
    """A hub id or a folder with weights and tokenizer, and its revision."""
    if spec.model_repo:
        return spec.model_repo, spec.model_revision or "main"
    return str(inputs["model"] / spec.model_folder), "main"
