"""Stages: what is computed from which inputs, and the key that identifies the result.

A stage is a function from a frozen spec and the folders of earlier stages to a new folder. The last
digits of a model also depend on the machine and the libraries, which the key leaves out and record.json names.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, fields, is_dataclass
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

REVISION = {"world": 3, "tokenizer": 1, "tokens": 2, "train": 2, "answer": 2, "score": 7, "rows": 1, "overlap": 2}
"""Revision of each kind, raised when its results change for the same spec. It enters the keys of later stages too."""


@dataclass(frozen=True)
class File:
    """A file or folder of the user's. The digest of its content enters keys; its path does not.

    ``stamp`` is the file's `disk.stamp` at the time when it was digested, or "". While it stays the same, so does the
    content.
    """

    path: Path = field(compare=False)
    digest: str
    stamp: str = field(default="", compare=False)

    @property
    def key(self) -> str:
        return self.digest


@dataclass(frozen=True)
class StageRef:
    """A stage identified by kind and key, without its spec: all that a worker needs to know of its inputs."""

    kind: str
    key: str


@dataclass(frozen=True, eq=False)
class Stage:
    """One unit of work. Two stages with the same key are the same work, whichever cells need it."""

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


def with_parents(stages: Iterable[Stage]) -> list[Stage]:
    """The stages and all that they are made of, each once, parents before children."""
    ordered: dict[str, Stage] = {}

    def visit(stage: Stage) -> None:
        if stage.key not in ordered:
            for parent in stage.parents:
                visit(parent)
            ordered[stage.key] = stage

    for stage in stages:
        visit(stage)
    return list(ordered.values())


def to_build(stages: Iterable[Stage], has: Callable[[Stage], bool]) -> dict[str, Stage]:
    """Those of the stages (parents before children) that have to be built, by key, in their order.

    They are the final ones that are not there, and what has to be built for these: of what a finished stage was made
    from, nothing is built again.
    """
    found: list[Stage] = []
    asked: set[str] = set()
    spared: set[str] = set()
    for stage in reversed(list(stages)):  # a stage is seen after all that are made from it
        lacks = (stage.key in asked or stage.key not in spared) and not has(stage)
        (asked if lacks else spared).update(node.key for node in stage.inputs.values())
        if lacks:
            found.append(stage)
    return {stage.key: stage for stage in reversed(found)}


@lru_cache(maxsize=4096)
def canonical(spec: Any) -> str:
    """Sorted, compact JSON of a frozen spec, the same in every process, on every machine and Python version."""
    return json.dumps(plain(spec), sort_keys=True, separators=(",", ":"), allow_nan=False)


def plain(value: Any) -> Any:
    """Reduce a spec to JSON values. Raises TypeError for values without a stable meaning (paths, callables, NaN).

    A field declared with ``metadata={"neutral": v}`` was added later. It is left out while it equals ``v``, so that the
    keys of earlier results stay valid.
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
