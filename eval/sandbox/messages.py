"""What the two processes of a program say to each other: lines of JSON through two pipes, and errors as values."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import Any

from eval.sandbox import values
from eval.sandbox.copier import Copier

MAX_ERROR_CHARACTERS = 10_000


class Channel:
    """One end of two pipes. The calls are bound before the program runs, which may replace those of its module os."""

    def __init__(self, reading: int, writing: int) -> None:
        self._reading, self._writing = reading, writing
        self._read, self._write = os.read, os.write
        self._rest = bytearray()

    def send(self, line: bytes) -> None:
        while line:
            line = line[self._write(self._writing, line) :]

    def receive(self, most: int) -> bytes:
        """One line; b'' at the end of the pipe. A line longer than ``most`` is returned as far as it has come."""
        whole = b"\n" in self._rest
        while not whole and len(self._rest) <= most:
            part = self._read(self._reading, 1 << 16)
            if not part:
                return b""
            self._rest += part
            whole = b"\n" in part
        line, end, rest = self._rest.partition(b"\n")
        self._rest = rest
        return bytes(line + end)


def line(message: Any) -> bytes:
    return json.dumps(message).encode() + b"\n"


def result_of(act: Callable[[], Any], copier: Copier) -> dict[str, Any]:
    """The message that says what ``act`` returns or raises."""
    try:
        return copier.pack(act())
    except BaseException as error:
        return {**_error(error, copier), "error": described(error), "classes": values.ancestry(type(error))}


def taken(message: dict[str, Any], copier: Copier) -> tuple[Any, BaseException | None]:
    """The value of a message from `result_of`, or an error like the one that it tells of."""
    value = copier.unpack(message)
    if "error" not in message:
        return value, None
    arguments, state = value
    kind = values.error_class(tuple(message["classes"]))
    try:
        error = kind(*arguments)
    except Exception:  # some classes need other arguments than those that they keep
        error = kind.__new__(kind)
        error.args = arguments
    name, text = message["error"]
    # A class made here need not give the same text as the program's.
    vars(error).update(state or {}, described=(str(name), str(text)))
    return None, error


def _error(error: BaseException, copier: Copier) -> dict[str, Any]:
    """The arguments and attributes of an error, or its text alone where they cannot be copied or are long."""
    try:
        message = copier.pack((error.args, dict(vars(error))))
        if len(json.dumps(message)) <= MAX_ERROR_CHARACTERS:
            return message
    except BaseException:
        pass
    return {
        "value": {values.TAG: "tuple", "of": [{values.TAG: "tuple", "of": [described(error)[1]]}, None]},
        "changes": [],
    }


def described(error: BaseException) -> list[str]:
    """Kind and message of an error, both cut short, since the program may put anything there."""
    try:
        return [type(error).__name__[:80], str(error)[:200]]
    except BaseException:
        return ["Exception", "an error that cannot be described"]
