"""The process that judges: it runs the tests, and asks the program's process for everything the program made.

The two share nothing but two pipes. So the program can reach neither the verdict, nor the tests, nor the values they
compare with: it can only answer, as a function does.
"""

from __future__ import annotations

import ast
import builtins
import json
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from eval.sandbox.candidate import described, failed, receive
from eval.sandbox.programs import ASSERTED, OWN, TESTS, Part, Program, parts, wanted
from eval.sandbox.proxies import Handle, ask_of
from eval.sandbox.values import pack, unpack

LONGEST = 16 << 20  # bytes of one answer
# What a condition may use besides the program's own names; whatever else it names is looked up in the program.
PLAIN = (
    "abs all any ascii bin bool bytearray bytes chr complex dict divmod enumerate filter float format frozenset hex "
    "int iter len list map max min next oct ord pow range repr reversed round set slice sorted str sum tuple zip"
)


class Ended(Exception):
    """The program's process has ended or no longer speaks."""


class Candidate:
    """The program's process, seen from the judge; ``exchange`` takes one line to it and brings its answer."""

    def __init__(self, exchange: Callable[[bytes], bytes]) -> None:
        self._exchange = exchange

    def ask(self, act: str, given: Sequence[Any], named: Mapping[str, Any] | None = None) -> Any:
        """Let the program act; a copy of what comes of it, or its error. Arguments it changes in place change here."""
        packed = [pack(one, _refused) for one in given]
        order = {"act": act, "given": packed, "named": pack(dict(named or {}), _refused)}
        reply = json.loads(self._exchange(json.dumps(order).encode() + b"\n"))
        if "error" in reply:
            raise _error(*reply["error"])
        for place, data in reply["changed"]:
            _change(given[place], unpack(data, self._handle))
        return unpack(reply["value"], self._handle)

    def _handle(self, number: int) -> Handle:
        return Handle(number, self.ask)


def over(orders: int, answers: int, line: bytes) -> bytes:
    """Exchange lines over two pipes. Raises Ended when there is no answer, or one above 16 MiB."""
    try:
        while line:
            line = line[os.write(orders, line) :]
        answer = receive(answers, LONGEST)
    except OSError:
        raise Ended from None
    if not answer or len(answer) > LONGEST:
        raise Ended
    return answer


def judged(program: Program, candidate: Candidate) -> str:
    """The outcome, 'STATUS DETAIL': passed only if every part has run to its end. Raises Ended without an answer."""
    try:
        found: dict[str, Any] = {}
        order = [replace(one, body=_statements(one)) if one.kind == TESTS else one for one in parts(program)]
        for place, part in enumerate(order):
            if part.kind == OWN:
                tested = [name for one in order[place + 1 : place + 2] if one.kind != OWN for name in _names(one)[0]]
                found = candidate.ask("run", [place, *tested])
            else:
                _test(part, candidate, found)
                found = {}
    except Ended:
        raise
    except MemoryError:
        return "memory MemoryError"
    except BaseException as error:
        return failed(*(getattr(error, "told", None) or described(error)))
    return "passed"


def _test(part: Part, candidate: Candidate, found: dict[str, Any]) -> None:
    """Run tests here, with the names of the program that they use; ``found`` holds them if they are known already."""
    if not found:
        names, shared = _names(part)
        # A builtin stays Python's own, unless the tests use nothing else of the program.
        found = (candidate.ask("names", names) if names else {}) or (candidate.ask("names", shared) if shared else {})
    space = {"__name__": "tests", "__builtins__": CONDITION if part.kind == ASSERTED else builtins}
    exec(compile(ast.Module(_statements(part), []), "tests", "exec", dont_inherit=True), {**space, **found})


def _names(part: Part) -> tuple[list[str], list[str]]:
    """The names that tests need from the program, and those that builtins have too."""
    names, shared = wanted(_statements(part))
    return names + [name for name in shared if part.kind == ASSERTED and name not in CONDITION], shared


def _statements(part: Part) -> list[ast.stmt]:
    return ast.parse(part.body).body if isinstance(part.body, str) else part.body


def _is_instance(value: Any, kind: Any) -> bool:
    if type(kind) is tuple:
        return any(_is_instance(value, one) for one in kind)
    if type(kind) is Handle:
        return type(value) is Handle and ask_of(kind)("operate", ["isinstance", value, kind], {})
    return isinstance(value, kind)


def _type(value: Any) -> Any:
    return ask_of(value)("operate", ["type", value], {}) if type(value) is Handle else type(value)


def _refused(value: Any) -> int:
    raise TypeError(f"a {type(value).__name__} of the tests cannot be handed to the program")


def _error(kind: str, message: str) -> BaseException:
    """An error like the one raised there: of the builtin kind of that name, else of a new kind."""
    known = getattr(builtins, kind, None)
    made = known if isinstance(known, type) and issubclass(known, BaseException) else type(kind, (Exception,), {})
    try:
        error: BaseException = made(message)
    except TypeError:  # some kinds want more than a message
        error = Exception(message)
    error.told = (kind, message)  # type: ignore[attr-defined]
    return error


def _change(value: Any, now: Any) -> None:
    """Give a list, dict, set or bytearray the contents it has been given there."""
    if isinstance(value, list | bytearray):
        value[:] = now
    else:
        value.clear()
        value.update(now)


CONDITION = {name: getattr(builtins, name) for name in (*PLAIN.split(), "AssertionError")}
CONDITION |= {"isinstance": _is_instance, "type": _type}
