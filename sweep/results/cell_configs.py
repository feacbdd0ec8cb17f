"""The config of every cell as a YAML file beside the sweep's table, with the command that runs it again."""

from __future__ import annotations

import dataclasses
import json
import re
import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import yaml

from sweep.config.amount import Amount
from sweep.plan.plan import PlannedCell

FOLDER = "cells"
"""The folder in that of a sweep which holds the files, each named by the cell's label and key."""

LONGEST = 120
"""Letters of a label that enter a file's name."""


def write(cells: Iterable[PlannedCell], sweep: Path) -> None:
    """Write a file for each cell of a sweep into its folder ``sweep``; remove those of other cells."""
    folder = sweep / FOLDER
    folder.mkdir(exist_ok=True)
    texts: dict[int, str] = {}  # most parts of a config are the same objects in all cells
    names = {_name(planned): planned for planned in cells}
    for name, planned in names.items():
        (folder / name).write_text(_header(planned) + _config(planned, texts), encoding="utf-8")
    for path in folder.glob("*.yaml"):
        if path.name not in names:
            path.unlink()


def _name(planned: PlannedCell) -> str:
    return f"{re.sub(r'[^A-Za-z0-9._=,-]', '-', planned.label)[:LONGEST]}-{planned.key}.yaml"


def _header(planned: PlannedCell) -> str:
    overrides = json.loads(planned.factors.get("overrides", "[]"))
    command = shlex.join(["python", "-m", "sweep", *overrides])
    return "".join(f"# {line}\n" for text in (planned.label, command) for line in text.splitlines())


def _config(planned: PlannedCell, texts: dict[int, str]) -> str:
    parts = []
    for part in dataclasses.fields(planned.cell):
        value = getattr(planned.cell, part.name)
        if not dataclasses.is_dataclass(value):
            parts.append(_yaml(part.name, value))
            continue
        if id(value) not in texts:
            texts[id(value)] = _yaml(part.name, value)
        parts.append(texts[id(value)])
    return "".join(parts)


def _yaml(name: str, value: Any) -> str:
    return yaml.safe_dump({name: plain(value)}, sort_keys=False, allow_unicode=True, width=1000)


def plain(value: Any) -> Any:
    """A part of a cell as its config has it: dictionaries, lists, texts and numbers."""
    if isinstance(value, Amount):
        return value.text
    if dataclasses.is_dataclass(value):
        config = [part.name for part in dataclasses.fields(value) if not part.metadata.get("derived")]
        return {name: plain(getattr(value, name)) for name in config}
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    return [plain(item) for item in value] if isinstance(value, list | tuple) else value
