"""Pack values as JSON, by exact builtin type, to copy them between the program's process and the test process.

What arrives is never an object of the program, so no method of the program decides a comparison. What cannot be copied
(functions, classes, instances) is sent as a number, see `eval.sandbox.proxies`.
"""

from __future__ import annotations

import builtins
import collections
import datetime
import decimal
import fractions
import itertools
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

from eval.sandbox.proxies import Handle, number

MAX_DRAWN = 100_000  # elements of an iterator that are drawn to be copied
TAG = "is"

Refer = Callable[[Any], int]

# By type: how a value is read from its packed elements, and how it is written as text and read again.
_SEQUENCES: dict[type, Callable[[list[Any]], Any]] = {
    tuple: tuple, set: set, frozenset: frozenset, collections.deque: collections.deque,
    type({}.keys()): lambda values: dict.fromkeys(values).keys(),
    type({}.values()): lambda values: dict(enumerate(values)).values(),
    type({}.items()): lambda values: dict(values).items(),
}  # fmt: skip
_TEXTS: dict[type, tuple[Callable[[Any], str], Callable[[str], Any]]] = {
    int: (hex, lambda text: int(text, 16)), bytes: (bytes.hex, bytes.fromhex),
    bytearray: (bytearray.hex, bytearray.fromhex), complex: (repr, complex),
    decimal.Decimal: (str, decimal.Decimal), fractions.Fraction: (str, fractions.Fraction),
    datetime.date: (datetime.date.isoformat, datetime.date.fromisoformat),
    datetime.datetime: (datetime.datetime.isoformat, datetime.datetime.fromisoformat),
}  # fmt: skip
_BASES = (str, bytes, int, float, list, tuple, dict, set, frozenset)
_NAMES = {kind.__name__: kind for kind in (*_SEQUENCES, *_TEXTS)}


def pack(value: Any, refer: Refer) -> Any:
    """``value`` as JSON values. ``refer`` stores an object that cannot be copied and returns its number."""
    kind = type(value)
    # Larger ints are sent as hexadecimal text, because Python limits the length of decimal ones.
    if value is None or kind in (bool, str, float) or (kind is int and -(1 << 63) < value < 1 << 63):
        return value
    if kind is list:
        return [pack(item, refer) for item in value]
    if kind is dict:
        return {TAG: "dict", "of": [[pack(key, refer), pack(item, refer)] for key, item in value.items()]}
    if kind in _SEQUENCES:
        return {TAG: kind.__name__, "of": [pack(item, refer) for item in value]}
    if kind in _TEXTS:
        return {TAG: kind.__name__, "of": _TEXTS[kind][0](value)}
    if kind is range:
        return {TAG: "range", "of": [value.start, value.stop, value.step]}
    if kind is Handle:
        return {TAG: "object", "of": number(value)}
    return _other(value, refer)


def _other(value: Any, refer: Refer) -> Any:
    """Pack other values: shared modules and types, instances of subclasses of plain types, iterators, objects."""
    name = getattr(value, "__name__", None)
    if isinstance(value, types.ModuleType) and sys.modules.get(str(name)) is value and name != "program":
        return {TAG: "module", "of": name}
    if isinstance(value, type) and getattr(builtins, str(name), None) is value:
        return {TAG: "builtin", "of": name}
    # A named tuple or an enumeration compares as its plain value, which is all that the tests can see of it.
    for base in _BASES:
        if isinstance(value, base):
            return pack(_plain(base, value), refer)
    if isinstance(value, Iterator):
        drawn = list(itertools.islice(value, MAX_DRAWN + 1))
        if len(drawn) > MAX_DRAWN:
            raise ValueError(f"an iterator of more than {MAX_DRAWN} elements was returned")
        return {TAG: "iterator", "of": [pack(item, refer) for item in drawn]}
    return {TAG: "object", "of": refer(value)}


def _plain(base: type, value: Any) -> Any:
    """The builtin value of an instance of a subclass, such as a named tuple or an enumeration."""
    own = {str: str.__str__, int: int.__int__, float: float.__float__}.get(base)
    return own(value) if own else base(value)


def unpack(data: Any, resolve: Callable[[int], Any]) -> Any:
    """The value that `pack` wrote. ``resolve`` gives the object, or its proxy, of a number."""
    if isinstance(data, list):
        return [unpack(item, resolve) for item in data]
    if not isinstance(data, dict):
        return data
    kind, of = data[TAG], data["of"]
    match kind:
        case "object":
            return resolve(of)
        case "dict":
            return {unpack(key, resolve): unpack(item, resolve) for key, item in of}
        case "range":
            return range(*of)
        case "iterator":
            return iter([unpack(item, resolve) for item in of])
        case "module":
            return sys.modules[of]
        case "builtin":
            return getattr(builtins, of)
    plain = _NAMES[kind]
    return _TEXTS[plain][1](of) if plain in _TEXTS else _SEQUENCES[plain]([unpack(item, resolve) for item in of])
