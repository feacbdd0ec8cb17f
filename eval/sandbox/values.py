"""How values cross between the program and its judge: copied, by exact builtin type, as JSON.

What arrives is therefore never an object of the program, so no method of the program decides a comparison. What cannot
be copied (functions, classes, instances) crosses as a reference, see `eval.sandbox.proxies`.
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

MOST = 100_000  # elements of an iterator that are drawn to be copied
TAG = "is"

Refer = Callable[[Any], int]

# By type: how the value is written, and how it is read again from what was written.
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
    """``value`` as JSON values; what cannot be copied is put away by ``refer``, which returns its number."""
    kind = type(value)
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
    """What is no plain value: a module or type that both sides have, a kind of plain value, an iterator, an object."""
    name = getattr(value, "__name__", None)
    if isinstance(value, types.ModuleType) and sys.modules.get(str(name)) is value and name != "program":
        return {TAG: "module", "of": name}
    if isinstance(value, type) and getattr(builtins, str(name), None) is value:
        return {TAG: "builtin", "of": name}
    for base in _BASES:
        if isinstance(value, base):
            return pack(_plain(base, value), refer)
    if isinstance(value, Iterator):
        drawn = list(itertools.islice(value, MOST + 1))
        if len(drawn) > MOST:
            raise ValueError(f"an iterator of more than {MOST} elements was returned")
        return {TAG: "iterator", "of": [pack(item, refer) for item in drawn]}
    return {TAG: "object", "of": refer(value)}


def _plain(base: type, value: Any) -> Any:
    """The builtin value below an instance of a subclass, such as a named tuple or an enumeration."""
    own = {str: str.__str__, int: int.__int__, float: float.__float__}.get(base)
    return own(value) if own else base(value)


def unpack(data: Any, meant: Callable[[int], Any]) -> Any:
    """The value that `pack` wrote; ``meant`` says what stands for the object of a number."""
    if isinstance(data, list):
        return [unpack(item, meant) for item in data]
    if not isinstance(data, dict):
        return data
    kind, of = data[TAG], data["of"]
    match kind:
        case "object":
            return meant(of)
        case "dict":
            return {unpack(key, meant): unpack(item, meant) for key, item in of}
        case "range":
            return range(*of)
        case "iterator":
            return iter([unpack(item, meant) for item in of])
        case "module":
            return sys.modules[of]
        case "builtin":
            return getattr(builtins, of)
    made = _NAMES[kind]
    return _TEXTS[made][1](of) if made in _TEXTS else _SEQUENCES[made]([unpack(item, meant) for item in of])
