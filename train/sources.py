"""Parse rows of the supported file formats into conversations. Imports neither torch nor, before use, hub libraries."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from common.hub import download, split_rows
from common.rows import Row, read_rows
from train.spec import Hub

FIELDS = {
    "gsm8k": ("question", "answer"),
    "alpaca": ("instruction", "input", "output"),
    "sharegpt": ("conversations", "from", "value"),
    "messages": ("messages", "role", "content"),
    "completion": ("prompt", "completion"),
    "text": ("text",),
}
"""The fields of each format. A source's ``fields`` maps them to its columns where those have other names."""

ROLE_OF_SPEAKER = {
    "human": "user", "user": "user", "gpt": "assistant", "chatgpt": "assistant", "assistant": "assistant",
    "bot": "assistant", "system": "system",
}  # fmt: skip


class BadRow(ValueError):
    """A row that cannot be used. The message names file, position (line 7 or row 7, from 1), field and problem."""

    def __init__(self, row: Row, field: str, problem: str) -> None:
        column = f", field {field!r}" if field else ""
        super().__init__(
            f"{row.file}, {row.unit} {row.line}{column}: {problem}; "
            "correct the row, or set on_bad_row=skip to leave such rows out and count them"
        )
        self.row, self.field, self.problem = row, field, problem


@dataclass(frozen=True)
class Message:
    """One turn of a conversation. ``role`` is system, user or assistant; text marks a plain text without turns."""

    role: str
    content: str


def read_hub(hub: Hub, *, file: str, split: str) -> list[Row]:
    """All rows of a hub data set at one revision: those of ``file``, or of ``split`` if ``file`` is empty.

    Raises a ValueError if the data set cannot be read.
    """
    if file:
        return list(read_rows(download(hub.repo, hub.revision, [file], kind="dataset") / file))
    records = split_rows(hub.repo, hub.revision, None, split)
    return [Row(f"{hub.repo}[{split}]", "row", number, record) for number, record in enumerate(records, start=1)]


def conversation(row: Row, row_format: str, fields: Mapping[str, str]) -> tuple[Message, ...]:
    """The turns of a row of one of the formats in `FIELDS`; ``fields`` maps fields of the format to column names.

    Turns after the last answer are dropped. Raises `BadRow` if the row is malformed, and a ValueError if ``fields``
    names a field that the format does not have.
    """
    if row.problem:
        raise BadRow(row, "", row.problem)
    if not isinstance(row.record, Mapping):
        raise BadRow(row, "", f"is {type(row.record).__name__}, expected an object with named fields")
    return PARSERS[row_format](row, columns(row_format, fields))


def columns(row_format: str, fields: Mapping[str, str]) -> dict[str, str]:
    """The column of each field of a format: the field's own name unless ``fields`` maps it to another.

    Raises a ValueError if ``fields`` names a field that the format does not have.
    """
    names = FIELDS[row_format]
    for name in fields:
        if name not in names:
            raise ValueError(
                f"fields.{name}: format {row_format!r} has no such field; its fields are: {', '.join(names)}"
            )
    return {name: fields.get(name, name) for name in names}


def _text_of(row: Row, record: Any, column: str, *, prefix: str = "", required: bool = True) -> str:
    """The text in ``column`` of a record; a missing one is '' unless required.

    ``prefix`` locates the record within the row, for errors. Raises `BadRow` for a value that is not a text, and for a
    required one that is missing or blank.
    """
    field = f"{prefix}{column}"
    value = record.get(column) if isinstance(record, Mapping) else None
    if value is None:
        if required:
            present = ", ".join(map(str, record)) if isinstance(record, Mapping) else type(record).__name__
            raise BadRow(row, field, f"is missing (found: {present or 'nothing'})")
        return ""
    if not isinstance(value, str):
        raise BadRow(row, field, f"is {type(value).__name__}, expected a text")
    if required and not value.strip():
        raise BadRow(row, field, "is empty")
    return value


def _gsm8k(row: Row, column: Mapping[str, str]) -> tuple[Message, ...]:
    question, answer = _text_of(row, row.record, column["question"]), _text_of(row, row.record, column["answer"])
    if "####" not in answer:  # the mark by which evaluation finds the answer
        raise BadRow(row, column["answer"], "has no final answer after '####'")
    return Message("user", question), Message("assistant", answer)


def _alpaca(row: Row, column: Mapping[str, str]) -> tuple[Message, ...]:
    output = column["output"]
    # Some Alpaca-style files call the output "response".
    if output == "output" and "output" not in row.record and "response" in row.record:
        output = "response"
    instruction = _text_of(row, row.record, column["instruction"])
    context = _text_of(row, row.record, column["input"], required=False)
    answer = _text_of(row, row.record, output)
    request = f"{instruction}\n\n{context}" if context.strip() else instruction
    return Message("user", request), Message("assistant", answer)


def _completion(row: Row, column: Mapping[str, str]) -> tuple[Message, ...]:
    prompt, completion = _text_of(row, row.record, column["prompt"]), _text_of(row, row.record, column["completion"])
    return Message("user", prompt), Message("assistant", completion)


def _plain(row: Row, column: Mapping[str, str]) -> tuple[Message, ...]:
    return (Message("text", _text_of(row, row.record, column["text"])),)


def _sharegpt(row: Row, column: Mapping[str, str]) -> tuple[Message, ...]:
    return _turns(row, column["conversations"], column["from"], column["value"])


def _messages(row: Row, column: Mapping[str, str]) -> tuple[Message, ...]:
    return _turns(row, column["messages"], column["role"], column["content"])


def _turns(row: Row, list_column: str, speaker_column: str, text_column: str) -> tuple[Message, ...]:
    turns = row.record.get(list_column)
    if not isinstance(turns, list) or not turns:
        raise BadRow(row, list_column, "is missing or empty" if not turns else f"is {type(turns).__name__}, not a list")
    messages = []
    for number, turn in enumerate(turns):
        prefix = f"{list_column}[{number}]."
        speaker = _text_of(row, turn, speaker_column, prefix=prefix)
        if speaker not in ROLE_OF_SPEAKER:
            choices = ", ".join(ROLE_OF_SPEAKER)
            raise BadRow(row, prefix + speaker_column, f"is {speaker!r}, expected one of: {choices}")
        messages.append(Message(ROLE_OF_SPEAKER[speaker], _text_of(row, turn, text_column, prefix=prefix)))
    _check_order(row, list_column, messages)
    while len(messages) > 1 and messages[-1].role != "assistant":  # a final turn without an answer carries no loss
        messages.pop()
    return tuple(messages)


def _check_order(row: Row, list_column: str, messages: list[Message]) -> None:
    """Raise `BadRow` unless user and assistant alternate, user first, after at most one system turn."""
    roles = [message.role for message in messages if message.role != "system"]
    for number, role in enumerate(roles):
        expected = ("user", "assistant")[number % 2]
        if role != expected:
            raise BadRow(row, list_column, f"turn {number + 1} is from the {role}, expected the {expected}")
    if any(message.role == "system" for message in messages[1:]):
        raise BadRow(row, list_column, "has a system turn that is not the first")


PARSERS: dict[str, Callable[[Row, Mapping[str, str]], tuple[Message, ...]]] = {
    "gsm8k": _gsm8k, "alpaca": _alpaca, "sharegpt": _sharegpt, "messages": _messages,
    "completion": _completion, "text": _plain,
}  # fmt: skip
