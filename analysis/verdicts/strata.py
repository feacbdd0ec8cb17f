"""Strata: the models and further factors within which questions are answered, so that none is averaged unsaid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from analysis.format import amount
from analysis.verdicts.arms import ArmMeans

DESIGN = ("samples", "total_samples", "fraction", "replay", "strategy", "trained_on", "ratio_arm", "ratio")
"""Columns that the questions are about; besides, the amounts of single abilities."""
ALONE = "single"
"""The strategy of models trained on one ability."""
MODEL = ("model", "params")
RESULTS = ("mean", "variance", "runs", "label")
"""Columns of arms that are no factors."""


def own_factors(table: pd.DataFrame) -> list[str]:
    """The columns of arms that vary besides design and model, such as a filter of the data or a learning rate.

    One that follows from the others, such as a number of steps, is none.
    """
    others = [str(c) for c in table if c not in (*DESIGN, *MODEL, *RESULTS) and not str(c).startswith("samples_")]
    given = [str(c) for c in table if c not in (*others, *RESULTS)]
    names: list[str] = []
    for column in others:
        if _varies(table, column, [*given, *names]):
            names.append(column)
    return names


def _varies(table: pd.DataFrame, column: str, given: Sequence[str]) -> bool:
    """Whether a column has several values where the given ones are equal."""
    keys = [table[c] for c in given] or [pd.Series(0, index=table.index)]
    return bool((table[column].groupby(keys, dropna=False).nunique(dropna=False) > 1).any())


def model_column(table: pd.DataFrame) -> list[str]:
    """The column that tells models apart. Names count where one design has several: evaluation tools also call every
    trained checkpoint a model. Sizes always count.
    """
    design = [str(c) for c in table if c in DESIGN or str(c).startswith("samples_")]
    sized = "params" in table and table["params"].nunique() > 1
    named = "model" in table and table["model"].nunique() > 1 and (sized or _varies(table, "model", design))
    return ["model"] if named else ["params"] if sized else []


def strata(arms: ArmMeans, *, models: bool = True) -> list[ArmMeans]:
    """The arms of each value of the further factors, and of each model unless ``models`` is False.

    Each part names its values in ``where``. Without such columns: the arms as they are.
    """
    table = arms.table
    columns = [*(model_column(table) if models else []), *own_factors(table)]
    if not columns:
        return [arms]
    parts = table.groupby(columns, dropna=False, sort=False)
    order = sorted(parts, key=lambda part: _size(part[1]))
    return [
        replace(arms.with_rows(table.index.isin(part.index)), where=", ".join(map(value_text, columns, key)))
        for key, part in order
    ]


def by_stratum(all_arms: Sequence[ArmMeans]) -> list[list[ArmMeans]]:
    """The arms of all abilities, stratum by stratum."""
    parts: dict[str, list[ArmMeans]] = {}
    for arms in all_arms:
        for part in strata(arms):
            parts.setdefault(part.where, []).append(part)
    return list(parts.values())


def value_text(column: str, value: object) -> str:
    """A factor's value as text: ``micro_s``, ``242,112 parameters``, ``data filtered``."""
    if column == "model":
        return str(value)
    if column == "params":
        return f"{amount(float(str(value)))} parameters"
    return f"{column} {value:g}" if isinstance(value, float) else f"{column} {value}"


def _size(part: pd.DataFrame) -> float:
    """The parameters of a stratum's model, by which strata are ordered; the order of the table where it is unknown."""
    return float(part["params"].iloc[0]) if "params" in part else 0.0
