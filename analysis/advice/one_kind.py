"""The part of a table that advice is for: one model, and one value of every further factor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pandas as pd

from analysis.data.study import Study, untrained
from analysis.verdicts.strata import model_column, own_factors, value_text


@dataclass(frozen=True)
class OneKind:
    """The study whose rows have the ``chosen`` values by column, and sentences that say what was chosen and why."""

    study: Study
    chosen: Mapping[str, object]
    sentences: tuple[str, ...]


def one_kind(study: Study, only: Mapping[str, str] | None = None) -> OneKind:
    """The rows of one model, and of one value of each further factor such as ``data``: amounts and strategies alone
    are what advice chooses between, so nothing else may be averaged over.

    ``only`` names values by column. Else it is the largest model, and of other columns the value with the most rows.
    Raises ValueError for a column that does not vary in such a way and for a value that the table lacks.
    """
    columns = _columns(study)
    unknown = sorted(set(only or {}) - set(columns))
    if unknown:
        have = f"it has several values of {', '.join(columns)}" if columns else "it holds one kind of model"
        raise ValueError(f"only= names {unknown[0]!r}, of which the table does not hold several values; {have}")
    chosen, sentences = dict[str, object](), []
    for column in columns:
        rows = study.trained
        values = {_text(value): value for value in rows[column].dropna().unique()}
        if len(values) < 2:
            continue
        wanted = _text((only or {}).get(column))
        if wanted is not None and wanted not in values:
            raise ValueError(
                f"only= names {column} {wanted}, which no row has; the table has {', '.join(map(str, values))}"
            )
        value = values[wanted] if wanted is not None else _usual(rows, column)
        study = keep(study, {column: value})
        chosen[column] = value
        sentences += [] if wanted is not None else [_sentence(column, list(values.values()), value, rows[column])]
    return OneKind(study, chosen, tuple(sentences))


def keep(study: Study, chosen: Mapping[str, object]) -> Study:
    """The rows with these values; of untrained models also those without a value."""
    table = study.table
    here = pd.Series(True, index=table.index)
    for column, value in chosen.items():
        if column in table:
            here &= (table[column] == value) | (untrained(table) & table[column].isin(["", None, float("nan")]))
    return replace(study, table=table[here].reset_index(drop=True))


def _columns(study: Study) -> list[str]:
    """The columns of which advice has to be for one value: that of the model first."""
    found = dict[str, None]()
    for measure in study.measures:
        rows = measure.trained
        arms = rows[[c for c in study.factors if c in rows]].drop_duplicates()
        found |= dict.fromkeys([*model_column(arms), *own_factors(arms)])
    return sorted(found, key=lambda column: column not in ("model", "params"))


def _usual(rows: pd.DataFrame, column: str) -> object:
    """The value of the largest model; of another column, the one with the most rows, of equal ones the first."""
    if column in ("model", "params") and "params" in rows and rows["params"].notna().any():
        return rows.loc[rows["params"].idxmax(), column]
    counts = rows[column].value_counts(sort=False)
    return counts.idxmax()


def _text(value: object) -> str | None:
    """A value as it is written in ``only``, numbers alike however they are written; None for none."""
    try:
        return f"{float(str(value)):.12g}" if value is not None else None
    except ValueError:
        return str(value)


def _sentence(column: str, values: list[object], value: object, rows: pd.Series[str]) -> str:
    others = ", ".join(value_text(column, other) for other in values if other != value)
    most = int((rows == value).sum())
    why = (
        "which most rows have"
        if all((rows == other).sum() < most for other in values if other != value)
        else "the first"
    )
    why = "the largest" if column in ("model", "params") else why
    example = f"only='{{{column}: {_text(next(other for other in values if other != value))}}}'"
    return f"this is for {value_text(column, value)}, {why}; the table also has {others} ({example})"
