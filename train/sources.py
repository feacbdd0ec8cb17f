"""Parse rows of the supported file formats into conversations. Does not import torch."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from common.rows import Row
from train.cleaning import Cleaner, Turn, order_problem

FIELDS = {
    "gsm8k": ("question", "answer"),
    "alpaca": ("instruction", "input", "output", "system", "history"),
    "sharegpt": ("conversations", "from", "value", "system", "tools"),
    "messages": ("messages", "role", "content", "system", "tools"),
    "completion": ("prompt", "completion"),
    "text": ("text",),
}
"""The fields of each format. A source's ``fields`` maps them to its columns where those have other names."""

ROLE_OF_SPEAKER = {
    "human": "user", "user": "user", "gpt": "assistant", "chatgpt": "assistant", "assistant": "assistant",
    "bot": "assistant", "system": "system", "tool": "tool",
}  # fmt: skip

UNUSED_FIELDS = {
    "functions": "give tools instead", "function_call": "give tool_calls instead", "images": "only text is trained on",
    "audios": "only text is trained on", "videos": "only text is trained on",
}  # fmt: skip
"""Fields that change what a row means, and that no format here uses, with the remedy."""


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
    """One turn of a conversation. ``role`` is system, user, assistant or tool.

    Two roles are not turns: text marks a plain text, and tools, always first, the JSON list of the tools on offer.
    An answer that is not ``trained`` carries no loss. ``tool_calls`` is a JSON list, '' for none.
    """

    role: str
    content: str
    trained: bool = True
    tool_calls: str = ""


def conversation(
    row: Row, row_format: str, fields: Mapping[str, str], cleaner: Cleaner | None = None
) -> tuple[Message, ...]:
    """The turns of a row of one of the formats in `FIELDS`; ``fields`` maps fields of the format to column names.

    Turns after the last answer are dropped. Raises `BadRow` if the row is malformed after the steps of the ``cleaner``,
    `LeftOut` if one of them leaves it out, and a ValueError if ``fields`` names a field that the format does not have.
    """
    if row.problem:
        raise BadRow(row, "", row.problem)
    if not isinstance(row.record, Mapping):
        raise BadRow(row, "", f"is {type(row.record).__name__}, expected an object with named fields")
    column = columns(row_format, fields)
    if row_format != "text":
        _check_unused(row, row.record, "")
    turns = PARSERS[row_format](row, column)
    turns = (cleaner or Cleaner()).clean(turns)
    _check_turns(row, turns, column[FIELDS[row_format][0]])
    while len(turns) > 1 and turns[-1].role != "assistant":  # a final turn without an answer carries no loss
        turns.pop()
    messages = [Message(turn.role, turn.content or "", turn.trained, turn.tool_calls) for turn in turns]
    if "tools" in column and (tools := _json_list(row, row.record, column["tools"])):
        messages.insert(0, Message("tools", tools))
    return tuple(messages)


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
    required one that is missing or null.
    """
    field = f"{prefix}{column}"
    value = record.get(column) if isinstance(record, Mapping) else None
    if value is None:
        if required and isinstance(record, Mapping) and column in record:
            raise BadRow(row, field, "is null")
        if required:
            present = ", ".join(map(str, record)) if isinstance(record, Mapping) else type(record).__name__
            raise BadRow(row, field, f"is missing (found: {present or 'nothing'})")
        return ""
    if not isinstance(value, str):
        raise BadRow(row, field, f"is {type(value).__name__}, expected a text")
    return value


def _turn(row: Row, role: str, column: str) -> Turn:
    return Turn(role, _text_of(row, row.record, column), column)


def _gsm8k(row: Row, column: Mapping[str, str]) -> list[Turn]:
    turns = [_turn(row, "user", column["question"]), _turn(row, "assistant", column["answer"])]
    if not turns[1].empty and "####" not in str(turns[1].content):  # the mark by which evaluation finds the answer
        raise BadRow(row, column["answer"], "has no final answer after '####'")
    return turns


def _alpaca(row: Row, column: Mapping[str, str]) -> list[Turn]:
    output = column["output"]
    # Some Alpaca-style files call the output "response".
    if output == "output" and "output" not in row.record and "response" in row.record:
        output = "response"
    request = _turn(row, "user", column["instruction"])
    context = _text_of(row, row.record, column["input"], required=False)
    if context.strip() and not request.empty:
        request = Turn("user", f"{request.content}\n\n{context}", request.field)
    return [*_system(row, column), *_history(row, column["history"]), request, _turn(row, "assistant", output)]


def _history(row: Row, column: str) -> list[Turn]:
    """The earlier turns of an Alpaca row: pairs of a question and an answer."""
    turns = []
    pairs = row.record.get(column) or []
    for number, pair in enumerate(pairs if isinstance(pairs, list) else [pairs]):
        if not (isinstance(pair, list) and len(pair) == 2 and all(isinstance(text, str) for text in pair)):
            raise BadRow(row, column, f"entry {number + 1} is {pair!r:.60}, expected a question and its answer")
        turns += [Turn("user", pair[0], column), Turn("assistant", pair[1], column)]
    return turns


def _system(row: Row, column: Mapping[str, str]) -> list[Turn]:
    """The system turn that stands in a column of its own, if there is one."""
    text = _text_of(row, row.record, column["system"], required=False)
    return [Turn("system", text, column["system"])] if text.strip() else []


def _completion(row: Row, column: Mapping[str, str]) -> list[Turn]:
    return [_turn(row, "user", column["prompt"]), _turn(row, "assistant", column["completion"])]


def _plain(row: Row, column: Mapping[str, str]) -> list[Turn]:
    return [_turn(row, "text", column["text"])]


def _sharegpt(row: Row, column: Mapping[str, str]) -> list[Turn]:
    return _turns(row, column["conversations"], column["from"], column["value"], _system(row, column))


def _messages(row: Row, column: Mapping[str, str]) -> list[Turn]:
    return _turns(row, column["messages"], column["role"], column["content"], _system(row, column))


def _turns(row: Row, list_column: str, speaker_column: str, text_column: str, system: list[Turn]) -> list[Turn]:
    """The ``system`` turn and those in a list of objects."""
    entries = row.record.get(list_column)
    if not isinstance(entries, list):
        problem = "is missing" if entries is None else f"is {type(entries).__name__}, not a list"
        raise BadRow(row, list_column, problem)
    turns = list(system)
    for number, entry in enumerate(entries):
        prefix = f"{list_column}[{number}]."
        speaker = _text_of(row, entry, speaker_column, prefix=prefix)
        _check_unused(row, entry, prefix)
        calls = _json_list(row, entry, "tool_calls", prefix=prefix)
        null = text_column in entry and entry[text_column] is None  # usual beside tool calls
        content = None if null else _text_of(row, entry, text_column, prefix=prefix, required=not calls)
        trained = _is_trained(row, entry, prefix)
        role = ROLE_OF_SPEAKER.get(speaker, "")
        turns.append(Turn(role, content, prefix + (text_column if role else speaker_column), speaker, trained, calls))
    return turns


def _is_trained(row: Row, entry: Mapping[str, Any], prefix: str) -> bool:
    weight = entry.get("weight")
    if weight not in (None, 0, 1):
        raise BadRow(row, f"{prefix}weight", f"is {weight!r}; give 1 to train on the turn, or 0 not to")
    return weight is None or bool(weight)


def _json_list(row: Row, record: Mapping[str, Any], column: str, *, prefix: str = "") -> str:
    """A list of objects in ``column``, itself a list or its JSON text, as canonical JSON; '' for none.

    The arguments of tool calls, which many files hold as JSON text, become objects, as chat templates expect them.
    """
    value = record.get(column)
    try:
        entries = json.loads(value) if isinstance(value, str) and value.strip() else value
    except json.JSONDecodeError as error:
        raise BadRow(row, prefix + column, f"is not JSON ({error.msg} at column {error.colno})") from None
    if not entries:
        return ""
    if not (isinstance(entries, list) and all(isinstance(entry, dict) for entry in entries)):
        raise BadRow(row, prefix + column, f"is {entries!r:.60}, expected a list of objects")
    return json.dumps([_with_arguments(entry) for entry in entries], ensure_ascii=False, sort_keys=True)


def _with_arguments(call: dict[str, Any]) -> dict[str, Any]:
    function = call.get("function")
    if not isinstance(function, dict) or not isinstance(function.get("arguments"), str):
        return call
    try:
        arguments = json.loads(function["arguments"])
    except json.JSONDecodeError:
        return call
    return {**call, "function": {**function, "arguments": arguments}} if isinstance(arguments, dict) else call


def _check_unused(row: Row, record: Mapping[str, Any], prefix: str) -> None:
    """Raise `BadRow` for a field that changes what the record means and would be ignored."""
    for name, remedy in UNUSED_FIELDS.items():
        if record.get(name):
            raise BadRow(row, prefix + name, f"cannot be used; {remedy}")


def _check_turns(row: Row, turns: list[Turn], list_field: str) -> None:
    """Raise `BadRow` for a turn that is empty or whose speaker is not known, and for turns in the wrong order."""
    if not turns:
        raise BadRow(row, list_field, "is empty")
    for turn in turns:
        if not turn.role:
            raise BadRow(row, turn.field, f"is {turn.speaker!r}, expected one of: {', '.join(ROLE_OF_SPEAKER)}")
        if turn.empty:
            raise BadRow(row, turn.field, "is null" if turn.content is None else "is empty")
        if turn.tool_calls and turn.role != "assistant":
            raise BadRow(row, turn.field, f"has tool_calls, but is from the {turn.role}")
    if turns[0].role != "text" and (problem := order_problem(turns)):
        raise BadRow(row, list_field, problem)


PARSERS: dict[str, Callable[[Row, Mapping[str, str]], list[Turn]]] = {
    "gsm8k": _gsm8k, "alpaca": _alpaca, "sharegpt": _sharegpt, "messages": _messages,
    "completion": _completion, "text": _plain,
}  # fmt: skip
