"""What is published of an analysis: its tables, its figures and its report, with where they come from."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.data.cost import without_flops
from analysis.figures.curves import curves_figure
from analysis.figures.figure import Figure, Row
from analysis.report.drawings import forgetting_figures, verdict_figures
from analysis.report.results import Results
from analysis.verdicts.goal import goals
from common import axes

MEASUREMENTS, VERDICTS, DECISIONS = "measurements", "verdicts", "decisions"
"""The tables beside those of the figures, which have the figures' names."""
CURVES, FORGETTING = "curves", "forgetting"
"""Groups of figures; those of verdicts have the name of their table."""
JOB = "analysis"
"""The job type of the run that holds an analysis."""
LONGEST_ID = 64
AMOUNTS = ("total_samples", "params", "replay")
"""Axes of cells to draw scores over, in order of preference."""
VERDICT_COLUMNS = (
    "question", "about", "metric", "effect", "low", "high", "margin", "power", "detectable", "p", "finding", "items",
    "holds_for", "sentence",
)  # fmt: skip


@dataclass(frozen=True)
class Table:
    """Columns and rows, whose entries are texts, numbers or None, as W&B keeps them."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]

    def to_json(self) -> dict[str, Any]:
        """The form in which W&B stores a table."""
        return {"columns": list(self.columns), "data": [list(row) for row in self.rows]}


@dataclass(frozen=True)
class Content:
    """The analysis of ``sweeps``, which share a store: tables, figures by group, the report's text, its origin.

    ``measures`` are what is analysed, as ABILITY/TASK/METRIC. ``axes`` are what differs between cells, called as in the
    configs of their runs, ``amount`` is the one of these to draw scores over, and ``stages`` is the largest number of
    training stages after which a cell was measured.
    """

    title: str
    sweeps: tuple[str, ...]
    measures: tuple[str, ...]
    axes: tuple[str, ...]
    amount: str
    stages: int
    tables: Mapping[str, Table]
    drawn: Mapping[str, tuple[Figure, ...]]
    page: str
    origin: Mapping[str, Any]

    @property
    def figures(self) -> tuple[Figure, ...]:
        """All figures."""
        return tuple(figure for figures in self.drawn.values() for figure in figures)

    @property
    def id(self) -> str:
        """The id of its run: the same for the same sweeps, so that publishing again continues that run."""
        name = f"{JOB}-{'-'.join(self.sweeps)}"
        digest = hashlib.sha256("\n".join(self.sweeps).encode()).hexdigest()[:8]
        return f"{name[: LONGEST_ID - 9]}-{digest}" if len(self.sweeps) > 1 or len(name) > LONGEST_ID else name


def content(results: Results, sweeps: Sequence[str], page: Path, origin: Mapping[str, Any]) -> Content:
    """What is published of ``results``; ``page`` is the report's file."""
    drawn = _figures(results)
    every_stage = results.study.every_stage
    measured = results.study.table if every_stage is None else every_stage
    tables = {
        MEASUREMENTS: frame_table(without_flops(measured)),
        VERDICTS: _verdicts(results),
        DECISIONS: _decisions(results),
    }
    tables |= {figure.name: rows_table(figure.rows) for figures in drawn.values() for figure in figures}
    names = tuple(f"{measure.ability}/{measure.task}/{measure.metric.name}" for measure, _ in results.fits)
    cells = [{str(k): v for k, v in row.items()} for row in measured.drop_duplicates("cell").to_dict("records")]
    varying = tuple(axes.typed_name(key) for key in axes.swept(cells))
    trained = results.study.trained
    amount = next((name for name in AMOUNTS if name in trained and trained[name].nunique() > 1), AMOUNTS[0])
    stages = int(measured["last_stage"].max()) if "last_stage" in measured else 1
    text = page.read_text(encoding="utf-8")
    return Content("+".join(sweeps), tuple(sweeps), names, varying, amount, stages, tables, drawn, text, dict(origin))


def _figures(results: Results) -> dict[str, tuple[Figure, ...]]:
    """The figures of the report whose specifications are the same for all sweeps, by what they show."""
    curves = [curves_figure(measure, fits) for measure, fits in results.fits]
    verdicts = [figure for figures in verdict_figures(results).values() for figure in figures]
    groups = {CURVES: curves, VERDICTS: verdicts, FORGETTING: forgetting_figures(results)}
    return {name: tuple(figure for figure in figures if figure.rows) for name, figures in groups.items()}


def frame_table(frame: pd.DataFrame) -> Table:
    """A table of pandas; numbers keep all their digits, and what is missing is None."""
    columns = [[plain(value) for value in frame[name].tolist()] for name in frame]
    return Table(tuple(map(str, frame.columns)), tuple(zip(*columns, strict=True)))


def rows_table(rows: Sequence[Row]) -> Table:
    """The rows of a figure, which all have the same keys."""
    return Table(tuple(rows[0]), tuple(tuple(plain(value) for value in row.values()) for row in rows))


def records_table(records: Iterable[Mapping[str, Any]], columns: Sequence[str]) -> Table:
    """Records, of which each may lack some of the columns."""
    return Table(tuple(columns), tuple(tuple(plain(record.get(name)) for name in columns) for record in records))


def plain(value: Any) -> Any:
    """An entry of a table; None for a number that is missing or not finite."""
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _verdicts(results: Results) -> Table:
    found: Any = results.verdicts_record()["verdicts"]
    return records_table(found, VERDICT_COLUMNS)


def _decisions(results: Results) -> Table:
    """What to choose: strategies with their chances of being undominated, and the data that the next score takes."""
    records: list[dict[str, Any]] = [
        {"decision": "strategy, and its chance of being undominated", "about": compared.name, "choice": name,
         "chance": float(chance)}
        for compared, chances in results.findings.strategies
        for name, chance in zip(compared.strategies, chances, strict=True)
    ]  # fmt: skip
    records += [
        {"decision": "data that a goal takes", "about": goal.about, "choice": f"{goal.shown_value}: {goal.needed}"}
        for _, _, goal in goals(results.fits)
    ]
    return records_table(records, ("decision", "about", "choice", "chance"))
