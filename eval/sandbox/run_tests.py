"""The test process: it runs the tests and asks the program's process for everything that the program defines.

The two processes share nothing but two pipes. So the program can reach neither the verdict, nor the tests, nor the
values they compare with; it can only answer, as a function does.
"""

from __future__ import annotations

import ast
import builtins
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from eval.sandbox.programs import CONDITION, OWN, TESTS, Program, ProgramPart, free_names, parts
from eval.sandbox.proxies import Handle, ask_of
from eval.sandbox.run_program import described, failed, receive
from eval.sandbox.values import pack, unpack

MAX_ANSWER_BYTES = 16 << 20

# Builtins that a condition may use; whatever else it names is looked up in the program.
PLAIN = (
    "abs all any ascii bin bool bytearray bytes chr complex dict divmod enumerate filter float format frozenset hex "
    "int iter len list map max min next oct ord pow range repr reversed round set slice sorted str sum tuple zip"
)


class ProgramEnded(Exception):
    """The program's process has ended, or sends no more than part of an answer."""


class RemoteProgram:
    """The program's process as the test process sees it. ``exchange`` sends it one line and returns its answer."""

    def __init__(self, exchange: Callable[[bytes], bytes]) -> None:
        self._exchange = exchange

    def ask(self, act: str, arguments: Sequence[Any], named: Mapping[str, Any] | None = None) -> Any:
        """Let the program act, see `LoadedProgram.answer`; return a copy of the result, or raise the program's error.

        Arguments that it changes in place are changed here as well.
        """
        packed = [pack(argument, _refuse) for argument in arguments]
        order = {"act": act, "arguments": packed, "named": pack(dict(named or {}), _refuse)}
        reply = json.loads(self._exchange(json.dumps(order).encode() + b"\n"))
        if "error" in reply:
            raise _error(*reply["error"])
        for position, data in reply["changed"]:
            _change(arguments[position], unpack(data, self._handle))
        return unpack(reply["value"], self._handle)

    def _handle(self, number: int) -> Handle:
        return Handle(number, self.ask)


def exchange_lines(orders: int, answers: int, line: bytes) -> bytes:
    """Send a line into one pipe and return the line that comes out of the other.

    Raises ProgramEnded when no answer comes, or one above 16 MiB.
    """
    try:
        while line:
            line = line[os.write(orders, line) :]
        answer = receive(answers, MAX_ANSWER_BYTES)
    except OSError:
        raise ProgramEnded from None
    if not answer or len(answer) > MAX_ANSWER_BYTES:
        raise ProgramEnded
    return answer


def outcome(program: Program, remote: RemoteProgram) -> str:
    """Run the program and its tests: 'passed' once every part has run to its end, else 'STATUS DETAIL'.

    Raises ProgramEnded when the program's process gives no answer.
    """
    try:
        fetched: dict[str, Any] = {}
        order = [replace(part, body=_statements(part)) if part.kind == TESTS else part for part in parts(program)]
        for number, part in enumerate(order):
            if part.kind == OWN:
                # The names that the next part will need come with the same answer, which saves a round trip.
                following = [after for after in order[number + 1 : number + 2] if after.kind != OWN]
                needed = [name for after in following for name in _names(after)[0]]
                fetched = remote.ask("run", [number, *needed])
            else:
                _test(part, remote, fetched)
                fetched = {}
    except ProgramEnded:
        raise
    except MemoryError:
        return "memory MemoryError"
    except BaseException as error:
        return failed(*(getattr(error, "described", None) or described(error)))
    return "passed"


def _test(part: ProgramPart, remote: RemoteProgram, fetched: dict[str, Any]) -> None:
    """Run tests in this process with the program's objects that they name; ``fetched`` holds those already fetched."""
    if not fetched:
        names, shared = _names(part)
        # A builtin stays Python's own, unless the tests use nothing else of the program.
        fetched = (remote.ask("names", names) if names else {}) or (remote.ask("names", shared) if shared else {})
    # A condition comes from the program, so it gets no builtin that could reach the test process.
    space = {"__name__": "tests", "__builtins__": CONDITION_BUILTINS if part.kind == CONDITION else builtins}
    exec(compile(ast.Module(_statements(part), []), "tests", "exec", dont_inherit=True), {**space, **fetched})


def _names(part: ProgramPart) -> tuple[list[str], list[str]]:
    """The names that tests need from the program, and those that builtins have too."""
    names, shared = free_names(_statements(part))
    return names + [name for name in shared if part.kind == CONDITION and name not in CONDITION_BUILTINS], shared


def _statements(part: ProgramPart) -> list[ast.stmt]:
    return ast.parse(part.body).body if isinstance(part.body, str) else part.body


def _is_instance(value: Any, kind: Any) -> bool:
    if type(kind) is tuple:
        return any(_is_instance(value, one) for one in kind)
    # A class of the program: only its own process can tell.
    if type(kind) is Handle:
        return type(value) is Handle and ask_of(kind)("operate", ["isinstance", value, kind], {})
    return isinstance(value, kind)


def _type(value: Any) -> Any:
    return ask_of(value)("operate", ["type", value], {}) if type(value) is Handle else type(value)


def _refuse(value: Any) -> int:
    raise TypeError(f"a {type(value).__name__} of the tests cannot be handed to the program")


def _error(kind: str, message: str) -> BaseException:
    """An error like the program's: of the builtin class of that name, else of a new class."""
    builtin = getattr(builtins, kind, None)
    is_error = isinstance(builtin, type) and issubclass(builtin, BaseException)
    error_class: Any = builtin if is_error else type(kind, (Exception,), {})
    try:
        error: BaseException = error_class(message)
    except TypeError:  # some classes need more than a message
        error = Exception(message)
    vars(error)["described"] = (kind, message)  # a class of that name need not give the same text again
    return error


def _change(value: Any, now: Any) -> None:
    """Give a list, dict, set or bytearray new contents."""
    if isinstance(value, list | bytearray):
        value[:] = now
    else:
        value.clear()
        value.update(now)


CONDITION_BUILTINS = {name: getattr(builtins, name) for name in (*PLAIN.split(), "AssertionError")}
CONDITION_BUILTINS |= {"isinstance": _is_instance, "type": _type}
