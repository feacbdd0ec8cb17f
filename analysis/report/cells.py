"""What is known of each cell: how it was trained, what it cost, and the command that runs it."""

from __future__ import annotations

import math
from collections.abc import Hashable, Iterable, Mapping
from itertools import product

from analysis.advice.commands import command, overrides, parts
from analysis.data.study import Study
from analysis.format import amount, number

FACTS = ("model", "strategy", "trained_on", "fraction_text", "replay", "seed", "machine")
MOST_COMBINATIONS = 20_000
MOST_COMMANDS = 12
"""Commands that the report lists one by one; beyond, the table's column ``overrides`` has them."""


def cell_facts(study: Study, names: Iterable[str]) -> dict[str, dict[str, str]]:
    """Facts of these cells, for the page; empty where the table names no cells."""
    if "cell" not in study.table:
        return {}
    first = study.table.drop_duplicates("cell")
    first = first[first["cell"].isin(set(names))]
    return {str(row["cell"]): _facts(row) for row in first.to_dict("records")}


def _facts(row: Mapping[Hashable, object]) -> dict[str, str]:
    facts = {name.removesuffix("_text"): str(row[name]) for name in FACTS if _known(row.get(name))}
    for name, value in row.items():
        if str(name).startswith("samples_") and _known(value) and float(str(value)) > 0:
            facts[f"samples of {str(name).removeprefix('samples_')}"] = amount(float(str(value)))
    if _known(row.get("hours")):
        facts["hours"] = number(float(str(row["hours"])))
    words = overrides(row)
    return {**facts, "command": command(words)} if words else facts


def _known(value: object) -> bool:
    return value is not None and value == value and value != ""


def short_names(labels: Iterable[str]) -> dict[str, str]:
    """The labels without the overrides that all of them share; themselves where nothing would be left."""
    words = {label: parts(label) for label in labels}
    shared = set.intersection(*map(set, words.values())) if len(words) > 1 else set()
    return {label: ",".join(w for w in own if w not in shared) or label for label, own in words.items()}


def reproduction(study: Study, name: str) -> list[str]:
    """The command that runs every cell again: one, where the cells are a grid; else one a cell.

    `MOST_COMMANDS` at most; empty where the table does not tell.
    """
    if "cell" not in study.table:
        return []
    all_words = [overrides(row) for row in study.table.drop_duplicates("cell").to_dict("records")]
    known = [words for words in all_words if words is not None]
    if not known or len(known) < len(all_words):
        return []
    values = {
        key: list(dict.fromkeys(w[key] for w in known if key in w))
        for key in dict.fromkeys(k for w in known for k in w)
    }
    return [command({**values, "name": name})] if _grid(known, values) else list(map(command, known[:MOST_COMMANDS]))


def _grid(known: list[dict[str, str]], values: Mapping[str, list[str]]) -> bool:
    """Whether all combinations of the values are the known cells; those without data are one cell by content."""
    if math.prod(map(len, values.values())) > MOST_COMBINATIONS or any(set(words) != set(values) for words in known):
        return False
    listed = {tuple(words[key] for key in values) for words in known}
    missing = [
        dict(zip(values, combination, strict=True))
        for combination in product(*values.values())
        if combination not in listed
    ]
    return all(words.get("fraction") == "0" for words in missing)
