"""Frozen dataclasses from plain values, such as a config or a record, and all mistakes in them at once."""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import MISSING, fields, is_dataclass
from functools import cache, partial
from typing import Any, TypeVar

from common.wording import closest

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


def collected(actions: Iterable[tuple[str, Callable[[], Result]]]) -> dict[str, Result]:
    """The results of the actions by name. Raises the ValueErrors of all actions at once."""
    results, refused = _attempted(actions)
    refuse(line for lines in refused.values() for line in lines)
    return results


def made(
    cls: type[Made],
    actions: Iterable[tuple[str, Callable[[], Any]]],
    problems: Mapping[str, Sequence[str]],
) -> Made:
    """The dataclass ``cls`` with the results of the actions in the fields of their names.

    Raises at once the ``problems`` (each with the fields that it leaves in doubt), the ValueErrors of the actions, and
    what the class itself refuses, but for what it says of fields in doubt.
    """
    values, refused = _attempted(actions)
    lines = [*problems, *(line for part in refused.values() for line in part)]
    if lines:
        doubtful = {*refused, *(name for names in problems.values() for name in names)}
        refuse([*lines, *_refused(cls, values, doubtful)])
    return cls(**values)


def _refused(cls: Any, values: Mapping[str, Any], doubtful: Set[str]) -> list[str]:
    """What ``cls`` refuses in some values, whatever stands in the fields that are missing or ``doubtful``."""
    absent = _required(cls) - set(values)
    kinds: dict[str, Any] = {name: typing.get_origin(kind := field_types(cls)[name]) or kind for name in absent}
    if not {*kinds.values()} <= {str, list, dict}:  # nothing can stand in for the field
        return []
    try:
        cls(**{name: kind() for name, kind in kinds.items()}, **values)
    except ValueError as problem:
        names = [re.compile(rf"\b{re.escape(name)}\b") for name in absent | doubtful]
        return [line for line in _lines(problem) if not any(name.search(line) for name in names)]
    return []


def _attempted(
    actions: Iterable[tuple[str, Callable[[], Result]]],
) -> tuple[dict[str, Result], dict[str, Sequence[str]]]:
    """The results of the actions by name, and the lines of the ValueErrors of the others."""
    results: dict[str, Result] = {}
    refused: dict[str, Sequence[str]] = {}
    for name, action in actions:
        try:
            results[name] = action()
        except ValueError as problem:
            refused[name] = _lines(problem)
    return results, refused


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
    neutral = {one.name: one.metadata["neutral"] for one in fields(dataclass_type) if "neutral" in one.metadata}
    remedy = getattr(cls, "IF_ABSENT", "give a value")
    unknown = sorted(str(name) for name in value if name not in hints)
    absent = ", ".join(sorted(_required(dataclass_type) - {*value, *neutral}))
    problems = {}
    if unknown:
        nearest = [name for word in unknown for name in closest(word, hints)]
        problems[f"{cls.__name__} has no {', '.join(unknown)}; it has {', '.join(hints)}"] = nearest
    if absent:
        problems[f"{cls.__name__} needs {absent}; {remedy}"] = []
    given = _parts(((name, hints[name], item) for name, item in value.items() if name in hints), leaf)
    usual = ((name, partial(as_it_is, None, item)) for name, item in neutral.items() if name not in value)
    return made(cls, (*usual, *given), problems)


def _parts(parts: Iterable[tuple[str, Any, Any]], leaf: Leaf) -> Iterator[tuple[str, Callable[[], Any]]]:
    """What makes each value, by name, from names, types and plain values."""
    for name, hint, item in parts:
        yield name, partial(within, str(name), restore_value, hint, item, leaf)


@cache
def _required(cls: Any) -> frozenset[str]:
    """The names of the fields that have no default."""
    return frozenset(one.name for one in fields(cls) if one.default is MISSING and one.default_factory is MISSING)


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
        return origin(collected(_parts(((str(place), kind, item) for place, kind, item in items), leaf)).values())
    if hasattr(hint, "parse"):  # written as one word
        return hint.parse(value)
    table = origin is dict or (isinstance(hint, type) and is_dataclass(hint))
    if table and not isinstance(value, Mapping):
        raise ValueError(f"{value!r} is not a table of keys, such as {{KEY: VALUE}}")
    if origin is dict:
        return collected(_parts(((str(name), options[1], item) for name, item in value.items()), leaf))
    return restore(hint, value, leaf) if table else leaf(hint, value)
