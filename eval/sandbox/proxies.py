"""Proxies for what cannot be copied: the program's objects in the test process, functions of the tests in the other.

A handle stands for a function, class or instance of the program. It can be called and has attributes, items and a
length; each such operation is done in the program's process. The program is never given a value of the tests to compare
with or to compute on, so an object that claims to be equal to everything gains nothing: a handle is unequal to every
copied value, and any other operation between the two ends the tests.
"""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any, ClassVar

Ask = Callable[..., Any]


class NotJudged(BaseException):
    """The tests do what only a single process could do. That is no pass, even if they catch it."""

    raised: ClassVar[list[str]] = []  # the messages, in a process that tests one program

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.raised.append(message)


# Forwarded with their arguments, such as an index.
FORWARDED = (
    "len iter reversed next str repr format hash bool int float index round abs neg pos invert getitem setitem delitem "
    "enter"
)
# Forwarded only between two objects of the program.
BETWEEN = "eq ne lt le gt ge add sub mul truediv floordiv mod pow matmul and or xor iadd isub imul"


class Handle:
    """The object of that number in the program's process; ``ask`` sends operations there."""

    __slots__ = ("_ask", "_number")

    def __init__(self, number: int, ask: Ask) -> None:
        object.__setattr__(self, "_number", number)
        object.__setattr__(self, "_ask", ask)

    @property
    def __class__(self) -> Any:
        found = ask_of(self)("get", self, "__class__")
        return found if type(found) is Handle else Handle  # it cannot claim to be of a type of the tests

    @__class__.setter
    def __class__(self, kind: Any) -> None:
        ask_of(self)("set", self, "__class__", kind)

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return ask_of(self)("call", self, *arguments, **named)

    def __getattr__(self, name: str) -> Any:
        return ask_of(self)("get", self, name)

    def __setattr__(self, name: str, value: Any) -> None:
        ask_of(self)("set", self, name, value)

    def __contains__(self, value: Any) -> bool:
        if type(value) is Handle:
            return bool(ask_of(self)("operate", "contains", self, value))
        # An object of the program might claim to contain everything, so it has to show the value.
        return any(one == value for one in iter(self))

    def __exit__(self, kind: Any, error: Any, trace: Any) -> bool:
        left = bool(ask_of(self)("operate", "exit", self, None if error is None else kind.__name__))
        return left and kind is not AssertionError

    def __instancecheck__(self, value: Any) -> bool:
        if type(value) is Handle:
            return bool(ask_of(self)("operate", "isinstance", value, self))
        return isinstance(value, tuple) and type(value).__name__ == self.__name__ and hasattr(value, "_fields")

    def __subclasscheck__(self, kind: Any) -> bool:
        return type(kind) is Handle and bool(ask_of(self)("operate", "issubclass", kind, self))


class Callback:
    """The function of that number and name in the test process, which ``call`` calls."""

    def __init__(self, number: int, name: str, call: Callable[..., Any]) -> None:
        self._number, self._call = number, call
        self.__name__ = self.__qualname__ = name

    def __call__(self, *arguments: Any, **named: Any) -> Any:
        return self._call(self._number, arguments, named)


def proxy_number(value: Any) -> int | None:
    """The number of the object that a proxy stands for; None for any other value."""
    if type(value) is not Handle and type(value) is not Callback:
        return None
    own: int = object.__getattribute__(value, "_number")
    return own


def ask_of(handle: Handle) -> Ask:
    """The function that sends an operation to the object's process."""
    ask: Ask = object.__getattribute__(handle, "_ask")
    return ask


def _forwarded(name: str) -> Callable[..., Any]:
    def forwarded(self: Handle, *arguments: Any) -> Any:
        return ask_of(self)("operate", name, self, *arguments)

    return forwarded


def _between(name: str) -> Callable[[Handle, Any], Any]:
    def forwarded(self: Handle, other: Any) -> Any:
        if type(other) is Handle:
            return ask_of(self)("operate", name, self, other)
        if name in ("eq", "ne"):
            return name == "ne"
        raise NotJudged(f"{name!r} between an object of the program and a {type(other).__name__} of the tests")

    return forwarded


for _name in FORWARDED.split():
    setattr(Handle, f"__{_name}__", _forwarded(_name))
for _name in BETWEEN.split():
    setattr(Handle, f"__{_name}__", _between(_name))
Handle.__doc__ = property(lambda self: ask_of(self)("get", self, "__doc__"))  # type: ignore[assignment]


def _exit(manager: Any, kind: str | None) -> Any:
    error = None if kind is None else RuntimeError(f"{kind} in the tests")
    return type(manager).__exit__(manager, type(error) if error else None, error, None)


_EXACT: dict[str, Callable[..., Any]] = {
    one.__name__: one
    for one in (
        len,
        iter,
        reversed,
        next,
        str,
        repr,
        format,
        hash,
        bool,
        int,
        float,
        round,
        isinstance,
        issubclass,
        type,
    )
}
_EXACT |= {"exit": _exit, "enter": lambda manager: type(manager).__enter__(manager)}


def operate(name: str, *arguments: Any) -> Any:
    """Do a forwarded operation on the objects themselves, in the program's process."""
    function: Callable[..., Any] = _EXACT.get(name) or getattr(operator, f"__{name}__", None) or getattr(operator, name)
    return function(*arguments)
