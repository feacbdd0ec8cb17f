"""The process that judges: it runs the tests, and asks the program's process for everything the program made.

The two share nothing but a descriptor. So the program can reach neither the verdict, nor the tests, nor the values they
compare with: it can only answer, as a function does.
"""

from __future__ import annotations

import ast
import builtins
import json
import os
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from eval.sandbox.candidate import described, failed
from eval.sandbox.handles import Handle, ask_of
from eval.sandbox.programs import ASSERTED, OWN, Part, wanted
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


def over(channel: int, line: bytes) -> bytes:
    """Exchange lines over a descriptor. Raises Ended when there is no answer, or one above 16 MiB."""
    try:
        while line:
            line = line[os.write(channel, line) :]
        answer = bytearray()
        while not answer.endswith(b"\n") and len(answer) <= LONGEST:
            part = os.read(channel, 1 << 16)
            if not part:
                raise Ended
            answer += part
    except OSError:
        raise Ended from None
    if len(answer) > LONGEST:
        raise Ended
    return bytes(answer)


def judged(parts: Sequence[Part], candidate: Candidate) -> str:
    """The outcome, 'STATUS DETAIL': passed only if every part has run to its end. Raises Ended without an answer."""
    try:
        found: dict[str, Any] = {}
        for place, part in enumerate(parts):
            if part.kind == OWN:
                found = candidate.ask("run", [place, *_names(parts[place + 1 : place + 2])[0]])
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
        names, shared = _names([part])
        # A builtin stays Python's own, unless the tests use nothing else of the program.
        found = (candidate.ask("names", names) if names else {}) or candidate.ask("names", shared)
    space = {"__name__": "tests", "__builtins__": CONDITION if part.kind == ASSERTED else builtins}
    assert isinstance(part.body, list)
    exec(compile(ast.Module(part.body, []), "tests", "exec", dont_inherit=True), {**space, **found})


def _names(parts: Sequence[Part]) -> tuple[list[str], list[str]]:
    """The names that tests need from the program, and those that builtins have too; none for its own parts."""
    if not parts or not isinstance(parts[0].body, list) or parts[0].kind == OWN:
        return [], []
    names, shared = wanted(parts[0].body)
    return names + [name for name in shared if parts[0].kind == ASSERTED and name not in CONDITION], shared


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
