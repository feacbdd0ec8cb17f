"""The process that runs the program. It obeys the test process through two pipes and cannot give a verdict.

It is forked before the program arrives, and is given the program's own statements alone: it never holds a test.
"""

from __future__ import annotations

import builtins
import json
import marshal
import os
import sys
import types
from functools import partial
from typing import Any, NoReturn

from eval.sandbox import messages
from eval.sandbox.copier import PROGRAM, Copier
from eval.sandbox.messages import Channel
from eval.sandbox.proxies import Callback, operate


def serve(channel: Channel) -> NoReturn:
    """Answer orders, one per line, until the pipe ends; then end this process, whatever the program has set up."""
    leave = os._exit  # kept here, because the program may replace it in its module os
    try:
        loaded = LoadedProgram(channel)
        while order := channel.receive(sys.maxsize):
            channel.send(loaded.answer(order))
    finally:
        leave(0)


class LoadedProgram:
    """The program as a module of its own, and what the test process has of it. ``channel`` leads to that process."""

    def __init__(self, channel: Channel | None = None) -> None:
        self._channel = channel
        self._module = types.ModuleType("program")
        self._copier = Copier(PROGRAM, lambda number, name: Callback(number, name, self._call_back), lambda value: True)
        sys.modules["program"] = self._module  # so that the program finds its own module, as for pickling

    def answer(self, order: bytes) -> bytes:
        """The answer to one order, both JSON objects on one line.

        An order is {"act"} with a message of `Copier`, the arguments: what to do (run, names, bind, call, get, set,
        operate). An answer is a message of `messages.result_of`. Between the two, {"call"} asks for a function of the
        tests.
        """
        return self._sent(self._obey(json.loads(order)))

    def _sent(self, message: dict[str, Any]) -> bytes:
        # What this process no longer needs is known only now that the functions called have returned.
        return messages.line({**message, "dropped": self._copier.dropped()})

    def _obey(self, order: dict[str, Any]) -> dict[str, Any]:
        arguments, named = self._copier.unpack(order)
        return messages.result_of(partial(self._act, order["act"], arguments, dict(named)), self._copier)

    def _act(self, act: str, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        match act:
            case "run":
                code, whole = arguments[0], isinstance(arguments[0], str)
                code = compile(code, "program", "exec", dont_inherit=True) if whole else marshal.loads(code)
                exec(code, self._module.__dict__)
                return self._named(*arguments[1:])
            case "names":
                return self._named(*arguments)
            case "bind":
                return self._module.__dict__.update(arguments)
            case "call":
                return arguments[0](*arguments[1:], **named)
            case "get":
                return getattr(*arguments)
            case "set":
                return setattr(*arguments)
            case _:
                return operate(*arguments)

    def _named(self, names: tuple[str, ...], own: bool) -> tuple[tuple[str, Any], ...]:
        """The program's objects of these names, and unless only its ``own`` count, else Python's."""
        found = self._module.__dict__ if own else {**vars(builtins), **self._module.__dict__}
        return tuple((name, found[name]) for name in names if name in found)

    def _call_back(self, number: int, arguments: tuple[Any, ...], named: dict[str, Any]) -> Any:
        """Call the function of that number in the test process."""
        assert self._channel is not None
        callback = self._copier.proxy(number, "")
        message = self._copier.pack((callback, arguments, tuple(named.items())))
        self._channel.send(messages.line({**message, "dropped": [], "call": True}))
        value, error = messages.taken(json.loads(self._channel.receive(sys.maxsize)), self._copier)
        if error:
            raise error
        return value
