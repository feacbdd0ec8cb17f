"""Long tables read together: rows of cells that sweeps share are kept once, unlike cells are told apart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from analysis.data.apart import RECIPE, SAMPLES, SOURCE, tell_apart
from analysis.data.sweep_folder import sweep_folders
from analysis.data.table import COLUMNS, LABELS, check, load

GROUP, FILE = "_group", "_file"


def read(*paths: Path) -> pd.DataFrame:
    """The checked table in ``paths``, as in `read_groups`."""
    (table,), _ = read_groups(paths)
    return table


def read_groups(*groups: Sequence[Path], matched: bool = False) -> tuple[list[pd.DataFrame], tuple[str, ...]]:
    """A checked table for each group of files (.csv or .parquet), with rows in the order of the files; and remarks on
    what differs between cells of several sweeps, which have the same names in all groups; ``matched`` as in
    `tell_apart`.

    A measurement that is in several files of a group (the same cell of two sweeps) is kept once. Raises
    FileNotFoundError for a file that does not exist, and ValueError naming column, row, value and remedy for a file
    that is not a long table.
    """
    paths = [path for group in groups for path in group]
    frames = [check(load(path), str(path)) for path in paths]
    if len(frames) == 1:
        return frames, ()
    places = [number for number, group in enumerate(groups) for _ in group]
    placed = [f.assign(**{GROUP: place, FILE: k}) for k, (f, place) in enumerate(zip(frames, places, strict=True))]
    frame = pd.concat(placed, ignore_index=True)
    frame, remarks = tell_apart(_filled(frame), sweep_folders(paths), matched)
    known = [c.name for c in COLUMNS if c.name in frame and c.name not in LABELS]
    same = [*known, *(c for c in frame if str(c) in (GROUP, RECIPE) or str(c).startswith((SAMPLES, SOURCE)))]
    first = frame.groupby(same, dropna=False, sort=False)[FILE].transform("min")
    frame = frame[frame[FILE] == first]  # rows of one file are as different as their file has them
    parts = [frame[frame[GROUP] == k] for k in range(len(groups))]
    return [part.drop(columns=[GROUP, FILE]).reset_index(drop=True) for part in parts], remarks


def _filled(frame: pd.DataFrame) -> pd.DataFrame:
    """Rows of tables together, with 0 for abilities that a table lacks where its others add up to all samples."""
    parts = [str(c) for c in frame if str(c).startswith(SAMPLES)]
    if not parts or "total_samples" not in frame:
        return frame
    whole = frame[parts].sum(axis=1) == frame["total_samples"]
    return frame.assign(**{c: frame[c].mask(whole & frame[c].isna(), 0.0) for c in parts})
