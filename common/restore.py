"""Frozen dataclasses from plain values, such as a config or a record, and all mistakes in them at once."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from functools import cache, partial
from typing import Any, TypeVar

Made = TypeVar("Made")
Result = TypeVar("Result")

Leaf = Callable[[Any, Any], Any]
"""Makes a value of the type of a field from a plain value, both given, where the type is not made of others."""


class Problems(ValueError):
    """Several problems with one value, each a line of the message."""

    def __init__(self, lines: Sequence[str]) -> None:
        super().__init__("\n  ".join([f"{len(lines)} problems", *lines]))
        self.lines = lines


def refuse(lines: Iterable[str]) -> None:
    """Raise a ValueError where there are lines: with the one line, or `Problems` where several differ."""
    if several := list(dict.fromkeys(lines)):
        raise ValueError(several[0]) if len(several) == 1 else Problems(several)


def collected(actions: Iterable[tuple[str, Callable[[], Result]]], problems: Sequence[str] = ()) -> dict[str, Result]:
    """The results of the actions by name. Raises the ``problems`` and the ValueErrors of all actions at once."""
    results, lines = {}, list(problems)
    for name, action in actions:
        try:
            results[name] = action()
        except ValueError as problem:
            lines += _lines(problem)
    refuse(lines)
    return results


def within(name: str, function: Callable[..., Result], *arguments: Any) -> Result:
    """``function(*arguments)``, with the field ``name`` put before the messages of a ValueError."""
    try:
        return function(*arguments)
    except ValueError as problem:
        refused = problem
    dots = {line: "." if re.match(r"[\w.]+(=|: )", line) else ": " for line in _lines(refused)}
    refuse(f"{name}{dot}{line}" for line, dot in dots.items())
    raise refused


def _lines(problem: ValueError) -> Sequence[str]:
    return problem.lines if isinstance(problem, Problems) else [str(problem)]


def as_it_is(hint: Any, value: Any) -> Any:
    """The `Leaf` of values that have their types already."""
    return value


def restore(cls: type[Made], value: Mapping[str, Any], leaf: Leaf = as_it_is) -> Made:
    """Build the frozen dataclass ``cls`` from a mapping of its fields, or from what `sweep.stages.stage.plain` made.

    Raises a ValueError for unknown and missing fields, and those of ``cls`` itself with the field's name before them;
    `Problems` where there are several.
    """
    dataclass_type: Any = cls
    hints = field_types(dataclass_type)
    parts = fields(dataclass_type)
    neutral = {part.name: part.metadata["neutral"] for part in parts if "neutral" in part.metadata}
    required = {part.name for part in parts if part.default is MISSING and part.default_factory is MISSING}
    remedy = getattr(cls, "IF_ABSENT", "give a value")
    unknown = ", ".join(sorted(str(name) for name in value if name not in hints))
    absent = ", ".join(sorted(required - {*value, *neutral}))
    lines = [f"{cls.__name__} has no {unknown}; it has {', '.join(hints)}"] if unknown else []
    lines += [f"{cls.__name__} needs {absent}; {remedy}"] if absent else []
    return cls(**neutral | _restored(((n, hints[n], item) for n, item in value.items() if n in hints), leaf, lines))


def _restored(parts: Iterable[tuple[str, Any, Any]], leaf: Leaf, problems: Sequence[str] = ()) -> dict[str, Any]:
    """Values by name, from names, types and plain values. Raises the ``problems`` and those of all values at once."""
    actions = ((name, partial(within, str(name), restore_value, hint, item, leaf)) for name, hint, item in parts)
    return collected(actions, problems)


@cache
def field_types(cls: type) -> dict[str, Any]:
    """The types of a dataclass's fields by name."""
    return typing.get_type_hints(cls)


def restore_value(hint: Any, value: Any, leaf: Leaf = as_it_is) -> Any:
    """``value``, as in a config or a record, as a value of the type ``hint``."""
    options = typing.get_args(hint)
    origin = typing.get_origin(hint)
    if origin in (types.UnionType, typing.Union):
        chosen = next(option for option in options if option is not type(None))
        return None if value is None else restore_value(chosen, value, leaf)
    if origin in (list, tuple):
        if not isinstance(value, list | tuple):
            raise ValueError(f"{value!r} is not a list, such as [a, b]")
        kinds = options if origin is tuple and options[1:] != (...,) else [options[0]] * len(value)
        items = zip(range(len(value)), kinds, value, strict=True)
        return origin(_restored(((str(place), kind, item) for place, kind, item in items), leaf).values())
    if hasattr(hint, "parse"):  # written as one word
        return hint.parse(value)
    table = origin is dict or (isinstance(hint, type) and is_dataclass(hint))
    if table and not isinstance(value, Mapping):
        raise ValueError(f"{value!r} is not a table of keys, such as {{KEY: VALUE}}")
    if origin is dict:
        return _restored(((str(name), options[1], item) for name, item in value.items()), leaf)
    return restore(hint, value, leaf) if table else leaf(hint, value)
