"""The page of all config keys: ``python docs/config_reference.py`` writes docs/config.md from the schema and conf/."""

from __future__ import annotations

import dataclasses
import inspect
import re
import sys
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent))

import yaml  # noqa: E402
from hydra import compose, initialize_config_dir  # noqa: E402
from omegaconf import OmegaConf  # noqa: E402

from sweep.config.cell import EXECUTION, LABELS, Cell  # noqa: E402
from sweep.config.schema import config_fields, register  # noqa: E402

HEAD = """\
# Config keys

Every key of a cell, with its type and default; written by `python docs/config_reference.py` from the types and `conf/`.
`python -m sweep --cfg job` prints the values that a command would use. Groups (`data`, `model`, `strategy`, ...) set
many keys at once: [Grids](grids.md). `NAME` is a name of your own.

A key that is part of the identity (last column) gives other stages, and so other results, when it changes. The others
say where and how the work runs, or only name it in tables; of a path, the content of the file counts.
"""

TABLE = """
| key | type | default | identity |
| --- | --- | --- | --- |
"""


def page() -> str:
    """The text of docs/config.md."""
    register()
    with initialize_config_dir(str(HERE.parent / "conf"), version_base="1.3"):
        config = OmegaConf.to_container(compose("config"))
    return HEAD + "".join(sections(Cell, "", config))


def sections(cls: Any, prefix: str, config: Any) -> Iterator[str]:
    """A section for a dataclass, with its docstring and a row for each value, then those of its parts."""
    hints = typing.get_type_hints(cls)
    rows, parts = [], []
    for part in config_fields(cls):
        hint, key = hints[part.name], prefix + part.name
        inner = _dataclass(hint)
        if inner is None:
            rows.append(f"| `{key}` | {_type(hint)} | {_shown(config, key, part)} | {_identity(key)} |")
        else:
            parts.append((inner, f"{key}.NAME." if typing.get_origin(hint) is dict else f"{key}."))
    words = inspect.getdoc(cls) or ""
    about = "" if words.startswith(f"{cls.__name__}(") else re.sub(r"``?([^`]+)``?", r"`\1`", words)
    yield f"\n## {prefix.rstrip('.') or 'A cell'}\n\n{about}\n{TABLE}" + "\n".join(rows) + "\n"
    for inner, place in parts:
        yield from sections(inner, place, config)


def _dataclass(hint: Any) -> Any:
    options = (hint, *typing.get_args(hint))
    return next((h for h in options if dataclasses.is_dataclass(h) and not hasattr(h, "parse")), None)


def _type(hint: Any) -> str:
    if hasattr(hint, "parse"):
        return "amount"
    parts = typing.get_args(hint)
    match typing.get_origin(hint):
        case types.UnionType | typing.Union:
            return " or ".join("null" if part is type(None) else _type(part) for part in parts)
        case origin if origin in (list, tuple):
            return f"list of {_type(parts[0])}"
        case origin if origin is dict:
            return f"table of {_type(parts[1])}"
    return {str: "text", int: "whole number", float: "number", bool: "true or false", Any: "any"}.get(hint, str(hint))


def _shown(config: Any, key: str, part: dataclasses.Field[Any]) -> str:
    """The value in the default config; for the entries of a table, and for parts that are null, that of the type."""
    for name in key.split("."):
        if not isinstance(config, dict) or name not in config:
            made = part.default_factory() if part.default_factory is not dataclasses.MISSING else part.default
            return "" if made is dataclasses.MISSING else _yaml(getattr(made, "text", made))
        config = config[name]
    return "" if config == "???" else _yaml(config)


def _yaml(value: Any) -> str:
    return f"`{yaml.safe_dump(value, default_flow_style=True, width=1000).removesuffix('...' + chr(10)).strip()}`"


def _identity(key: str) -> str:
    declared = any(_matches(key.replace("NAME", "*"), pattern) for pattern in (*EXECUTION, *LABELS))
    return "" if declared else "yes"


def _matches(key: str, pattern: str) -> bool:
    parts, want = key.split("."), pattern.split(".")
    return parts[: len(want)] == want


if __name__ == "__main__":
    (HERE / "config.md").write_text(page(), encoding="utf-8")
