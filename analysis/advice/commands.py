"""Commands that run cells: Hydra overrides, from what the long table says of cells that ran."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence

import pandas as pd

from analysis.format import fraction

COMPOSITION = ("strategy", "ability", "fraction", "amount", "total", "ratio", "arm", "seed")
LABEL = re.compile(r"[~+]*[\w./@]+=")  # how every override of a cell's label starts


def overrides(row: Mapping[str, object]) -> dict[str, str] | None:
    """The overrides by key of the cell that a row was measured in; None where the table does not tell."""
    label, settings = str(row.get("cell", "")), str(row.get("settings", ""))
    if not settings and "=" not in label:
        return None
    words = [*shlex.split(settings), *(parts(label) if "=" in label else [])]
    if not all(LABEL.match(word) or word.startswith("~") for word in words):
        return None
    return {key: value for key, _, value in (word.partition("=") for word in words)}


def parts(label: str) -> list[str]:
    """A label's overrides: split at the commas that stand in no bracket."""
    found, depth = [""], 0
    for letter in label:
        depth += {"{": 1, "[": 1, "(": 1, "}": -1, "]": -1, ")": -1}.get(letter, 0)
        if letter == "," and not depth:
            found.append("")
        else:
            found[-1] += letter
    return found


def common(frame: pd.DataFrame) -> dict[str, str]:
    """What the first sweep of the table set that composes nothing: model, recipe, suite and the like."""
    rows = [overrides(row) for row in frame.head(1).to_dict("records")]
    known = rows[0] or {} if rows else {}
    return {k: v for k, v in known.items() if k.partition(".")[0] not in (*COMPOSITION, "replay")}


def strategy_words(frame: pd.DataFrame, label: str) -> dict[str, str]:
    """The overrides behind a label of `labels`: the strategy, and its replay where it has one."""
    name, _, replay = label.partition(" replay ")
    if not replay and "replay" in frame:
        found = frame.loc[frame["strategy"] == name, "replay"].dropna().unique()
        replay = fraction(float(found[0])) if len(found) else ""
    return {"strategy": name, **({"replay": replay} if replay else {})}


def command(words: Mapping[str, str | Sequence[str]]) -> str:
    """The command line; several values of a key are swept."""
    swept = any(not isinstance(value, str) and len(value) > 1 for value in words.values())
    given = {key: value if isinstance(value, str) else ",".join(value) for key, value in words.items()}
    said = [key if key.startswith("~") else f"{key}={value}" for key, value in given.items()]
    return f"python -m sweep {'-m ' if swept else ''}{shlex.join(said)}"
