"""The names that a sweep can have. A name is a folder in the store and a word on the command line."""

from __future__ import annotations

import re

ALLOWED = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,99}")


def check_sweep_name(name: str) -> str:
    """``name`` itself. Raises ValueError for one that is not a plain folder name, such as ``a/b`` or ``..``."""
    if not ALLOWED.fullmatch(name):
        raise ValueError(
            f"name={name} cannot name a sweep: use at most 100 letters, digits, '.', '_' and '-', and start with "
            "a letter, a digit or '_'"
        )
    return name
