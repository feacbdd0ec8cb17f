"""What ``json=true`` prints, and the records beside a report; docs/records.md describes them, for `VERSION`."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from common.options import Result

VERSION = 1
"""Raised when a field is renamed, removed or means something else; new fields leave it as it is."""


def result(record: Mapping[str, Any], text: str = "") -> Result:
    """What a verb returns: a record with its version, for ``json=true``, without missing numbers; a text for people."""
    return Result(text, {"version": VERSION, **plain(record)})


def json_text(record: Mapping[str, Any]) -> str:
    """The same as the content of a file."""
    return json.dumps(result(record).record, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def plain(value: Any) -> Any:
    """Plain values; of a mapping the entries whose number is known, in a list null for an unknown one."""
    if hasattr(value, "tolist"):  # of numpy, which commands that only read a file need not import
        value = value.tolist()
    if isinstance(value, Mapping):
        kept = {str(name): plain(item) for name, item in value.items()}
        return {name: item for name, item in kept.items() if item is not None}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
