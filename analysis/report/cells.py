"""What is known of each cell: how it was trained, what it cost, and the command that runs it."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence

from analysis.advice.commands import command, in_store, overrides, parts
from analysis.data.study import Study
from analysis.format import amount, number

FACTS = ("model", "strategy", "trained_on", "fraction_text", "replay", "seed", "machine")


def cell_facts(study: Study, names: Iterable[str]) -> dict[str, dict[str, str]]:
    """Facts of these cells, for the page; empty where the table names no cells."""
    if "cell" not in study.table:
        return {}
    first = study.table.drop_duplicates("cell")
    first = first[first["cell"].isin(set(names))]
    return {str(row["cell"]): _facts(row, in_store(study)) for row in first.to_dict("records")}


def _facts(row: Mapping[Hashable, object], store: Mapping[str, str]) -> dict[str, str]:
    facts = {name.removesuffix("_text"): str(row[name]) for name in FACTS if _known(row.get(name))}
    for name, value in row.items():
        if str(name).startswith("samples_") and _known(value) and float(str(value)) > 0:
            facts[f"samples of {str(name).removeprefix('samples_')}"] = amount(float(str(value)))
    if _known(row.get("hours")):
        facts["hours"] = number(float(str(row["hours"])))
    words = overrides(row)
    return {**facts, "command": command({**words, **store})} if words else facts


def _known(value: object) -> bool:
    return value is not None and value == value and value != ""


def short_names(labels: Iterable[str]) -> dict[str, str]:
    """The labels without the overrides that all of them share; themselves where nothing would be left."""
    words = {label: parts(label) for label in labels}
    shared = set.intersection(*map(set, words.values())) if len(words) > 1 else set()
    return {label: ",".join(w for w in own if w not in shared) or label for label, own in words.items()}


def reproduction(study: Study, name: str) -> list[str]:
    """The commands that run every cell again, each a grid of as many of them as it can; empty where the table does not
    tell.
    """
    if "cell" not in study.table:
        return []
    all_words = [overrides(row) for row in study.table.drop_duplicates("cell").to_dict("records")]
    known = [words for words in all_words if words is not None]
    if len(known) < len(all_words):
        return []
    return [command({**grid, "name": name}) for grid in _grids(known)]


def _grids(cells: Sequence[Mapping[str, str]]) -> list[dict[str, list[str]]]:
    """Grids, as values by key, that hold all cells and no other, except for further cells without data: those are one
    cell by content, whatever their ability.
    """
    trained = [{key: [value] for key, value in words.items()} for words in cells if words.get("fraction") != "0"]
    grids, keys = trained, list(dict.fromkeys(key for words in cells for key in words))
    for key in reversed(keys):  # what varies fastest first: it is most often the same for all others
        grids = _merged(grids, key)
    for words in cells:
        if words.get("fraction") == "0":
            others = {key: value for key, value in words.items() if key != "fraction"}
            for grid in grids:
                if {*others, "fraction"} == set(grid) and all(value in grid[key] for key, value in others.items()):
                    grid["fraction"] = list(dict.fromkeys(["0", *grid["fraction"]]))
                    break
            else:
                grids.append({key: [value] for key, value in words.items()})
    return grids


def _merged(grids: Sequence[dict[str, list[str]]], key: str) -> list[dict[str, list[str]]]:
    """The grids, with those in one that differ in the values of one key alone."""
    found: dict[str, dict[str, list[str]]] = {}
    for grid in grids:
        others = repr(sorted((name, values) for name, values in grid.items() if name != key)) + str(key in grid)
        if others in found and key in grid:
            found[others][key] += [value for value in grid[key] if value not in found[others][key]]
        else:
            found[others] = grid
    return list(found.values())
