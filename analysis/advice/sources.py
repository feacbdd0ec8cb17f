"""Sweeps that differ in a source or a recipe: which cells can be pooled, by what each was trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from analysis.advice.distance import PREFIX
from analysis.data.study import Study, read_study, untrained
from analysis.data.sweep_folder import sweep_folders

SOURCE = "source_"
"""How columns begin that say which of several sources of an ability a cell was trained on; none where on none."""


RECIPE = "recipe."


def read_pooled(tables: Sequence[Path]) -> Study:
    """The study in the tables of sweeps, with columns for what tells their cells apart and the tables do not say.

    These are `SOURCE` + ability for each ability that has several sources, which take the place of ``data`` and its
    parts, since those also differ between cells without data of the source that differs; and `RECIPE` + key for each
    part of a recipe that differs between sweeps. Tables that lie beside no sweep stay as they are. Errors as in
    `read_study`.
    """
    study = read_study(tables)
    table, folders = study.table, sweep_folders(tables)
    known = {(one.name, str(cell["label"])): (one, cell) for one in folders for cell in one.cells}
    if not {"sweep", "cell"} <= set(table):
        return study
    cells = [known.get(cell) for cell in zip(table["sweep"], table["cell"], strict=True)]
    found = [cell for cell in cells if cell is not None]
    if len(found) < len(cells):
        return study
    said = [c for c in table if str(c).partition(".")[0] == "data"]
    sources = _sources(table, [folder.sources(cell) for folder, cell in found])
    recipes = _recipes(table, [folder.recipe(cell) for folder, cell in found])
    return replace(study, table=table.drop(columns=said).assign(**sources, **recipes))


def _sources(table: pd.DataFrame, cells: Sequence[Mapping[str, str]]) -> dict[str, pd.Series[str]]:
    """The columns of sources; ``cells`` has the sources by ability of the cell of each row."""
    columns = {}
    for ability in [str(c).removeprefix(PREFIX) for c in table if str(c).startswith(PREFIX)]:
        used = pd.Series([cell.get(ability) for cell in cells], index=table.index).where(table[PREFIX + ability] > 0)
        if used.nunique() > 1:
            columns[SOURCE + ability] = used.map(_names(table, used))
    return columns


def _recipes(table: pd.DataFrame, cells: Sequence[Mapping[str, object]]) -> dict[str, pd.Series[str]]:
    """The columns of recipes, without values for untrained models; ``cells`` has the recipe of the cell of each row."""
    columns = {}
    for key in dict.fromkeys(key for cell in cells for key in cell):
        texts = pd.Series([str(cell.get(key)) for cell in cells], index=table.index).mask(untrained(table))
        if texts.nunique() > 1 and (texts.groupby(table["sweep"]).nunique() <= 1).all():
            columns[RECIPE + key] = texts
    return columns


def _names(table: pd.DataFrame, used: pd.Series[str]) -> dict[str, str]:
    """A name for each source: that of the data of its cells, else that of their sweeps, else a number."""
    for column in ("data", "sweep"):
        if column in table:
            names = (
                table[column].groupby(used, sort=False).agg(lambda values: "+".join(dict.fromkeys(map(str, values))))
            )
            if names.is_unique:
                return {str(source): str(name) for source, name in names.items()}
    return {str(source): str(number) for number, source in enumerate(used.dropna().unique(), 1)}
