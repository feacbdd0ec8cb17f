"""Two versions of a table, such as before and after new data: what changed between cells of the same design."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from analysis.data.cleaning import clean
from analysis.data.items import read_items
from analysis.data.reading import read_groups
from analysis.data.study import Measure, Study, trained_elsewhere
from analysis.data.table import factors_of, finished
from analysis.format import amount, fraction, size
from analysis.verdicts.arms import ArmMeans, arm_means
from analysis.verdicts.contrast import contrast, difference
from analysis.verdicts.verdict import Verdict, as_a_family
from analysis.verdicts.wording import qualification, with_unit

VERSION = "version"
BEFORE, AFTER = "before", "after"
AMOUNTS = ("samples", "total_samples")
"""Factors that follow from the fraction, and change with the size of the sources."""

ALIAS = "params"
"""A factor that says again what ``model`` says."""

ALL = "all of these"
WORDS = {"up": "is better", "down": "is worse", "equal": "is the same within the margin", "undecided": "is not clear"}


@dataclass(frozen=True)
class Comparison:
    """What changed from one table to another.

    ``verdicts`` hold the difference of each measure and design, and of the mean over its designs (about `ALL`), and
    ``values`` the means before and after, in the same order. ``differs`` names the factors of which the tables have no
    value in common, ``alone`` counts designs that only one table has, ``design`` names the factors that were matched,
    ``remarks`` say what else is not the same in both (see `tell_apart`).
    """

    verdicts: list[Verdict]
    values: list[tuple[float, float]]
    differs: dict[str, tuple[str, str]]
    alone: dict[str, int]
    design: list[str]
    remarks: tuple[str, ...] = ()


def compare(tables: tuple[Path, Path], items: Sequence[Path], margin: float) -> Comparison:
    """Compare the table ``tables[1]`` with ``tables[0]``; ``items`` are files of per-item results of both.

    Compared are cells that were trained on the ability. They are matched by every factor that has a value in common,
    models and strategies under their names whatever these stand for, and by amounts of samples only where they share no
    fraction. Raises a ValueError where nothing matches, such as where they share no amount.
    """
    frames, remarks = read_groups(*([table] for table in tables), matched=True)
    versions = zip(frames, (BEFORE, AFTER), strict=True)
    whole = pd.concat([frame.assign(**{VERSION: name}) for frame, name in versions], ignore_index=True)
    study = Study(*clean(finished(whole), read_items(*items)), whole)
    design, differs = _design(study.table)
    found: list[tuple[Verdict, tuple[float, float]]] = []
    alone = {BEFORE: 0, AFTER: 0}
    for measure in study.measures:
        found += _of_measure(measure, design, margin, alone)
    if not found:
        raise ValueError(
            f"no cell of {tables[1]} has its like in {tables[0]}: none agree in {', '.join(design) or 'any column'}; "
            f"compare sweeps of the same grid{''.join(f'; {remark}' for remark in remarks)}"
        )
    return Comparison(as_a_family([v for v, _ in found]), [pair for _, pair in found], differs, alone, design, remarks)


def _design(table: pd.DataFrame) -> tuple[list[str], dict[str, tuple[str, str]]]:
    """The factors by which cells are matched, and those of which the two tables have no value in common."""
    names = [name for name in factors_of(table) if name != VERSION and not name.startswith("samples_")]
    amounts = _amounts(table, [name for name in names if name in (*AMOUNTS, "fraction")])
    design, differs = [], {}
    for name in names:
        if name in AMOUNTS and "fraction" in amounts:
            continue
        values = _values(table, name)
        if not values[0] and not values[1]:
            continue
        if name in amounts or (values[0] & values[1] and name != "fraction"):
            design.append(name)
        else:
            before, after = (", ".join(_text(name, v) for v in _sorted(some)) or "none" for some in values)
            differs[name] = (before, after)
    return design, differs


def _amounts(table: pd.DataFrame, names: Sequence[str]) -> list[str]:
    """The columns by which amounts of data are matched: the fraction where the tables share one, else the samples.

    Raises a ValueError where both tables have amounts and share none: means over unlike amounts compare nothing.
    """
    values = {name: tuple(some - {0.0} for some in _values(table, name)) for name in names}
    shared = [name for name, (before, after) in values.items() if before & after]
    if shared:
        return ["fraction"] if "fraction" in shared else shared
    apart = [
        f"{name} {' against '.join(', '.join(_text(name, v) for v in _sorted(some)) for some in pair)}"
        for name, pair in values.items()
        if all(pair)
    ]
    if apart:
        raise ValueError(
            f"the two have no amount in common ({'; '.join(apart)}); compare cells that were given as much data"
        )
    return []


def _values(table: pd.DataFrame, name: str) -> tuple[set[Any], set[Any]]:
    """The values of a factor before and after."""
    before, after = (set(table.loc[table[VERSION] == version, name].dropna()) for version in (BEFORE, AFTER))
    return before, after


def _sorted(values: set[Any]) -> list[Any]:
    """Numbers by size, then texts in alphabetical order."""
    return sorted(values, key=lambda v: (isinstance(v, str), v if isinstance(v, str) else float(v)))


def _text(name: str, value: object) -> str:
    """The value of a factor as it stands behind its name."""
    if not isinstance(value, float):
        return str(value)
    return amount(value) if name in AMOUNTS else size(value) if name == ALIAS else fraction(value)


def _of_measure(
    measure: Measure, design: list[str], margin: float, alone: dict[str, int]
) -> list[tuple[Verdict, tuple[float, float]]]:
    rows = measure.trained[~trained_elsewhere(measure.trained)]
    if not len(rows):
        return []
    arms = arm_means(measure, rows)
    table = arms.table
    keys = [name for name in design if name in table]
    pairs: list[tuple[str, list[int], list[int]]] = []
    for key, same in table.groupby(keys, dropna=False, sort=True) if keys else [((), table)]:
        old, new = ([int(i) for i in same.index[same[VERSION] == version]] for version in (BEFORE, AFTER))
        if old and new:
            pairs.append((_label(table, keys, key), old, new))
        else:
            alone[AFTER if new else BEFORE] += 1
    if len(pairs) > 1:
        pairs.append((ALL, [i for _, old, _ in pairs for i in old], [i for _, _, new in pairs for i in new]))
    return [_verdict(arms, label, old, new, margin) for label, old, new in pairs]


def _label(table: pd.DataFrame, keys: list[str], key: object) -> str:
    """The factors of a design that vary, as text."""
    values = dict(zip(keys, key if isinstance(key, tuple) else (key,), strict=True))
    shown = {name: value for name, value in values.items() if table[name].nunique(dropna=False) > 1 and value == value}
    if {"model", ALIAS} <= set(shown) and (table.groupby("model")[ALIAS].nunique() == 1).all():
        del shown[ALIAS]
    return " ".join(f"{n}={_text(n, v)}" for n, v in shown.items()) or "every cell"


def _verdict(
    arms: ArmMeans, label: str, old: list[int], new: list[int], margin: float
) -> tuple[Verdict, tuple[float, float]]:
    scaled = arms.metric.margin(margin)
    verdict = contrast("versions", f"{arms.name}, {label}", arms, difference(new, old), scaled)
    means = [float(arms.metric.value(arms.table.loc[labels, "mean"].to_numpy(float)).mean()) for labels in (old, new)]
    return verdict.saying(partial(_sentence, arms.name, label)), (means[0], means[1])


def _sentence(name: str, label: str, verdict: Verdict) -> str:
    effect = f"{with_unit(verdict)}{qualification(verdict)}"
    return f"{name} ({label}): the second table {WORDS[verdict.finding]}: {effect}."
