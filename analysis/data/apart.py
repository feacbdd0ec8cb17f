"""Cells of several sweeps told apart by what their tables do not say, so that unlike cells are not averaged.

Two sweeps may have one name for other data, another model, other test items or another recipe, and other names for the
same. What counts is what the cells were made of (see `analysis.data.identity`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import pandas as pd

from analysis.data.identity import Leaves, base, measured, recipe, sources, strategy
from analysis.data.sweep_folder import SweepFolder

SOURCE = "source_"
"""How columns begin that say which of several sources of an ability a cell was trained on; none where on none."""
RECIPE = "recipe"
"""The column that says how the recipe of a cell differs from that of other sweeps; none for untrained models."""
AS_IN = " (as in "
"""What follows in the name of a task, model or strategy that sweeps do not have alike, before the sweeps' names."""
SAMPLES = "samples_"


def plain(name: str) -> str:
    """The name of a task, model or strategy as its sweep has it."""
    return name.partition(AS_IN)[0]


def source_text(column: str, value: object) -> str:
    """A value of a column of sources as text, such as ``math data of first``."""
    return f"{column.removeprefix(SOURCE)} data of {value}"


def as_in(name: str) -> str:
    """The sweeps in the name of a task, model or strategy that was told apart; "" for another one."""
    return name.partition(AS_IN)[2].removesuffix(")")


def with_task(measured: str, task: str, where: str = "") -> str:
    """What was measured, such as ``math accuracy``, with a task that was told apart and a stratum in parentheses."""
    added = ", ".join(filter(None, [f"{plain(task)} as in {as_in(task)}" if as_in(task) else "", where]))
    return measured + (f" ({added})" if added else "")


def tell_apart(
    table: pd.DataFrame, folders: Sequence[SweepFolder], matched: bool = False
) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """The rows of several sweeps with columns and names that tell unlike cells apart, and remarks on what differs.

    An ability with several sources has a column `SOURCE` + ability. Such columns take the place of ``data`` and its
    parts, which also differ between cells that have no data of the source that differs and between equal sources of
    other names; and so does `RECIPE` that of ``recipe`` and its parts. Tasks, models and strategies that are not the
    same in all sweeps have names of their own, with `AS_IN`. The rows of one sweep stay as they are, as its columns say
    what it varies; and so do those of a sweep that ``folders`` lack. Where cells of two sweeps are ``matched`` to be
    compared, models and strategies keep their names, since they may be what changed.
    """
    known = {(one.name, str(cell["label"])): (one, cell) for one in folders for cell in one.cells}
    if not {"sweep", "cell"} <= set(table) or table["sweep"].nunique() < 2:
        return table, ()
    names = list(zip(table["sweep"], table["cell"], strict=True))
    if not set(names) <= set(known):
        return table, ()
    recipes, data = ({name: of(*known[name]) for name in set(names)} for of in (recipe, sources))
    remarks: list[str] = []
    for column, of in (("model", base), ("strategy", strategy)):
        if column in table:
            identities = {name: of(*known[name]) for name in set(names)}
            renamed, found = _renamed(table, column, [identities[name] for name in names], [], matched)
            table, remarks = table if matched else renamed, remarks + found
    tasks = {(*name, task): measured(*known[name], task) for name, task in set(zip(names, table["task"], strict=True))}
    within = [tasks[(*name, task)] for name, task in zip(names, table["task"], strict=True)]
    table, found = _renamed(table, "task", within, ["model"] if "model" in table else [])
    remarks += found
    columns = _sources(table, [data[name] for name in names]) | _recipe(table, [recipes[name] for name in names])
    remarks += [_remark(column, values) for column, values in columns.items()]
    said = [c for c in table if str(c).partition(".")[0] in ("data", RECIPE)]
    return table.drop(columns=said).assign(**columns), tuple(remarks)


def _renamed(
    table: pd.DataFrame, column: str, identities: Sequence[Leaves], within: list[str], matched: bool = False
) -> tuple[pd.DataFrame, list[str]]:
    """The table with names of their own for what one name in ``column`` stands for, in rows that agree in ``within``;
    and a remark for each such name, which says of ``matched`` ones that they keep it. ``identities`` has one entry a
    row, an empty one where it is not known.
    """
    known = [json.dumps(one, sort_keys=True) if one else None for one in identities]
    texts = pd.Series(known, index=table.index, dtype=object)
    several = texts.groupby([table[c] for c in (column, *within)]).nunique()
    apart = {key[0] if within else key for key in several.index[several > 1]}
    names, remarks = table[column].copy(), []
    for value in [value for value in table[column].unique() if value in apart]:
        rows = table[(table[column] == value) & texts.notna()]
        for _, same in rows.groupby(within, dropna=False) if within else [((), rows)]:
            labels = _labels([same["sweep"]], texts[same.index])
            names[same.index] = value + AS_IN + texts[same.index].map(labels) + ")"
        differ = ", ".join(_differing([json.loads(text) for text in texts[rows.index].unique()]))
        new = ", ".join(dict.fromkeys(names[rows.index]))
        then = "; cells are matched by its name" if matched else f", so it is kept apart as {new}"
        remarks.append(f"{column} {value} is not the same in all sweeps ({differ}){then}")
    return table.assign(**{column: names}), remarks


def _labels(names: Sequence[pd.Series[str]], identities: pd.Series[str]) -> dict[str, str]:
    """A name for each identity: those of its rows in the first of ``names`` that tells identities from each other; a
    number beside the last ones where none does.
    """
    for column in names:
        found = column.groupby(identities, sort=False).agg(lambda values: "+".join(dict.fromkeys(map(str, values))))
        if found.is_unique:
            return {str(key): str(name) for key, name in found.items()}
    return {str(key): f"{name} {number}" for number, (key, name) in enumerate(found.items(), 1)}


def _differing(things: Sequence[Leaves]) -> list[str]:
    """The names of the parts in which things differ."""
    names = dict.fromkeys(name for one in things for name in one)
    return [name for name in names if len({one.get(name) for one in things}) > 1]


def _sources(table: pd.DataFrame, cells: Sequence[dict[str, str]]) -> dict[str, pd.Series[str]]:
    """The columns of sources; ``cells`` has the sources by ability of the cell of each row."""
    columns = {}
    for ability in [str(c).removeprefix(SAMPLES) for c in table if str(c).startswith(SAMPLES)]:
        used = pd.Series([cell.get(ability) for cell in cells], index=table.index).where(table[SAMPLES + ability] > 0)
        if used.nunique() > 1:
            columns[SOURCE + ability] = used.map(_labels([table[c] for c in ("data", "sweep") if c in table], used))
    return columns


def _recipe(table: pd.DataFrame, cells: Sequence[Leaves]) -> dict[str, pd.Series[str]]:
    """The column of recipes, where they differ: the parts in which they do, with the values of the row's cell."""
    parts = _differing([one for one in cells if one])
    if not parts:
        return {}
    texts = [" and ".join(f"{name} {one[name]}" for name in parts if name in one) if one else None for one in cells]
    return {RECIPE: pd.Series(texts, index=table.index, dtype=object)}


def _remark(column: str, values: pd.Series[str]) -> str:
    listed = ", ".join(map(str, values.dropna().unique()))
    if column == RECIPE:
        return f"the sweeps differ in their recipe ({listed}), which is a factor"
    return f"the sweeps have several sources of {column.removeprefix(SOURCE)} ({listed}), which are a factor"
