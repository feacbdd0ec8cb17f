"""The part of a table that advice is for: one model, and one value of every further factor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import pandas as pd

from analysis.advice.distance import PREFIX
from analysis.advice.sources import SOURCE
from analysis.data.study import Study, untrained
from analysis.verdicts.strata import DESIGN, MODEL, model_column, own_factors, value_text


@dataclass(frozen=True)
class OneKind:
    """The study whose rows have the ``chosen`` values by column, and sentences that say what was chosen and why."""

    study: Study
    chosen: Mapping[str, object]
    sentences: tuple[str, ...]


def one_kind(study: Study, only: Mapping[str, str] | None = None) -> OneKind:
    """The rows of one model, and of one value of each further factor such as ``data``: amounts and strategies alone
    are what advice chooses between, so nothing else may be averaged over. Of several sources of an ability (see
    `read_pooled`) one is held, and cells without data of that ability are pooled.

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
            pooled = untrained(table) | column.startswith(SOURCE)
            here &= (table[column] == value) | (pooled & table[column].isin(["", None, float("nan")]))
    table = table[here]
    if held := [column for column in chosen if column.startswith(SOURCE) and column in table]:
        table = table.sort_values(held, kind="stable")  # commands are made after the first row, so it has a source
    return replace(study, table=table.reset_index(drop=True))


def _columns(study: Study) -> list[str]:
    """The columns of which advice has to be for one value: that of the model first.

    Sources count in whatever amounts, and so does what differs between sweeps and not within any of them, and ``data``
    among cells that train on the same abilities.
    """
    found = dict[str, None]()
    for measure in study.measures:
        rows = measure.trained
        arms = rows[[c for c in study.factors if c in rows]].drop_duplicates()
        found |= dict.fromkeys([*model_column(arms), *own_factors(arms)])
    rows = study.trained
    parts = [str(c) for c in rows if str(c).startswith(PREFIX)]
    if "data" in rows and parts:
        abilities = (rows[parts] > 0).astype(str).agg("".join, axis=1)
        found |= {"data": None} if (rows["data"].groupby(abilities).nunique() > 1).any() else {}
    found |= {str(c): None for c in rows if str(c).startswith(SOURCE)}
    own = [c for c in study.factors if c not in (*DESIGN, *MODEL) and not c.startswith(PREFIX)]
    by_sweep = rows.groupby("sweep") if "sweep" in rows else None
    found |= {c: None for c in own if by_sweep is not None and rows[c].nunique() > 1 >= by_sweep[c].nunique().max()}
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
    source = column.startswith(SOURCE)
    others = ", ".join(str(o) if source else value_text(column, o) for o in values if o != value)
    most = int((rows == value).sum())
    why = (
        "which most rows have"
        if all((rows == other).sum() < most for other in values if other != value)
        else "the first"
    )
    why = "the largest" if column in ("model", "params") else why
    example = f"only='{{{column}: {_text(next(other for other in values if other != value))}}}'"
    if source:
        ability = column.removeprefix(SOURCE)
        return (
            f"the sweeps have several sources of {ability}: it is held to that of {value}, {why}, and cells without "
            f"{ability} data are pooled; cells with the {ability} data of {others} are left out ({example})"
        )
    return f"this is for {value_text(column, value)}, {why}; the table also has {others} ({example})"
