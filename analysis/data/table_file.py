"""Tables in files; in CSV files texts that a spreadsheet would take for formulas stand in quotes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from common.cells import quoted, unquoted


def write_table(frame: pd.DataFrame, path: Path) -> None:
    """Write a table to ``path``, as Parquet where it ends so, else as CSV."""
    frame.to_parquet(path, index=False) if path.suffix == ".parquet" else write_csv(frame, path)


def read_csv(path: Path) -> pd.DataFrame:
    """The table in a CSV file, without the quotes before texts that a spreadsheet would take for formulas."""
    return _each_text(pd.read_csv(path), unquoted)


def write_csv(frame: pd.DataFrame, path: Path) -> None:
    """Write a table that `read_csv` reads as it is."""
    _each_text(frame, quoted).to_csv(path, index=False)


def _each_text(frame: pd.DataFrame, change: Callable[[Any], Any]) -> pd.DataFrame:
    texts = [column for column in frame if not pd.api.types.is_numeric_dtype(frame[column])]
    return frame.assign(**{str(column): frame[column].map(change) for column in texts})
