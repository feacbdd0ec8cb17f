"""A stage: a pure function from a frozen spec and earlier outputs to a folder, and the key that names its result."""

from __future__ import annotations

import hashlib
import json
import math
import re
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cache, cached_property, lru_cache
from pathlib import Path
from typing import Any, TypeVar

REVISION = {"world": 1, "tokenizer": 1, "tokens": 1, "train": 1, "answer": 1, "score": 3, "rows": 1, "overlap": 1}
"""Raised by hand when a kind's results change for the same spec; the keys of the kind and of what follows change."""

Spec = TypeVar("Spec")
Made = TypeVar("Made")


@dataclass(frozen=True)
class File:
    """A file or folder of the user's own. Its content names it; where it lies does not."""

    path: Path = field(compare=False)
    digest: str

    @property
    def key(self) -> str:
        return self.digest


@dataclass(frozen=True)
class StageRef:
    """A stage known by its key alone, as a worker knows its inputs."""

    kind: str
    key: str


@dataclass(frozen=True, eq=False)
class Stage:
    """One unit of work. Two stages with the same key are the same work, whoever asks for it."""

    kind: str
    spec: Any
    inputs: Mapping[str, Stage | StageRef | File]

    @cached_property
    def text(self) -> str:
        """The identity as canonical JSON: kind, revision, spec, and the key of each input by name."""
        keys = {name: node.key for name, node in self.inputs.items()}
        inputs = json.dumps(keys, sort_keys=True, separators=(",", ":"))
        return (
            f'{{"inputs":{inputs},"kind":"{self.kind}","revision":{REVISION[self.kind]},"spec":{canonical(self.spec)}}}'
        )

    @cached_property
    def key(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()[:16]

    @property
    def name(self) -> str:
        return f"{self.kind}-{self.key}"

    @property
    def parents(self) -> list[Stage]:
        return [node for node in self.inputs.values() if isinstance(node, Stage)]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Stage) and other.key == self.key

    def __hash__(self) -> int:
        return hash(self.key)


@lru_cache(maxsize=4096)
def canonical(spec: Any) -> str:
    """Sorted, compact JSON of a frozen spec. The same for every process, machine and Python version."""
    return json.dumps(plain(spec), sort_keys=True, separators=(",", ":"), allow_nan=False)


def plain(value: Any) -> Any:
    """Reduce a spec to JSON values; refuse whatever has no stable meaning (paths, callables, NaN).

    A field declared with ``metadata={"neutral": v}`` was added later and is left out while it equals ``v``, so the keys
    of results made before it stand.
    """
    match value:
        case None | bool() | int() | str():
            return value
        case float() if math.isfinite(value):
            return value
        case list() | tuple():
            return [plain(item) for item in value]
        case dict():
            return {str(name): plain(item) for name, item in value.items()}
        case _ if is_dataclass(value) and not isinstance(value, type):
            return {
                part.name: plain(getattr(value, part.name))
                for part in fields(value)
                if "neutral" not in part.metadata or getattr(value, part.name) != part.metadata["neutral"]
            }
    raise TypeError(
        f"{type(value).__name__} {value!r} cannot identify a stage: use numbers, text, lists or dataclasses"
    )


def restore(cls: type[Spec], value: Mapping[str, Any]) -> Spec:
    """Build the frozen dataclass ``cls`` from what `plain` made of it, or from a config of its fields."""
    hints = _hints(cls)  # type: ignore[arg-type]  # a class is hashable
    if unknown := set(value) - set(hints):
        raise ValueError(f"{cls.__name__} has no {', '.join(sorted(unknown))}; it has {', '.join(hints)}")
    given = {part.name: part.metadata["neutral"] for part in fields(cls) if "neutral" in part.metadata}  # type: ignore[arg-type]
    return cls(**given | {name: within(name, _restore, hints[name], item) for name, item in value.items()})


def within(name: str, make: Callable[..., Made], *arguments: Any) -> Made:
    """``make(*arguments)``, a ValueError of which then also says that it happened in the field ``name``."""
    try:
        return make(*arguments)
    except ValueError as problem:
        dotted = re.match(r"[\w.]+(=|: )", str(problem)) is not None
        raise ValueError(f"{name}{'.' if dotted else ': '}{problem}") from None


@cache
def _hints(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls)


def _restore(hint: Any, value: Any) -> Any:
    options = typing.get_args(hint)
    match typing.get_origin(hint):
        case types.UnionType | typing.Union:
            return None if value is None else _restore(next(o for o in options if o is not type(None)), value)
        case origin if origin is tuple and len(options) == 2 and options[1] is Ellipsis:
            return tuple(_restore(options[0], item) for item in value)
        case origin if origin is tuple:
            return tuple(_restore(option, item) for option, item in zip(options, value, strict=True))
        case origin if origin is list:
            return [_restore(options[0], item) for item in value]
        case origin if origin is dict:
            return {name: within(name, _restore, options[1], item) for name, item in value.items()}
    return restore(hint, value) if isinstance(hint, type) and is_dataclass(hint) else value
