"""Copies of values between the program's process and the test process, one copier in each.

A list, dict or set that one of them hands to the other is shared: both know it by a number, and each message says
what has changed in it since. So arguments changed in place, the same list at two places, and lists within an object
are as in one process. When only the copiers hold a shared value any longer, it is forgotten on both sides.
"""

from __future__ import annotations

import collections
import itertools
import marshal
import sys
from collections.abc import Callable, Iterator
from typing import Any

from eval.sandbox import values
from eval.sandbox.proxies import NotJudged, proxy_number
from eval.sandbox.values import TAG

PROGRAM, TESTS = 1, 0  # the sides; each gives numbers of its own parity to what it hands over
_FLAT, _COMPOUND = {str, float, bool, type(None)}, {dict, list}
_ALONE = 2  # references to a value that only the copier holds, the one that is passed to getrefcount included

_PAIRED = (dict, collections.Counter, collections.OrderedDict, collections.defaultdict)
_KINDS: dict[str, Any] = {kind.__name__: kind for kind in (list, set, bytearray, collections.deque, *_PAIRED)}
_SHARED = frozenset(_KINDS.values())
_SAMPLES: tuple[Iterator[Any], ...] = (
    iter([]),
    iter(()),
    iter({}),
    iter(set()),
    iter(""),
    iter(range(0)),
    reversed([]),
)
_ITERATORS = {*map(type, _SAMPLES), map, filter, zip, enumerate, itertools.chain, itertools.islice}


class Copier:
    """One side's copier. ``proxy`` makes what stands for the other side's object of a number and name.

    ``hands_over`` says which objects that cannot be copied the other side may have a proxy for.
    """

    def __init__(self, side: int, proxy: Callable[[int, str], Any], hands_over: Callable[[Any], bool]) -> None:
        self._side = side
        self._next = side
        self._proxy, self._hands_over = proxy, hands_over
        self._own: list[Any] = []  # never removed: a proxy may be used until the tests end
        self._own_numbers: dict[int, int] = {}  # by id
        self._proxies: dict[int, Any] = {}
        self._shared: dict[int, Any] = {}
        self._numbers: dict[int, int] = {}  # by id
        self._known: dict[int, bytes] = {}  # the content that the other side knows
        self._changes: list[Any] = []

    def pack(self, value: Any) -> dict[str, Any]:
        """A message: ``value`` as JSON values, and what has changed in shared ones."""
        self._changes = []
        for number in list(self._shared):
            self._note(number, self._shared[number])
        return {"value": self._pack(value), "changes": self._changes}

    def unpack(self, message: dict[str, Any]) -> Any:
        """The value of the other side's message, after its changes. Raises for what `pack` never writes."""
        changes = message["changes"]
        for number, kind, extra, content in changes:
            if number not in self._shared:
                if number % 2 == self._side:
                    raise ValueError("a number that was never given")
                self._register(number, self._new(_KINDS[kind], extra, content))
            elif type(self._shared[number]) is not _KINDS[kind]:
                raise TypeError("a shared value of another kind")
        for number, _, _, content in changes:
            flat = _COMPOUND.isdisjoint(map(type, content))
            _fill(self._shared[number], content if flat else [self._unpack(item) for item in content])
            self._known[number] = marshal.dumps(content, 2)
        value = self._unpack(message["value"])
        for number in message["dropped"]:
            self._forget(number)
        return value

    def dropped(self) -> list[int]:
        """Forget, and return the numbers of, shared values that nothing else of this process refers to."""
        numbers = []
        while alone := [number for number in self._shared if sys.getrefcount(self._shared[number]) <= _ALONE]:
            for number in alone:
                self._forget(number)
            numbers += alone
        return numbers

    def proxy(self, number: int, name: str) -> Any:
        """What stands for the other side's object of that number; always the same."""
        if number not in self._proxies:
            self._proxies[number] = self._proxy(number, name)
        return self._proxies[number]

    def _register(self, number: int, value: Any) -> None:
        self._shared[number], self._numbers[id(value)] = value, number

    def _forget(self, number: int) -> None:
        if number in self._shared:
            del self._numbers[id(self._shared.pop(number))]
            self._known.pop(number, None)

    def _note(self, number: int, value: Any) -> None:
        """Add the content of a shared value to the changes, unless the other side knows it."""
        pack, items = self._pack, value.items() if isinstance(value, dict) else value
        paired = isinstance(value, dict)
        if not paired and _is_flat(value):
            content = list(value)
        else:
            content = [[pack(key), pack(item)] for key, item in items] if paired else list(map(pack, items))
        known = marshal.dumps(content, 2)  # tells 1 from True and 1.0
        if self._known.get(number) != known:
            self._known[number] = known
            self._changes.append([number, type(value).__name__, self._extra(value), content])

    def _extra(self, value: Any) -> Any:
        """What else a new value of this kind is made from."""
        match value:
            case collections.deque():
                return value.maxlen
            case collections.defaultdict():
                return self._pack(value.default_factory)
        return None

    def _new(self, kind: Any, extra: Any, content: list[Any]) -> Any:
        """A new value of that kind; what it contains is filled in later, as it may contain itself."""
        if kind is set:
            return values.set_in_order([self._unpack(item) for item in content])
        if kind is collections.deque:
            return kind(maxlen=extra)
        return kind(self._unpack(extra)) if kind is collections.defaultdict else kind()

    def _pack(self, value: Any) -> Any:
        kind = type(value)
        if value is None or kind in (bool, str, float) or (kind is int and -(1 << 63) < value < 1 << 63):
            return value
        if kind in _SHARED:
            return {TAG: "shared", "of": self._share(value)}
        if (number := proxy_number(value)) is not None:
            return {TAG: "yours", "of": number}
        if (packed := values.pack(value, self._pack)) is not None:
            return packed
        # A generator of the program runs no further than the tests ask.
        if isinstance(value, Iterator) and (kind in _ITERATORS or self._side == TESTS):
            drawn, rest = values.few_drawn(value)
            return {TAG: "iterator", "of": list(map(self._pack, drawn))} if rest is None else self._object(rest)
        return self._object(value) if (base := values.plain(value)) is value else self._pack(base)

    def _object(self, value: Any) -> Any:
        """Refer to an object by number."""
        if not self._hands_over(value):
            raise NotJudged(f"a {type(value).__name__} of the tests cannot be handed to the program")
        if id(value) not in self._own_numbers:
            self._own_numbers[id(value)] = len(self._own)
            self._own.append(value)
        named = {} if self._side == PROGRAM else {"name": getattr(value, "__name__", "")}
        return {TAG: "mine", "of": self._own_numbers[id(value)], **named}

    def _share(self, value: Any) -> int:
        if id(value) in self._numbers:
            return self._numbers[id(value)]
        number = self._next
        self._next += 2
        self._register(number, value)
        self._note(number, value)
        return number

    def _unpack(self, data: Any) -> Any:
        if isinstance(data, list):  # the key and value of a dict
            return [self._unpack(item) for item in data]
        if not isinstance(data, dict):
            return data
        kind, of = data[TAG], data["of"]
        match kind:
            case "shared":
                return self._shared[of]
            case "yours":
                return self._own[of]
            case "mine":
                return self.proxy(int(of), data.get("name", ""))
            case "iterator":
                return iter([self._unpack(item) for item in of])
        return values.unpack(kind, of, self._unpack)


def _is_flat(value: Any) -> bool:
    """Whether its elements are JSON values as they are."""
    kinds = set(map(type, value))
    return kinds <= _FLAT or (kinds == {int} and min(value) > -(1 << 63) and max(value) < 1 << 63)


def _fill(value: Any, content: list[Any]) -> None:
    """Give a shared value its content."""
    if isinstance(value, list | bytearray):
        value[:] = content
    elif isinstance(value, dict):
        value.clear()
        for key, item in content:
            value[key] = item
    elif list(value) != content:
        value.clear()
        value.extend(content) if isinstance(value, collections.deque) else value.update(content)
