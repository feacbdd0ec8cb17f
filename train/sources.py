"""Rows of the file formats people have, as conversations. Free of torch; hub libraries are imported only on use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from common.hub import download, split_rows
from common.rows import Row, read_rows
from train.spec import Hub

ROLES = {
    "gsm8k": {"question": "question", "answer": "answer"},
    "alpaca": {"instruction": "instruction", "input": "input", "output": "output"},
    "sharegpt": {"conversations": "conversations", "from": "from", "value": "value"},
    "messages": {"messages": "messages", "role": "role", "content": "content"},
    "completion": {"prompt": "prompt", "completion": "completion"},
    "text": {"text": "text"},
}
SPEAKERS = {"human": "user", "user": "user", "gpt": "assistant", "chatgpt": "assistant", "assistant": "assistant",
            "bot": "assistant", "system": "system"}  # fmt: skip


class BadRow(ValueError):
    """One row that cannot be used: its file, its place there (line 7 or row 7, from 1), the field, the problem."""

    def __init__(self, row: Row, field: str, problem: str) -> None:
        super().__init__(
            f"{row.file}, {row.unit} {row.line}, field {field!r}: {problem}; "
            "correct the row, or set on_bad_row=skip to leave such rows out and count them"
        )
        self.row, self.field, self.problem = row, field, problem


@dataclass(frozen=True)
class Message:
    """One turn; ``role`` is system, user, assistant, or text (a plain text without turns)."""

    role: str
    content: str


def read_hub(hub: Hub, *, file: str, split: str) -> list[Row]:
    """All rows of a hub data set at one revision: of its ``file`` where one is named, else of its ``split``."""
    if file:
        return list(read_rows(download(hub.repo, hub.revision, [file], kind="dataset") / file))
    table = split_rows(hub.repo, hub.revision, None, split)
    return [Row(f"{hub.repo}[{split}]", "row", number, record) for number, record in enumerate(table, start=1)]


def conversation(row: Row, layout: str, fields: Mapping[str, str]) -> tuple[Message, ...]:
    """The turns of a row, ending with an assistant turn if there is one at all; raise `BadRow` if it is malformed."""
    if row.problem:
        raise BadRow(row, "", row.problem)
    if not isinstance(row.record, Mapping):
        raise BadRow(row, "", f"is {type(row.record).__name__}, expected an object with named fields")
    return PARSERS[layout](row, columns(layout, fields))


def columns(layout: str, fields: Mapping[str, str]) -> dict[str, str]:
    """The column of each role of a format: its usual name unless ``fields`` says otherwise."""
    unknown = sorted(set(fields) - set(ROLES[layout]))
    if unknown:
        raise ValueError(f"fields.{unknown[0]}: format {layout!r} has no such role; it has: {', '.join(ROLES[layout])}")
    return ROLES[layout] | dict(fields)


def _text_of(row: Row, record: Any, field: str, *, where: str = "", required: bool = True) -> str:
    """The string in ``field`` of a record; blank or missing is an error where it is required, else ''."""
    name = f"{where}{field}"
    value = record.get(field) if isinstance(record, Mapping) else None
    if value is None:
        if required:
            found = ", ".join(map(str, record)) if isinstance(record, Mapping) else type(record).__name__
            raise BadRow(row, name, f"is missing (found: {found or 'nothing'})")
        return ""
    if not isinstance(value, str):
        raise BadRow(row, name, f"is {type(value).__name__}, expected a text")
    if required and not value.strip():
        raise BadRow(row, name, "is empty")
    return value


def _gsm8k(row: Row, column: Mapping[str, str]) -> tuple[Message, ...]:
    question, answer = _text_of(row, row.record, column["question"]), _text_of(row, row.record, column["answer"])
    if "####" not in answer:
        raise BadRow(row, column["answer"], "has no final answer after '####'")
    return Message("user", question), Message("assistant", answer)


def _alpaca(row: Row, column: Mapping[str, str]) -> tuple[Message, ...]:
    output = column["output"]
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


def _turns(row: Row, list_field: str, role_field: str, text_field: str) -> tuple[Message, ...]:
    turns = row.record.get(list_field)
    if not isinstance(turns, list) or not turns:
        raise BadRow(row, list_field, "is missing or empty" if not turns else f"is {type(turns).__name__}, not a list")
    messages = []
    for number, turn in enumerate(turns):
        where = f"{list_field}[{number}]."
        speaker = _text_of(row, turn, role_field, where=where)
        if speaker not in SPEAKERS:
            raise BadRow(row, where + role_field, f"is {speaker!r}, expected one of: {', '.join(SPEAKERS)}")
        messages.append(Message(SPEAKERS[speaker], _text_of(row, turn, text_field, where=where)))
    _check_order(row, list_field, messages)
    while len(messages) > 1 and messages[-1].role != "assistant":  # a question without an answer teaches nothing
        messages.pop()
    return tuple(messages)


def _check_order(row: Row, list_field: str, messages: list[Message]) -> None:
    spoken = [message.role for message in messages if message.role != "system"]
    for number, role in enumerate(spoken):
        expected = ("user", "assistant")[number % 2]
        if role != expected:
            raise BadRow(row, list_field, f"turn {number + 1} is by the {role}, expected the {expected}")
    if any(message.role == "system" for message in messages[1:]):
        raise BadRow(row, list_field, "has a system turn that is not the first")


PARSERS: dict[str, Callable[[Row, Mapping[str, str]], tuple[Message, ...]]] = {
    "gsm8k": _gsm8k, "alpaca": _alpaca, "sharegpt": _sharegpt, "messages": _messages,
    "completion": _completion, "text": _plain,
}  # fmt: skip
