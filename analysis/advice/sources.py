"""Sweeps that differ in a source: which cells can be pooled, by what each was trained on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pandas as pd

from analysis.advice.distance import PREFIX
from analysis.data.study import Study, read_study
from analysis.data.sweep_folder import sweep_folders

SOURCE = "source_"
"""How columns begin that say which of several sources of an ability a cell was trained on; none where on none."""


def read_pooled(tables: Sequence[Path]) -> Study:
    """The study in the tables of sweeps, with a column `SOURCE` + ability for each ability that has several sources.

    Such columns take the place of ``data`` and its parts, which also differ between cells without data of the source
    that differs. Tables that lie beside no sweep stay as they are. Errors as in `read_study`.
    """
    study = read_study(tables)
    table, folders = study.table, sweep_folders(tables)
    known = {(folder.name, str(cell["label"])): folder.sources(cell) for folder in folders for cell in folder.cells}
    if not {"sweep", "cell"} <= set(table) or not all(
        cell in known for cell in zip(table["sweep"], table["cell"], strict=True)
    ):
        return study
    cells = [known[cell] for cell in zip(table["sweep"], table["cell"], strict=True)]
    columns = {}
    for name in [str(c) for c in table if str(c).startswith(PREFIX)]:
        ability = name.removeprefix(PREFIX)
        used = pd.Series([cell.get(ability) for cell in cells], index=table.index).where(table[name] > 0)
        if used.nunique() > 1:
            columns[SOURCE + ability] = used.map(_names(table, used))
    said = [c for c in table if str(c).partition(".")[0] == "data"]
    return replace(study, table=table.drop(columns=said).assign(**columns))


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
