"""What stands at the judge for an object of the program that cannot be copied: a function, a class, an instance.

A handle can be called, and asked for its attributes, items and length: there the program answers as any function would.
It is never given a value of the tests to compare with or to compute on, so an object that calls itself equal to
everything gains nothing: next to a copied value a handle is unequal, and any other operation is a TypeError.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

Ask = Callable[[str, list[Any], dict[str, Any]], Any]

ALONE = "len iter next str repr bool int float index abs neg pos invert getitem setitem delitem"
BETWEEN = "eq ne lt le gt ge add sub mul truediv floordiv mod pow contains"


class Handle:
    """The object of that number, asked through ``ask``."""

    __slots__ = ("_ask", "_number")
    __hash__ = object.__hash__

    def __init__(self, number: int, ask: Ask) -> None:
        object.__setattr__(self, "_number", number)
        object.__setattr__(self, "_ask", ask)

    def __call__(self, *given: Any, **named: Any) -> Any:
        return ask_of(self)("call", [self, *given], named)

    def __getattr__(self, name: str) -> Any:
        return ask_of(self)("get", [self, name], {})

    def __setattr__(self, name: str, value: Any) -> None:
        ask_of(self)("set", [self, name, value], {})


def number(handle: Handle) -> int:
    """The number by which the program's process knows the object."""
    own: int = object.__getattribute__(handle, "_number")
    return own


def ask_of(handle: Handle) -> Ask:
    """The function that asks the process to which the object belongs."""
    ask: Ask = object.__getattribute__(handle, "_ask")
    return ask


def _alone(name: str) -> Callable[..., Any]:
    def forwarded(self: Handle, *given: Any) -> Any:
        return ask_of(self)("operate", [name, self, *given], {})

    return forwarded


def _between(name: str) -> Callable[[Handle, Any], Any]:
    def forwarded(self: Handle, other: Any) -> Any:
        if type(other) is Handle:
            return ask_of(self)("operate", [name, self, other], {})
        if name in ("eq", "ne"):
            return name == "ne"
        raise TypeError(f"an object of the program, asked by {name!r} about a {type(other).__name__} of the tests")

    return forwarded


for _name in ALONE.split():
    setattr(Handle, f"__{_name}__", _alone(_name))
for _name in BETWEEN.split():
    setattr(Handle, f"__{_name}__", _between(_name))


BUILTIN = {one.__name__: one for one in (len, iter, next, str, repr, bool, int, float, isinstance, type)}


def operate(name: str, *given: Any) -> Any:
    """What a forwarded operation means to the objects themselves."""
    act: Callable[..., Any] = BUILTIN.get(name) or getattr(operator, name)
    return act(*given)
