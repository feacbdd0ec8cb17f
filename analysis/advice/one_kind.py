"""The part of a table that advice is for: one model, and one value of every further factor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import pandas as pd

from analysis.data.apart import SAMPLES, SOURCE, as_in, plain
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
    `tell_apart`) one is held, and cells without data of that ability are pooled.

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
        given = _values(study, column)
        values = {_text(value): value for value in given.dropna().unique()}
        if len(values) < 2:
            continue
        wanted = _text((only or {}).get(column))
        if wanted is not None and wanted not in values:
            raise ValueError(
                f"only= names {column} {wanted}, which no row has; the table has {', '.join(map(str, values))}"
            )
        value, why = (values[wanted], "") if wanted is not None else _usual(study.trained, column, given)
        others, task = [other for other in values.values() if other != value], column not in study.table
        sentences += [_sentence(column, value, why, others, task)] if why else []
        study = keep(study, {column: value})
        chosen[column] = value
    return OneKind(study, chosen, tuple(sentences))


def keep(study: Study, chosen: Mapping[str, object]) -> Study:
    """The rows with these values, rows without data of a source or measured by other tasks, and untrained models
    without a value.
    """
    table = study.table
    here = pd.Series(True, index=table.index)
    for column, value in chosen.items():
        if column in table:
            pooled = untrained(table) | column.startswith(SOURCE)
            here &= (table[column] == value) | (pooled & table[column].isin(["", None, float("nan")]))
        else:
            tasks = table["task"]
            here &= (tasks.map(plain) != column) | (tasks.map(as_in) == value)
    table = table[here]
    if held := [column for column in chosen if column.startswith(SOURCE) and column in table]:
        table = table.sort_values(held, kind="stable")  # commands are made after the first row, so it has a source
    return replace(study, table=table.reset_index(drop=True))


def like(kind: OneKind, later: Study) -> tuple[Study, tuple[str, ...]]:
    """The rows of another study that are of the same kind, and sentences on those that are left out: of another model,
    source, recipe, or further factor, or measured differently. Both studies are read by `read_studies`.

    Raises ValueError where no row of a trained model is left.
    """
    sentences = []
    for column in [c for c in later.factors if c not in DESIGN and not c.startswith(SAMPLES) and c in kind.study.table]:
        held, there = (study.trained[column].dropna().unique() for study in (kind.study, later))
        if len(held) == 1 and (others := [value for value in there if value != held[0]]):
            later = keep(later, {column: held[0]})
            listed = ", ".join(value_text(column, value) for value in others)
            sentences.append(
                f"cells of check= with {listed} are left out, as predictions are for {value_text(column, held[0])}"
            )
    tasks = later.table["task"]
    unlike = tasks.map(as_in).astype(bool) & ~tasks.isin(kind.study.table["task"])
    if unlike.any():
        listed = ", ".join(tasks[unlike].unique())
        sentences.append(
            f"{listed} of check= is left out: the cells that predictions rest on were measured differently"
        )
        later = replace(later, table=later.table[~unlike].reset_index(drop=True))
    if not len(later.trained):
        raise ValueError(f"check= holds no cell like those of the table: {'; '.join(sentences)}")
    return later, tuple(sentences)


def _columns(study: Study) -> list[str]:
    """The columns of which advice has to be for one value: that of the model first.

    What differs between sweeps and not within any of them counts whatever the amounts. Tasks that sweeps measure
    differently stand among them by name.
    """
    found = dict[str, None]()
    for measure in study.measures:
        rows = measure.trained
        arms = rows[[c for c in study.factors if c in rows]].drop_duplicates()
        found |= dict.fromkeys([*model_column(arms), *own_factors(arms)])
    rows = study.trained
    own = [c for c in study.factors if c not in (*DESIGN, *MODEL) and not c.startswith(SAMPLES)]
    by_sweep = rows.groupby("sweep") if "sweep" in rows else None
    found |= {c: None for c in own if by_sweep is not None and rows[c].nunique() > 1 >= by_sweep[c].nunique().max()}
    found |= {plain(task): None for task in rows["task"].unique() if as_in(task)}
    return sorted(found, key=lambda column: column not in ("model", "params"))


def _values(study: Study, column: str) -> pd.Series[Any]:
    """The values (rows,) of trained models in a column; for a task that sweeps measure differently, those sweeps."""
    rows = study.trained
    if column in rows:
        return rows[column]
    return rows["task"][rows["task"].map(plain) == column].map(as_in)


def _usual(rows: pd.DataFrame, column: str, given: pd.Series[Any]) -> tuple[object, str]:
    """The value of the largest model; of another column, the one with the most rows, of equal ones the first; and why
    it is taken.
    """
    if column in ("model", "params") and "params" in rows and rows["params"].nunique() > 1:
        return rows.loc[rows["params"].idxmax(), column], "the largest"
    counts = given.value_counts(sort=False)
    return counts.idxmax(), "which most rows have" if (counts == counts.max()).sum() == 1 else "the first"


def _text(value: object) -> str | None:
    """A value as it is written in ``only``, numbers alike however they are written; None for none."""
    try:
        return f"{float(str(value)):.12g}" if value is not None else None
    except ValueError:
        return str(value)


def _sentence(column: str, value: object, why: str, others: list[object], task: bool) -> str:
    example = f"only='{{{column}: {_text(others[0])}}}'"
    if column.startswith(SOURCE):
        ability, listed = column.removeprefix(SOURCE), ", ".join(map(str, others))
        return (
            f"the sweeps have several sources of {ability}: it is held to that of {value}, {why}, and cells without "
            f"{ability} data are pooled; cells with the {ability} data of {listed} are left out ({example})"
        )
    taken, *rest = (f"{column} as in {one}" if task else value_text(column, one) for one in (value, *others))
    return f"this is for {taken}, {why}; the table also has {', '.join(rest)} ({example})"
