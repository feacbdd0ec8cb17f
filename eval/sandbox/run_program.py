"""The process that runs the program. It obeys the test process through two pipes and cannot give a verdict."""

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
    """Answer orders, one per line, until the pipe ends; then end this process, whatever the program has set up."""
    write, leave = os.write, os._exit  # kept here, because the program may replace them in its module os
    try:
        loaded = LoadedProgram(program)
        while order := receive(orders, sys.maxsize):
            left = loaded.answer(order)
            while left:
                left = left[write(answers, left) :]
    finally:
        leave(0)


class LoadedProgram:
    """The program as a module of its own, and those of its objects that the test process refers to by number."""

    def __init__(self, program: Program) -> None:
        self._parts = parts(program)
        self._module = types.ModuleType("program")
        self._objects: list[Any] = []
        sys.modules["program"] = self._module  # so that the program finds its own module, as for pickling

    def answer(self, line: bytes) -> bytes:
        """The answer to one order, both JSON objects on one line.

        An order is {"act", "arguments", "named"}: what to do (run, names, call, get, set, operate), packed arguments,
        and packed arguments by name. An answer is {"value", "changed"}, or {"error"} with kind and message.
        """
        return json.dumps(self._reply(json.loads(line))).encode() + b"\n"

    def _reply(self, order: dict[str, Any]) -> dict[str, Any]:
        try:
            arguments = [unpack(data, self._objects.__getitem__) for data in order["arguments"]]
            named = unpack(order["named"], self._objects.__getitem__)
            value = pack(self._act(order["act"], arguments, named), self._refer)
            return {"value": value, "changed": self._changed(order["arguments"], arguments)}
        except BaseException as error:
            return {"error": described(error)}

    def _act(self, act: str, arguments: list[Any], named: dict[str, Any]) -> Any:
        match act:
            case "run":
                body = self._parts[arguments[0]].body
                code = body if isinstance(body, str) else ast.Module(body, [])
                exec(compile(code, "program", "exec", dont_inherit=True), self._module.__dict__)
                return self._named(arguments[1:])
            case "names":
                return self._named(arguments)
            case "call":
                return arguments[0](*arguments[1:], **named)
            case "get":
                return getattr(*arguments)
            case "set":
                return setattr(*arguments)
            case _:
                return operate(*arguments)

    def _named(self, names: Sequence[str]) -> dict[str, Any]:
        """The program's, or else Python's, objects of these names; names without an object are left out."""
        own, shared = self._module.__dict__, vars(builtins)
        return {name: (own if name in own else shared)[name] for name in names if name in own or name in shared}

    def _changed(self, before: list[Any], arguments: list[Any]) -> list[Any]:
        """Position and new value of every argument that the program has changed in place."""
        positions = [position for position, value in enumerate(arguments) if type(value) in MUTABLE]
        after = [(position, pack(arguments[position], self._refer)) for position in positions]
        return [[position, value] for position, value in after if value != before[position]]

    def _refer(self, value: Any) -> int:
        # Never removed: a handle may be used until the tests end.
        self._objects.append(value)
        return len(self._objects) - 1


def receive(channel: int, most: int, read: Callable[[int, int], bytes] = os.read) -> bytes:
    """One line; b'' at the end of the pipe. A line longer than ``most`` is returned as far as it has come.

    ``read`` is bound before the program runs, which may replace ``os.read``.
    """
    line = bytearray()
    while not line.endswith(b"\n") and len(line) <= most:
        part = read(channel, 1 << 16)
        if not part:
            return b""
        line += part
    return bytes(line)


def described(error: BaseException) -> list[str]:
    """Kind and message of an error, both cut short, since the program may put anything there."""
    try:
        return [type(error).__name__[:80], str(error)[:200]]
    except BaseException:
        return ["Exception", "an error that cannot be described"]


def failed(kind: str, message: str) -> str:
    """The outcome that names an error, on one line."""
    return f"failed {kind}: {message}".replace("\n", " ").replace("\r", " ")
