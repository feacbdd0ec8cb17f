"""Proxies, in the test process, for objects that live in the program's process: functions, classes, instances.

A handle can be called and has attributes, items and a length; each such operation is sent to the program's process. The
program is never given a value of the tests to compare with or to compute on, so an object that claims to be equal to
everything gains nothing: a handle is unequal to every copied value, and any other operation between the two is a
TypeError.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

Ask = Callable[[str, list[Any], dict[str, Any]], Any]

# Forwarded with their arguments, such as an index.
FORWARDED = "len iter next str repr bool int float index abs neg pos invert getitem setitem delitem"
# Forwarded only between two objects of the program.
BETWEEN = "eq ne lt le gt ge add sub mul truediv floordiv mod pow contains"


class Handle:
    """The object of that number in the program's process; ``ask`` sends operations there."""

    __slots__ = ("_ask", "_number")
    __hash__ = object.__hash__

    def __init__(self, number: int, ask: Ask) -> None:
        object.__setattr__(self, "_number", number)
        object.__setattr__(self, "_ask", ask)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return ask_of(self)("call", [self, *arguments], named)

    def __getattr__(self, name: str) -> Any:
        return ask_of(self)("get", [self, name], {})

    def __setattr__(self, name: str, value: Any) -> None:
        ask_of(self)("set", [self, name, value], {})


def number(handle: Handle) -> int:
    """The object's number in the program's process."""
    own: int = object.__getattribute__(handle, "_number")
    return own


def ask_of(handle: Handle) -> Ask:
    """The function that sends an operation to the object's process."""
    ask: Ask = object.__getattribute__(handle, "_ask")
    return ask


def _forwarded(name: str) -> Callable[..., Any]:
    def forwarded(self: Handle, *arguments: Any) -> Any:
        return ask_of(self)("operate", [name, self, *arguments], {})

    return forwarded


def _between(name: str) -> Callable[[Handle, Any], Any]:
    def forwarded(self: Handle, other: Any) -> Any:
        if type(other) is Handle:
            return ask_of(self)("operate", [name, self, other], {})
        if name in ("eq", "ne"):
            return name == "ne"
        raise TypeError(f"{name!r} between an object of the program and a {type(other).__name__} of the tests")

    return forwarded


for _name in FORWARDED.split():
    setattr(Handle, f"__{_name}__", _forwarded(_name))
for _name in BETWEEN.split():
    setattr(Handle, f"__{_name}__", _between(_name))


BUILTIN = {one.__name__: one for one in (len, iter, next, str, repr, bool, int, float, isinstance, type)}


def operate(name: str, *arguments: Any) -> Any:
    """Do a forwarded operation on the objects themselves, in the program's process."""
    function: Callable[..., Any] = BUILTIN.get(name) or getattr(operator, name)
    return function(*arguments)
