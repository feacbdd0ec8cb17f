"""Strata: the models and further factors within which questions are answered, so that none is averaged unsaid."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pandas as pd

from analysis.data.apart import RECIPE, SAMPLES, SOURCE, as_in, source_text
from analysis.format import size
from analysis.verdicts.arms import ArmMeans

DESIGN = ("samples", "total_samples", "fraction", "replay", "strategy", "trained_on", "ratio_arm", "ratio")
"""Columns that the questions are about; besides, the amounts of single abilities."""
ALONE = "single"
"""The strategy of models trained on one ability."""
MODEL = ("model", "params")
ALWAYS = ("data", RECIPE)
"""Columns that are factors whatever the amounts, and so are those of sources: cells of other data or another recipe are
unlike each other even where no two of them have the same amounts."""
RESULTS = ("mean", "variance", "runs", "label")
"""Columns of arms that are no factors."""


def own_factors(table: pd.DataFrame) -> list[str]:
    """The columns of arms that vary besides design and model, such as a filter of the data or a learning rate.

    One that follows from the others, such as a number of steps, is none. For sources, and for the columns in `ALWAYS`,
    the others are the model and the abilities that are trained on.
    """
    others = [str(c) for c in table if c not in (*DESIGN, *MODEL, *RESULTS) and not str(c).startswith("samples_")]
    given = [str(c) for c in table if c not in (*others, *RESULTS)]
    names: list[str] = []
    kind = [table[str(c)] > 0 for c in table if str(c).startswith(SAMPLES)]
    kind += [table[c] for c in MODEL if c in table and kind]
    for column in others:
        always = kind and (column in ALWAYS or column.startswith(SOURCE))
        if _varies(table, column, [table[c] for c in (*given, *names)]) or (always and _varies(table, column, kind)):
            names.append(column)
    return names


def _varies(table: pd.DataFrame, column: str, given: Sequence[pd.Series[Any]]) -> bool:
    """Whether a column has several values where the given ones (rows,) are equal."""
    keys = list(given) or [pd.Series(0, index=table.index)]
    return bool((table[column].groupby(keys, dropna=False).nunique(dropna=False) > 1).any())


def model_column(table: pd.DataFrame) -> list[str]:
    """The column that tells models apart. Names count where one design has several: evaluation tools also call every
    trained checkpoint a model. Sizes always count, and so does a model that is not the same in all sweeps.
    """
    design = [table[str(c)] for c in table if c in DESIGN or str(c).startswith("samples_")]
    sized = "params" in table and table["params"].nunique() > 1
    several = "model" in table and table["model"].nunique() > 1
    named = several and (sized or table["model"].map(as_in).any() or _varies(table, "model", design))
    return ["model"] if named else ["params"] if sized else []


def strata(arms: ArmMeans, *, models: bool = True) -> list[ArmMeans]:
    """The arms of each value of the further factors, and of each model unless ``models`` is False.

    Each part names its values in ``where``. Arms without data of an ability that has several sources belong to the
    parts of all of them. Without such columns: the arms as they are.
    """
    table = arms.table
    columns = [*(model_column(table) if models else []), *own_factors(table)]
    if not columns:
        return [arms]
    present = table[columns].astype(object).where(table[columns].notna(), None)
    rows = [dict(zip(columns, row, strict=True)) for row in present.itertuples(index=False, name=None)]
    keys = [dict(zip(columns, key, strict=True)) for key in dict.fromkeys(tuple(row.values()) for row in rows)]
    whole = [key for key in keys if not any(other != key and _belongs(key, other) for other in keys)]
    parts = [(key, table[[_belongs(row, key) for row in rows]]) for key in whole]
    return [
        replace(
            arms.with_rows(table.index.isin(part.index)),
            where=", ".join(filter(None, (value_text(column, value) for column, value in key.items()))),
        )
        for key, part in sorted(parts, key=lambda part: _size(part[1]))
    ]


def _belongs(row: Mapping[str, object], part: Mapping[str, object]) -> bool:
    """Whether arms with these values by column belong to a part: equal ones, except for data that they do not have."""
    return all(value == part[c] or (value is None and c.startswith(SOURCE)) for c, value in row.items())


def by_stratum(all_arms: Sequence[ArmMeans]) -> list[list[ArmMeans]]:
    """The arms of all abilities, stratum by stratum."""
    parts: dict[str, list[ArmMeans]] = {}
    for arms in all_arms:
        for part in strata(arms):
            parts.setdefault(part.where, []).append(part)
    return list(parts.values())


def value_text(column: str, value: object) -> str:
    """A factor's value as text: ``micro_s``, ``242,112 parameters``, ``data filtered``; "" for no data of a source."""
    if value is None or value != value:
        return "" if column.startswith(SOURCE) else f"{column} not given"
    if column.startswith(SOURCE):
        return source_text(column, value)
    if column == "model":
        return str(value)
    if column == "params":
        return f"{size(float(str(value)))} parameters"
    return f"{column} {value:g}" if isinstance(value, float) else f"{column} {value}"


def _size(part: pd.DataFrame) -> float:
    """The parameters of a stratum's model, by which strata are ordered; the order of the table where it is unknown."""
    return float(part["params"].iloc[0]) if "params" in part else 0.0
