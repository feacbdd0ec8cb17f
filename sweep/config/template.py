"""Cells that differ in single values: composed and frozen once, then only the values are exchanged."""

from __future__ import annotations

import dataclasses
import re
import typing
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from omegaconf import Container, DictConfig, OmegaConf, ValueNode

from common.restore import field_types, restore_value, within
from sweep.config.cell import Cell

KeyPath = tuple[str | int, ...]

REFERENCE = re.compile(r"\$\{([A-Za-z_][\w.]*)\}")
"""An interpolation of one value of the config by its full name."""

FIRST_ABILITY, MODEL_NAME = re.compile(r"\$\{first_ability:\}"), re.compile(r"\$\{model_name:[\w.-]*\}")
"""Interpolations by the resolvers of `sweep.config.schema`."""

ENVIRONMENT = re.compile(r"\$\{oc\.env:[^${}]*\}")
"""An interpolation of an environment variable, the same in every cell."""

SIMPLE = re.compile("|".join(known.pattern for known in (REFERENCE, FIRST_ABILITY, MODEL_NAME, ENVIRONMENT)))
"""Interpolations of which `_reads` knows what they read."""


class Unfit(Exception):
    """A cell that a template cannot make; it has to be composed by Hydra."""


class Template:
    """A composed config whose values at ``keys`` are set anew for each cell.

    Setting a single value changes that value and whatever interpolates it, nothing else. So a cell is the first cell
    with the values at ``keys`` and at the interpolations replaced. Raises `Unfit` where that does not hold: a key that
    leads through a list, an interpolation or nothing to its value, or an interpolation of Hydra's own config, which
    depends on all overrides.
    """

    def __init__(self, config: DictConfig, keys: Sequence[str], freeze: Callable[[DictConfig], Cell]) -> None:
        plain = OmegaConf.to_container(config)
        texts = dict(_texts(plain))
        for key in keys:
            _open(config, key)
        if any("${hydra" in text for text in texts.values()) or not all(is_single_value(config, key) for key in keys):
            raise Unfit
        self.config, self.freeze = config, freeze
        self.paths: dict[str, KeyPath] = {key: tuple(key.split(".")) for key in keys}
        self.varying = [path for path, text in texts.items() if _varies(path, text, plain, keys)]
        self.first: Cell | None = None
        self.checked: dict[tuple[str, str], Any] = {}
        self.memory: dict[Any, Any] = {}

    def cell(self, values: Sequence[tuple[str, Any]]) -> Cell:
        """The cell with these values, one for each of the template's keys."""
        if self.first is None or self.varying:
            for key, value in values:
                OmegaConf.update(self.config, key, value)
        if self.first is None:
            self.first = self.freeze(self.config)
            return self.first
        tree: dict[str | int, Any] = {}
        for key, value in values:
            _plant(tree, self.paths[key], self._as_checked(key, value))
        for path in self.varying:
            _plant(tree, path, _value(self.config, path))
        cell: Cell = _replaced(Cell, self.first, tree, self.memory)
        return cell

    def _as_checked(self, key: str, value: Any) -> Any:
        """``value`` as the config holds it once OmegaConf has checked it, which it does once a value."""
        memory_key = (key, repr(value))  # tells 1 from 1.0, True and "1"
        if memory_key not in self.checked:
            OmegaConf.update(self.config, key, value)
            self.checked[memory_key] = _value(self.config, self.paths[key])
        return self.checked[memory_key]


def _plant(tree: dict[str | int, Any], path: KeyPath, value: Any) -> None:
    """Put ``value``, as a one-element tuple, at ``path`` in a tree of dictionaries."""
    for name in path[:-1]:
        tree = tree.setdefault(name, {})
    tree[path[-1]] = (value,)


def _open(config: DictConfig, key: str) -> None:
    """Add ``key`` where it would enter an open table, such as the amounts of abilities, so that it can be set."""
    table, _, name = key.rpartition(".")
    node = OmegaConf.select(config, table) if table else config
    if isinstance(node, DictConfig) and OmegaConf.is_struct(node) is False and name not in node:
        node[name] = None


def is_single_value(config: DictConfig, key: str) -> bool:
    """Whether ``key`` leads through dictionaries alone to a value that is neither a dictionary nor a list."""
    node: Any = config
    for name in key.split("."):
        if not isinstance(node, DictConfig) or node._is_none() or node._is_missing() or node._is_interpolation():
            return False
        node = node._get_node(name, validate_access=False)
    return isinstance(node, ValueNode)


def related(one: str, other: str) -> bool:
    """Whether one key is the other, or lies on the way to it."""
    short, long = sorted((one.split("."), other.split(".")), key=len)
    return long[: len(short)] == short


def is_literal(value: Any, key: str, *, below: bool = True) -> bool:
    """Whether no interpolation lies on the way to ``key``, or ``below`` it, in a plain, unresolved config."""
    for name in key.split("."):
        if isinstance(value, list) and name.isdecimal() and int(name) < len(value):
            value = value[int(name)]
        elif isinstance(value, dict):
            value = value.get(name)
    return not any(_texts(value)) if below else not isinstance(value, str) or "$" not in value


def references(value: Any) -> tuple[str, ...]:
    """The keys that a plain, unresolved config reads by their full names, each once, in alphabetical order."""
    return tuple(sorted({match[1] for _, text in _texts(value) for match in REFERENCE.finditer(text)}))


def _varies(path: KeyPath, text: str, plain: Any, keys: Sequence[str]) -> bool:
    """Whether a text with interpolations, at ``path``, may read a value at ``keys``."""
    read = _reads(path, text)
    reads = any(related(reference, key) for reference in read for key in keys)
    return reads or "$" in SIMPLE.sub("", text) or not all(is_literal(plain, reference) for reference in read)


def _reads(path: KeyPath, text: str) -> tuple[str, ...]:
    """The keys that the `SIMPLE` interpolations of a text at ``path`` read."""
    beside = (".".join(map(str, (*path[:-1], name))) for name in ("path", "hub", "revision"))
    return (
        *references(text),
        *(("data.sources",) if FIRST_ABILITY.search(text) else ()),
        *(beside if MODEL_NAME.search(text) else ()),
    )


def _texts(value: Any, path: KeyPath = ()) -> Iterator[tuple[KeyPath, str]]:
    """Path and text of every text with a dollar sign in a plain config: all interpolations are among them."""
    if isinstance(value, str) and "$" in value:
        yield path, value
    elif isinstance(value, dict | list):
        for name, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _texts(item, (*path, name))


def _value(config: DictConfig, path: KeyPath) -> Any:
    value: Any = config
    for name in path:
        value = value[name]
    if isinstance(value, Container):  # an interpolation of a whole branch
        raise Unfit
    return value


def _replaced(hint: Any, value: Any, tree: Any, memory: dict[Any, Any]) -> Any:
    """``value``, of the type ``hint``, with the leaves of ``tree``, one-element tuples, in their places.

    What does not change stays the same object, and equal changes give the same object (from ``memory``), so that the
    planner can tell by identity what cells share.
    """
    if isinstance(tree, tuple):
        new = restore_value(hint, tree[0])
        return value if type(value) is type(new) and value == new else new
    memory_key = (id(value), repr(tree))
    if memory_key not in memory:
        memory[memory_key] = _with_parts(hint, value, tree, memory)
    return memory[memory_key]


def _with_parts(hint: Any, value: Any, tree: dict[Any, Any], memory: dict[Any, Any]) -> Any:
    if dataclasses.is_dataclass(value):
        hints = field_types(value.__class__)
        old = {name: getattr(value, name) for name in tree}
    else:  # a list or dictionary, whose type names that of its items last
        hints = dict.fromkeys(tree, (typing.get_args(hint) or (Any,))[-1])
        old = {name: value[name] for name in tree}
    new = {n: within(str(n), _replaced, hints[n], old[n], branch, memory) for n, branch in tree.items()}
    if all(new[n] is old[n] for n in tree):
        return value
    if isinstance(value, dict):
        return value | new
    if isinstance(value, list):
        return [new.get(place, item) for place, item in enumerate(value)]
    return dataclasses.replace(value, **new)
