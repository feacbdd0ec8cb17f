"""The process that runs the program. It obeys the judge through two pipes and has no way to give a verdict."""

from __future__ import annotations

import ast
import builtins
import json
import os
import sys
import types
from collections.abc import Callable, Sequence
from typing import Any, NoReturn

from eval.sandbox.programs import Program, parts
from eval.sandbox.proxies import operate
from eval.sandbox.values import pack, unpack

MUTABLE = (list, dict, set, bytearray)


def serve(program: Program, orders: int, answers: int) -> NoReturn:
    """Answer orders, one a line, until there are no more; then end, whatever the program has set up."""
    write, leave = os.write, os._exit
    try:
        running = Running(program)
        while order := receive(orders, sys.maxsize):
            left = running.answer(order)
            while left:
                left = left[write(answers, left) :]
    finally:
        leave(0)


class Running:
    """The program as a module of its own, and its objects that the judge knows by number."""

    def __init__(self, program: Program) -> None:
        self._parts = parts(program)
        self._module = types.ModuleType("program")
        self._objects: list[Any] = []
        sys.modules["program"] = self._module

    def answer(self, line: bytes) -> bytes:
        """The answer to one order, both JSON objects on a line of their own."""
        return json.dumps(self._reply(json.loads(line))).encode() + b"\n"

    def _reply(self, order: dict[str, Any]) -> dict[str, Any]:
        """A value and the arguments that were changed, or the kind and message of the error raised."""
        try:
            given = [unpack(data, self._objects.__getitem__) for data in order["given"]]
            value = pack(self._act(order["act"], given, unpack(order["named"], self._objects.__getitem__)), self._refer)
            return {"value": value, "changed": self._changed(order["given"], given)}
        except BaseException as error:
            return {"error": described(error)}

    def _act(self, act: str, given: list[Any], named: dict[str, Any]) -> Any:
        match act:
            case "run":
                body = self._parts[given[0]].body
                code = body if isinstance(body, str) else ast.Module(body, [])
                exec(compile(code, "program", "exec", dont_inherit=True), self._module.__dict__)
                return self._named(given[1:])
            case "names":
                return self._named(given)
            case "call":
                return given[0](*given[1:], **named)
            case "get":
                return getattr(*given)
            case "set":
                return setattr(*given)
            case _:
                return operate(*given)

    def _named(self, names: Sequence[str]) -> dict[str, Any]:
        """What the program, or Python itself, calls by each of the names; those that mean nothing are left out."""
        own, shared = self._module.__dict__, vars(builtins)
        return {name: (own if name in own else shared)[name] for name in names if name in own or name in shared}

    def _changed(self, data: list[Any], given: list[Any]) -> list[Any]:
        """Place and new value of every argument that the program has changed."""
        places = [place for place, value in enumerate(given) if type(value) in MUTABLE]
        now = [(place, pack(given[place], self._refer)) for place in places]
        return [[place, value] for place, value in now if value != data[place]]

    def _refer(self, value: Any) -> int:
        self._objects.append(value)
        return len(self._objects) - 1


def receive(channel: int, most: int, read: Callable[[int, int], bytes] = os.read) -> bytes:
    """One line, or what has come once it is longer than ``most``; b'' at the end. ``read`` is safe from the program."""
    line = bytearray()
    while not line.endswith(b"\n") and len(line) <= most:
        part = read(channel, 1 << 16)
        if not part:
            return b""
        line += part
    return bytes(line)


def described(error: BaseException) -> list[str]:
    """Kind and message of an error, both short: they come from the program and may be anything."""
    try:
        return [type(error).__name__[:80], str(error)[:200]]
    except BaseException:
        return ["Exception", "an error that cannot be described"]


def failed(kind: str, message: str) -> str:
    """The outcome that names an error, in one line."""
    return f"failed {kind}: {message}".replace("\n", " ").replace("\r", " ")
