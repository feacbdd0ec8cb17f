"""How values are written as JSON, by exact builtin type, to be copied between the program's process and the tests'.

What arrives is never an object of the program, so no method of the program decides a comparison.
"""

from __future__ import annotations

import builtins
import collections
import datetime
import decimal
import fractions
import itertools
import pathlib
import sys
import types
from collections.abc import Callable, Iterator, Sequence
from typing import Any

TAG = "is"
MAX_DRAWN = 1000  # elements of an iterator that are drawn at once; of a generator none, as its body would run too early

# Modules and builtins that are shared by name: pure functions and types. A program that answers with a name outside
# these lists is not believed.
_MODULES = (
    "bisect cmath collections copy datetime decimal fractions functools heapq itertools json math numbers "
    "operator random re statistics string textwrap time typing unicodedata"
)
_TYPES = (
    "bool bytearray bytes complex dict float frozenset int list object range set slice str tuple type "
    "enumerate filter map reversed zip"
)
MODULES = _MODULES.split()
BUILTINS = {name: getattr(builtins, name) for name in _TYPES.split()}

# By type: how a value is read from its packed elements, and how it is written as text and read again.
_SEQUENCES: dict[type, Callable[[list[Any]], Any]] = {
    tuple: tuple, frozenset: lambda values: frozenset_in_order(values),
    type({}.keys()): lambda values: dict.fromkeys(values).keys(),
    type({}.values()): lambda values: dict(enumerate(values)).values(),
    type({}.items()): lambda values: dict(values).items(),
}  # fmt: skip
_TEXTS: dict[type, tuple[Callable[[Any], str], Callable[[str], Any]]] = {
    int: (hex, lambda text: int(text, 16)), bytes: (bytes.hex, bytes.fromhex), complex: (repr, complex),
    decimal.Decimal: (str, decimal.Decimal), fractions.Fraction: (str, fractions.Fraction),
    datetime.date: (datetime.date.isoformat, datetime.date.fromisoformat),
    datetime.datetime: (datetime.datetime.isoformat, datetime.datetime.fromisoformat),
    datetime.time: (datetime.time.isoformat, datetime.time.fromisoformat),
    pathlib.PosixPath: (str, pathlib.PosixPath), pathlib.PurePosixPath: (str, pathlib.PurePosixPath),
}  # fmt: skip
_PARTS: dict[type, tuple[Callable[[Any], list[Any]], Callable[..., Any]]] = {
    range: (lambda value: [value.start, value.stop, value.step], range),
    slice: (lambda value: [value.start, value.stop, value.step], slice),
    datetime.timedelta: (lambda value: [value.days, value.seconds, value.microseconds], datetime.timedelta),
}
_BASES = (str, bytes, int, float, list, tuple, dict, set, frozenset)
_NAMES = {kind.__name__: kind for kind in (*_SEQUENCES, *_TEXTS, *_PARTS)}

Pack = Callable[[Any], Any]


def pack(value: Any, pack_inner: Pack) -> Any:
    """A value that cannot change, as JSON values; None for any other. ``pack_inner`` packs its elements."""
    kind = type(value)
    if kind in _SEQUENCES:
        return {TAG: kind.__name__, "of": [pack_inner(item) for item in value]}
    # Large ints are sent as hexadecimal text, because Python limits the length of decimal ones.
    if kind in _TEXTS:
        return {TAG: kind.__name__, "of": _TEXTS[kind][0](value)}
    if kind in _PARTS:
        return {TAG: kind.__name__, "of": [pack_inner(part) for part in _PARTS[kind][0](value)]}
    return _by_name(value, kind) or _by_library(value, kind, pack_inner)


def _by_name(value: Any, kind: type) -> Any:
    """A shared module, a shared type, or a class of errors."""
    if kind is not types.ModuleType and not isinstance(value, type):
        return None
    name = str(value.__name__)
    if kind is types.ModuleType:
        return {TAG: "module", "of": name} if name in MODULES and sys.modules.get(name) is value else None
    if name in BUILTINS and BUILTINS[name] is value:
        return {TAG: "builtin", "of": name}
    return {TAG: "error class", "of": ancestry(value)} if issubclass(value, BaseException) else None


def _by_library(value: Any, kind: Any, pack_inner: Pack) -> Any:
    """Values of libraries that may not be imported, a named tuple, and an instance of a subclass of a plain type."""
    if kind.__module__ == "array" and kind.__name__ == "array":
        return {TAG: "array", "of": [value.typecode, value.tobytes().hex()]}
    if kind.__module__ == "uuid" and kind.__name__ == "UUID":
        return {TAG: "UUID", "of": value.hex}
    if kind.__module__ == "numpy" and (array := _array(value)):
        return array
    if issubclass(kind, tuple) and isinstance(fields := getattr(kind, "_fields", None), tuple):
        items = [pack_inner(item) for item in tuple.__iter__(value)]
        return {TAG: "namedtuple", "of": [kind.__name__, list(map(str, fields)), items]}
    return None


def plain(value: Any) -> Any:
    """The builtin value of an instance of a subclass, such as an enumeration: all that tests can see of it.

    Of an iterator, its elements as another iterator, where they are few. Any other value is returned as it is.
    """
    for base in _BASES:
        if isinstance(value, base) and type(value) is not base:
            own: Any = {str: str.__str__, int: int.__int__, float: float.__float__}.get(base, base)
            return own(value)
    return value


def few_drawn(iterator: Iterator[Any]) -> tuple[list[Any], Iterator[Any] | None]:
    """The elements of an iterator, and None; or, where it has more than a few, nothing and an equal iterator."""
    drawn = list(itertools.islice(iterator, MAX_DRAWN + 1))
    return (drawn, None) if len(drawn) <= MAX_DRAWN else ([], itertools.chain(drawn, iterator))


def unpack(kind: str, of: Any, unpack_inner: Callable[[Any], Any]) -> Any:
    """The value that `pack` wrote. Raises KeyError, TypeError or ValueError for what it never writes."""
    match kind:
        case "module":
            return sys.modules[MODULES[MODULES.index(of)]]
        case "builtin":
            return BUILTINS[of]
        case "error class":
            kind_of_error = error_class(tuple(of))
            # Tests that catch it would catch their own assertions.
            if issubclass(AssertionError, kind_of_error):
                raise ValueError(f"{of[0]} in place of a class of errors")
            return kind_of_error
        case "UUID":
            import uuid

            return uuid.UUID(of)
        case "array":
            import array

            return array.array(of[0], bytes.fromhex(of[1]))
        case "ndarray":
            return _of_array(*of)
        case "namedtuple":
            return _tuple_class(of[0], tuple(of[1]))._make(map(unpack_inner, of[2]))
    exact = _NAMES[kind]
    if exact in _TEXTS:
        return _TEXTS[exact][1](of)
    inner = [unpack_inner(item) for item in of]
    return _SEQUENCES[exact](inner) if exact in _SEQUENCES else _PARTS[exact][1](*inner)


_made: dict[tuple[Any, ...], Any] = {}


def _tuple_class(name: str, fields: tuple[str, ...]) -> Any:
    if (name, fields) not in _made:
        _made[name, fields] = collections.namedtuple(name, fields)
    return _made[name, fields]


def ancestry(kind: type) -> list[str]:
    """The names of a class of errors and of the errors that it descends from."""
    return [one.__name__[:80] for one in kind.__mro__ if issubclass(one, BaseException)][:20]


def error_class(names: tuple[str, ...]) -> type[BaseException]:
    """The builtin class of errors of the first name, or else a class of that name below that of the next ones."""
    builtin = getattr(builtins, names[0], None) if names else Exception
    if isinstance(builtin, type) and issubclass(builtin, BaseException):
        return builtin
    if names not in _made:
        _made[names] = type(names[0], (error_class(names[1:]),), {"__str__": _text})
    made: type[BaseException] = _made[names]
    return made


def _text(error: BaseException) -> str:
    described = vars(error).get("described")
    return described[1] if described else Exception.__str__(error)


def _array(value: Any) -> Any:
    """An array or a number of numpy, unless it holds objects."""
    numpy = sys.modules.get("numpy")
    if numpy is None or (type(value) is not numpy.ndarray and not isinstance(value, numpy.generic)):
        return None
    if value.dtype.kind not in "biufcSUmM":
        return None
    shape = list(value.shape) if type(value) is numpy.ndarray else None
    return {TAG: "ndarray", "of": [value.dtype.str, shape, value.tobytes().hex()]}


def _of_array(kind: str, shape: list[int] | None, text: str) -> Any:
    import numpy  # only a program of a suite that names it has such values

    if kind[1] not in "biufcSUmM":
        raise ValueError(f"an array of {kind}")
    flat = numpy.frombuffer(bytes.fromhex(text), dtype=kind).copy()
    return flat[0] if shape is None else flat.reshape(shape)


def set_in_order(items: Sequence[Any]) -> set[Any]:
    """A set of the items that iterates in their order, where one can be made.

    The order depends on the size of the set's table, which depends on how it came to be: one by one, or at once.
    """
    made = set(items)
    for spare in (0, 1, 3, 7, 15):
        if list(made) == list(items):
            return made
        fill = [object() for _ in range(spare * len(items))]
        made = set(dict.fromkeys([*items, *fill]))
        made.difference_update(fill)
    return set(items)


def frozenset_in_order(items: Sequence[Any]) -> frozenset[Any]:
    """As `set_in_order`."""
    made = frozenset(items)
    return made if list(made) == list(items) else frozenset(dict.fromkeys(items))
