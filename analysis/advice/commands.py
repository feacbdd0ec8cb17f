"""Command lines that run cells: Hydra overrides, from what the long table says of cells that ran."""

from __future__ import annotations

import json
import re
import shlex
from collections.abc import Hashable, Mapping, Sequence
from functools import lru_cache

from analysis.data.apart import SAMPLES
from analysis.data.study import Study
from analysis.format import fraction
from common.renames import current_override

COMPOSITION = ("strategy", "ability", "fraction", "amount", "total_samples", "ratio", "ratio_arm", "seed", "replay")
"""Overrides that say what a model is trained on; the others set model, recipe, suite and the like."""
LABEL = re.compile(r"[~+]*[\w./@]+=")  # how every override of a cell's label starts


def overrides(row: Mapping[Hashable, object]) -> dict[str, str] | None:
    """The overrides by key of the cell that a row was measured in; None where the table does not tell.

    From the column ``overrides``; in older tables, which lack it, from the texts in ``settings`` and ``cell``. Raises
    ValueError where ``overrides`` is not a JSON list of texts.
    """
    listed, settings, label = (str(row.get(name) or "") for name in ("overrides", "settings", "cell"))
    words = _listed(listed) if listed else _words(settings, label)
    return None if words is None else {key: value for key, _, value in (word.partition("=") for word in words)}


@lru_cache(maxsize=4096)
def _listed(text: str) -> list[str]:
    try:
        words = json.loads(text)
    except ValueError:
        words = None
    if not isinstance(words, list) or not all(isinstance(word, str) for word in words):
        raise ValueError(f'column \'overrides\' holds {text!r}; write a JSON list such as ["strategy=dmt", "seed=0"]')
    return [current_override(word) for word in words]


@lru_cache(maxsize=4096)
def _words(settings: str, label: str) -> list[str] | None:
    """The overrides in the texts of an older table: what all cells set, then the cell's own."""
    if not settings and "=" not in label:
        return None
    words = [*shlex.split(settings), *(parts(label) if "=" in label else [])]
    if not all(LABEL.match(word) or word.startswith("~") for word in words):
        return None
    return [current_override(word) for word in words]


def parts(label: str) -> list[str]:
    """A label's overrides: split at the commas outside of brackets."""
    words, depth = [""], 0
    for letter in label:
        depth += {"{": 1, "[": 1, "(": 1, "}": -1, "]": -1, ")": -1}.get(letter, 0)
        if letter == "," and not depth:
            words.append("")
        else:
            words[-1] += letter
    return words


def common(study: Study) -> dict[str, str]:
    """What commands share: the store, and what the table's first cell overrides besides its composition, such as model,
    recipe and suite."""
    first = overrides(study.table.iloc[0].to_dict()) or {}
    shared = {key: value for key, value in first.items() if key.partition(".")[0] not in COMPOSITION}
    return {**shared, **in_store(study)}


def in_store(study: Study) -> dict[str, str]:
    """The override that names the store of the table, where commands need it."""
    return {"store": study.store} if study.store else {}


def strategy_words(study: Study, label: str) -> dict[str, str]:
    """The overrides behind a label of `labels`: the strategy, and its replay where it has one."""
    name, _, replay = label.partition(" replay ")
    if not replay and "replay" in study.table:
        values = study.table.loc[study.table["strategy"] == name, "replay"].dropna().unique()
        replay = fraction(float(values[0])) if len(values) else ""
    return {"strategy": name, **({"replay": replay} if replay else {})}


def data_abilities(study: Study) -> list[str]:
    """The abilities of the data that cells were trained on, as far as the table tells."""
    return [str(c).removeprefix(SAMPLES) for c in study.table if str(c).startswith(SAMPLES)]


def amount_word(samples: Mapping[str, int]) -> str:
    """The value of ``amount`` for samples by ability."""
    return "{" + ",".join(f"{ability}:{count}" for ability, count in samples.items()) + "}"


def unlike_sweeps(study: Study) -> list[str]:
    """A sentence on what the commands lack where the table does not come from a sweep."""
    if any(overrides(row) is not None for row in study.trained.head(1).to_dict("records")):
        return []
    return [
        "the table does not say how its cells were run: add data=, model=, recipe= and suite= to the commands, and "
        "write abilities and strategies as your config calls them"
    ]


def command(words: Mapping[str, str | Sequence[str]]) -> str:
    """The command line; several values of a key are swept."""
    swept = any(not isinstance(value, str) and len(value) > 1 for value in words.values())
    texts = {key: value if isinstance(value, str) else ",".join(value) for key, value in words.items()}
    arguments = [key if key.startswith("~") else f"{key}={value}" for key, value in texts.items()]
    return f"python -m sweep {'-m ' if swept else ''}{shlex.join(arguments)}"
