"""Fit one law to columns of any table, and describe the fit as text for `python -m analysis fit`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from analysis.arrays import Array
from analysis.data.table import load
from analysis.fitting.curve import Curve, fit
from analysis.fitting.diagnosis import explain
from analysis.fitting.points import Points
from analysis.records import result
from analysis.text_table import TextTable, render
from common.options import Result, near


def describe(
    table: Path,
    x: tuple[str, ...],
    y: str,
    law: str,
    objective: str,
    *,
    trials: str | None,
    group: str | None,
    delta: float,
    level: float,
    seed: int,
) -> Result:
    """A table of the fitted parameters with intervals at ``level``, the law, the objective and the warnings.

    ``x``, ``y``, ``trials`` and ``group`` are columns of ``table``; the rest are arguments of `analysis.fit`.
    Raises ValueError for a column that is absent or not a number, and for the reasons of `analysis.fit`.
    """
    frame = load(table)
    points = Points(
        {name: _numbers(frame, name, table) for name in x},
        _numbers(frame, y, table),
        trials=None if trials is None else _numbers(frame, trials, table),
        group=None if group is None else _column(frame, group, table).astype(str).to_numpy(str),
    )
    curve = fit(points, law, objective, delta, seed)
    title = f"{law} of {y} in {', '.join(x)}: {len(curve.points)} points, objective {objective}"
    text = render(TextTable(title, ("parameter", "value", f"{100 * level:g} % interval"), _rows(curve, level)))
    text += f"{(curve.law.value.__doc__ or '').splitlines()[0]}\n"
    text += f"objective {curve.objective:.6g}; {curve.agreeing_starts} of {curve.starts} starts agree\n"
    text += "".join(f"warning {code}: {explain(code)}\n" for code in curve.warnings)
    return result(_record(curve, level), text)


def _record(curve: Curve, level: float) -> dict[str, Any]:
    """The fit for scripts."""
    free = {p.name for p in curve.problem.space.free}
    ends = {name: curve.interval(name, level) for name in curve.params if name in free}
    params = {
        name: {"value": value, **({"low": ends[name][0], "high": ends[name][1]} if name in ends else {"fixed": True})}
        for name, value in curve.params.items()
    }
    return {
        "law": curve.law.name, "points": len(curve.points), "level": level, "params": params,
        "objective": curve.objective, "agreeing_starts": curve.agreeing_starts, "starts": curve.starts,
        "warnings": list(curve.warnings),
    }  # fmt: skip


def _rows(curve: Curve, level: float) -> tuple[tuple[str, ...], ...]:
    """A row for each parameter: its name, value and interval."""
    free = {p.name for p in curve.problem.space.free}
    rows = []
    for name, value in curve.params.items():
        ends = " to ".join(f"{end:.4g}" for end in curve.interval(name, level)) if name in free else "fixed"
        rows.append((name, f"{value:.6g}", ends))
    return tuple(rows)


def _column(frame: pd.DataFrame, name: str, table: Path) -> pd.Series[float]:
    if name not in frame:
        columns = [str(column) for column in frame]
        hint = near(name, columns) or "."
        raise ValueError(f"{table}: column {name!r} is absent{hint} Columns: {', '.join(columns)}")
    return frame[name]


def _numbers(frame: pd.DataFrame, name: str, table: Path) -> Array:
    """The column as numbers (rows,), NaN where a cell is empty."""
    raw = _column(frame, name, table)
    # Coerced first, so that the message can name the cell that is not a number.
    numbers = pd.to_numeric(raw, errors="coerce")
    unreadable = (numbers.isna() & raw.notna()).to_numpy()
    if unreadable.any():
        row = int(unreadable.argmax())
        raise ValueError(
            f"{table}: column {name!r}, row {row + 1}: {raw.iloc[row]!r} is not a number; write a plain decimal number"
        )
    return np.asarray(numbers, dtype=float)
