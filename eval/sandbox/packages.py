"""Packages that programs may import beside Python's own modules, where their suite's tests do."""

from __future__ import annotations

import ast
import contextlib
import re
from collections.abc import Iterable
from importlib import metadata
from pathlib import Path

OFFERED = ("numpy", "pandas", "scipy", "sympy", "networkx")


def named(texts: Iterable[str]) -> tuple[str, ...]:
    """The packages of `OFFERED` that texts of Python import."""
    found: set[str] = set()
    for text in texts:
        if missing := {name for name in OFFERED if name not in found and name in text}:
            with contextlib.suppress(SyntaxError, ValueError, RecursionError, MemoryError):
                nodes = list(ast.walk(ast.parse(text)))
                names = {one.name for node in nodes if isinstance(node, ast.Import) for one in node.names}
                names |= {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}
                found |= missing & {name.partition(".")[0] for name in names}
    return tuple(sorted(found))


def check(names: Iterable[str]) -> None:
    """Raise ValueError for a package that is not installed."""
    for name in names:
        try:
            metadata.distribution(name)
        except metadata.PackageNotFoundError:
            raise ValueError(
                f"the tests of the programs import {name}, which is not installed: pip install {name}"
            ) from None


def folders(name: str, known: frozenset[str] = frozenset()) -> list[str]:
    """The folders of an installed package and of the packages that it needs."""
    distribution = metadata.distribution(name)
    roots = {file.parts[0] for file in distribution.files or () if file.parts[0] != ".."}
    paths = [Path(str(distribution.locate_file(root))) for root in roots]
    needed = [one for one in distribution.requires or () if "extra" not in one]
    for requirement in needed:
        other = re.split(r"[^\w.-]", requirement)[0]
        if other not in known:
            with contextlib.suppress(metadata.PackageNotFoundError):  # it is not needed on this system
                paths += map(Path, folders(other, known | {name}))
    return sorted({str(path) for path in paths if path.is_dir() or path.suffix == ".py"})
