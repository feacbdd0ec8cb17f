"""Suites as the sweep has them, read from their YAML file without Hydra."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

from eval.spec import TASKS

PLACE = Path(__file__).resolve().parents[1] / "conf" / "suite"


@dataclass(frozen=True)
class Entry:
    """One task of a suite; the fields are those of a sweep's, which also says what they mean (`sweep/cell.py`)."""

    ability: str
    task: str
    world: str | None = None
    path: str | None = None
    format: str | None = None
    fields: Mapping[str, str] = field(default_factory=dict)
    items: int | None = None
    max_new_tokens: int = 256
    temperature: float = 0.0
    samples: int = 1
    pattern: str = ""
    seconds: float = 3.0
    memory_mib: int = 1024

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise ValueError(f"task={self.task!r} is unknown; choose one of: {', '.join(TASKS)}")
        if self.task == "regex" and not self.pattern:
            raise ValueError("task=regex needs a pattern, such as 'Answer: (.+)'")


@dataclass(frozen=True)
class Suite:
    """The tasks by name, the precision of the model while it answers, and rows in one forward pass."""

    name: str
    precision: str
    batch_rows: int
    tasks: Mapping[str, Entry]


def load(name: str, data: str | None) -> Suite:
    """The suite of that name, or in that file, with ``data`` as DOSAGE_DATA. ValueError for what is no suite."""
    from omegaconf import OmegaConf  # here, so that run-code needs nothing but Python itself
    from omegaconf.errors import OmegaConfBaseException

    path = Path(name) if name.endswith((".yaml", ".yml")) else PLACE / f"{name}.yaml"
    if not path.is_file():
        known = ", ".join(sorted(one.stem for one in PLACE.glob("*.yaml")))
        raise ValueError(f"suite={name} is unknown; choose one of: {known}, or give a YAML file")
    if data is not None:
        os.environ["DOSAGE_DATA"] = data
    try:
        made: Any = OmegaConf.to_container(OmegaConf.load(path), resolve=True)
        return Suite(**{**made, "tasks": {task: _entry(task, given) for task, given in made["tasks"].items()}})
    except (OmegaConfBaseException, TypeError, KeyError) as error:
        raise ValueError(f"{path} is no suite: {error}") from None


def _entry(name: str, given: Mapping[str, Any]) -> Entry:
    known = [one.name for one in fields(Entry)]
    if unknown := set(given) - set(known):
        raise ValueError(f"task {name} has no {', '.join(sorted(unknown))}; it has {', '.join(known)}")
    return Entry(**given)
