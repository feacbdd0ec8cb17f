"""`Cell` as a Hydra schema: the types against which Hydra checks every value."""

from __future__ import annotations

import dataclasses
import types
import typing
from functools import cache
from pathlib import Path
from typing import Any

from hydra.core.config_store import ConfigStore
from omegaconf import DictConfig, OmegaConf

from sweep.config import config_files
from sweep.config.amount import Amount
from sweep.config.cell import Cell


def register() -> None:
    """Make `Cell` known to Hydra as the config named ``schema``, and let it read files with old names of keys.

    In a config ``${model_name:NAME}`` is `model_name`, ``${first_ability:}`` is `first_ability`.
    """
    config_files.register()
    OmegaConf.register_new_resolver("first_ability", first_ability, replace=True)
    OmegaConf.register_new_resolver("model_name", model_name, replace=True)
    store = ConfigStore.instance()
    if "schema.yaml" not in store.repo:
        node = OmegaConf.structured(schema(Cell))
        node.amount = {}
        OmegaConf.set_struct(node.amount, False)  # so that amount.KEY= needs no + for any ability of the data
        store.store(name="schema", node=node)


def first_ability(*, _root_: DictConfig) -> str:
    """The ability of the data's first source; an empty text where the data has no source."""
    sources = OmegaConf.select(_root_, "data.sources")
    return str(next(iter(sources.values())).ability) if sources else ""


def model_name(name: str, *, _parent_: DictConfig) -> str:
    """``name``, unless the model comes from a folder or the hub: then the last part of its path or repository.

    A revision of the hub other than main is added after an @.
    """
    place = _parent_.get("path") or _parent_.get("hub")
    if place is None:
        return name
    revision = _parent_.get("revision") if _parent_.get("hub") else None
    return Path(str(place)).absolute().name + ("" if revision in (None, "main") else f"@{revision}")


def config_fields(cls: Any) -> list[dataclasses.Field[Any]]:
    """The fields of a dataclass that the config sets: all but those declared with ``metadata={"derived": True}``."""
    return [part for part in dataclasses.fields(cls) if not part.metadata.get("derived")]


@cache
def schema(cls: type) -> type:
    """A twin of a frozen dataclass for OmegaConf to fill: typed, closed to unknown keys, open to overrides.

    OmegaConf makes every node of a frozen class read-only, also nodes that appear while it composes, and would refuse
    every value from YAML. So it gets the same fields in a class that is not frozen.
    """
    hints = typing.get_type_hints(cls)
    parts = []
    for part in config_fields(cls):
        value = part.default.text if isinstance(part.default, Amount) else part.default
        default = dataclasses.field(default=value, default_factory=part.default_factory)  # type: ignore[arg-type]
        parts.append((part.name, _twin(hints[part.name]), default))
    return dataclasses.make_dataclass(cls.__name__, parts, kw_only=True)


def _twin(hint: Any) -> Any:
    if hasattr(hint, "parse"):  # written as one word, which `restore` reads
        return Any
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


def names(cls: type, prefix: str = "") -> list[str]:
    """Dotted names of all fields of a dataclass of dataclasses."""
    dotted = []
    for part in config_fields(cls):
        hint = typing.get_type_hints(cls)[part.name]
        inner = next((h for h in (hint, *typing.get_args(hint)) if dataclasses.is_dataclass(h)), None)
        dotted.append(prefix + part.name)
        if isinstance(inner, type) and typing.get_origin(hint) is not dict and not hasattr(inner, "parse"):
            dotted += names(inner, f"{prefix}{part.name}.")
    return dotted
