"""The config: `Cell` as a Hydra schema, and cells from overrides, composed once per set of group choices.

Hydra composes one config in tens of milliseconds. A sweep's cells differ in a few values, so the groups are composed
once for each set of choices and the values are then put into the frozen result, with OmegaConf's own type checks.
"""

from __future__ import annotations

import dataclasses
import difflib
import types
import typing
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from typing import Any

from hydra.core.config_loader import ConfigLoader
from hydra.core.config_store import ConfigStore
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf import DictConfig, ListConfig, OmegaConf, open_dict
from omegaconf.errors import ConfigAttributeError, ConfigKeyError, OmegaConfBaseException

from sweep.config.cell import Cell
from sweep.stages.stage import restore, within


def register() -> None:
    """Make `Cell` known to Hydra as the config named ``schema``."""
    store = ConfigStore.instance()
    if "schema.yaml" not in store.repo:
        store.store(name="schema", node=schema(Cell))


@cache
def schema(cls: type) -> type:
    """A twin of a frozen dataclass for OmegaConf to fill: typed, closed to unknown keys, open to overrides.

    OmegaConf makes every node of a frozen class read-only, nodes that appear while it composes included, and would
    refuse every value from YAML; so it gets the same fields without the frost, and `restore` freezes the result.
    """
    hints = typing.get_type_hints(cls)
    parts = []
    for part in dataclasses.fields(cls):
        default = dataclasses.field(default=part.default, default_factory=part.default_factory)  # type: ignore[call-overload]
        parts.append((part.name, _twin(hints[part.name]), default))
    return dataclasses.make_dataclass(cls.__name__, parts, kw_only=True)


def _twin(hint: Any) -> Any:
    if dataclasses.is_dataclass(hint):
        return schema(hint)  # type: ignore[arg-type]
    inner = tuple(_twin(option) for option in typing.get_args(hint))
    match typing.get_origin(hint):
        case types.UnionType | typing.Union:
            return typing.Union[inner]  # noqa: UP007 - the operator takes no tuple
        case None:
            return hint
        case origin:
            return origin[inner]


class Composer:
    """Cells of one sweep. ``master`` is the config Hydra composed for the sweep as a whole."""

    def __init__(self, loader: ConfigLoader, master: DictConfig) -> None:
        self.loader, self.master = loader, master
        self.groups: dict[str, bool] = {}
        self.bases: dict[tuple[tuple[str, ...], tuple[str, ...]], _Base] = {}

    def cell(self, overrides: Sequence[str]) -> Cell:
        """The cell of one list of overrides. Raises a ValueError that says what is wrong with which of them."""
        try:
            parsed = [_parse(text) for text in overrides]
            values = {o.key_or_group: o for o in parsed if self._is_value(o)}
            structure = tuple(o.input_line or "" for o in parsed if not self._is_value(o))
            known = (structure, tuple(values))
            if known not in self.bases:
                config = self.loader.load_sweep_config(self.master, list(structure))
                self.bases[known] = _Base(config, list(values))
            return self.bases[known].cell({key: override.value() for key, override in values.items()})
        except (HydraException, OmegaConfBaseException) as problem:
            raise ValueError(explain(problem)) from None

    def _is_value(self, override: Override) -> bool:
        """True for a plain ``key=value``: not a group choice, an addition or a deletion."""
        key = override.key_or_group
        if key not in self.groups:
            self.groups[key] = bool(self.loader.get_group_options(key))
        changes = not (override.is_add() or override.is_force_add() or override.is_delete())
        return changes and override.package is None and not self.groups[key] and not key.startswith("hydra.")


class _Base:
    """One composed config whose values in ``keys`` are exchanged for each cell."""

    def __init__(self, config: DictConfig, keys: list[str]) -> None:
        with_hydra = OmegaConf.to_container(config, resolve=False)
        assert isinstance(with_hydra, dict)
        plain = {name: value for name, value in with_hydra.items() if name != "hydra"}
        self.paths = _dependent({p: v for p, v in _all_leaves(plain) if isinstance(v, str) and "${" in v}, keys)
        self.config = config
        with open_dict(self.config):
            del self.config["hydra"]
        self.first: Cell | None = None
        self.memory: dict[Any, Any] = {}

    def cell(self, values: Mapping[str, Any]) -> Cell:
        for key, value in values.items():
            try:
                OmegaConf.update(self.config, key, value, merge=True)
            except (OmegaConfBaseException, AssertionError) as problem:  # the latter below a branch that is null
                raise ValueError(f"{key}={value}: {explain(problem)}") from None
        if self.first is None:
            self.first = freeze(self.config)
            return self.first
        changed: dict[str, Any] = {}
        for path in [*values, *self.paths]:
            value = OmegaConf.select(self.config, path)
            changed[path] = (
                OmegaConf.to_container(value, resolve=True) if isinstance(value, DictConfig | ListConfig) else value
            )
        cell: Cell = _rebuild(self.first, _tree(changed), self.memory, top=True)
        return cell


def freeze(config: DictConfig) -> Cell:
    """The frozen, checked cell of a composed config."""
    value = OmegaConf.to_container(config, resolve=True, throw_on_missing=True)
    assert isinstance(value, dict)
    return restore(Cell, value)  # type: ignore[arg-type]


def explain(problem: BaseException) -> str:
    """A Hydra or OmegaConf error in one line: what is wrong, and the name that was probably meant."""
    chain = [problem]
    while chain[-1].__cause__ is not None:
        chain.append(chain[-1].__cause__)
    for part in chain:
        if isinstance(part, ConfigKeyError | ConfigAttributeError) and part.full_key:
            close = difflib.get_close_matches(part.full_key, _names(Cell), 1)
            return f"{part.full_key} is not in the config" + (f"; did you mean {close[0]}?" if close else "")
    lines = [line.strip() for part in chain for line in str(part).splitlines()]
    return "; ".join(line for line in dict.fromkeys(lines) if line and not line.startswith(NOISE))


NOISE = ("full_key:", "object_type=", "reference_type=", "provider=", "Config search path", "Set the environment")
"""Beginnings of lines in the errors of OmegaConf and Hydra that mean nothing to a user."""


def _names(cls: type, prefix: str = "") -> list[str]:
    """Dotted names of all fields of a dataclass of dataclasses."""
    names = []
    for part in dataclasses.fields(cls):
        hint = typing.get_type_hints(cls)[part.name]
        inner = next((h for h in (hint, *typing.get_args(hint)) if dataclasses.is_dataclass(h)), None)
        names.append(prefix + part.name)
        if isinstance(inner, type) and typing.get_origin(hint) is not dict:
            names += _names(inner, f"{prefix}{part.name}.")
    return names


@lru_cache(maxsize=65536)
def _parse(text: str) -> Override:
    return OverridesParser.create().parse_override(text)


def _all_leaves(value: Any, prefix: str = "") -> list[tuple[str, Any]]:
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    if items is None:
        return [(prefix, value)]
    return [leaf for name, item in items for leaf in _all_leaves(item, f"{prefix}.{name}" if prefix else str(name))]


def _dependent(interpolations: Mapping[str, str], keys: Sequence[str]) -> list[str]:
    """Paths of the interpolations whose text mentions one of ``keys``, or another such path."""
    found: dict[str, None] = {}
    while True:
        named = [key.split(".")[-1] for key in (*keys, *found)]
        more = [p for p, text in interpolations.items() if p not in found and any(name in text for name in named)]
        if not more:
            return list(found)
        found |= dict.fromkeys(more)


def _tree(changed: Mapping[str, Any]) -> dict[str, Any]:
    """Dotted paths as a nested dictionary whose leaves are one-element tuples."""
    tree: dict[str, Any] = {}
    for path, value in changed.items():
        *parents, last = path.split(".")
        node = tree
        for name in parents:
            node = node.setdefault(name, {})
            if isinstance(node, tuple):  # a whole branch was replaced before: what lies inside came with it
                break
        else:
            node[last] = (value,)
    return tree


def _rebuild(value: Any, tree: Any, memory: dict[Any, Any], top: bool = False) -> Any:
    """``value`` with the leaves of ``tree`` put in: unchanged branches are the same objects, equal changes too."""
    if isinstance(tree, tuple):
        return tree[0]
    known = None if top else (id(value), repr(tree))
    if known is not None and known in memory:
        return memory[known]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        parts = {n: within(n, _rebuild, getattr(value, n), branch, memory) for n, branch in tree.items()}
        result: Any = dataclasses.replace(value, **parts)
    elif isinstance(value, dict):
        result = value | {n: within(n, _rebuild, value.get(n), branch, memory) for n, branch in tree.items()}
    else:
        result = [_rebuild(item, tree[str(i)], memory) if str(i) in tree else item for i, item in enumerate(value)]
    if known is not None:
        memory[known] = result
    return result
