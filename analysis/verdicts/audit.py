"""Checks of the table as a reviewer would make them: impossible values, contradictions, missing cells."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from itertools import product

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from analysis.arrays import Array
from analysis.data.study import Study
from analysis.data.table import CONSEQUENCES, binomial_rows
from analysis.format import counted
from analysis.verdicts.strategy import strategy_labels
from analysis.verdicts.verdict import Verdict

SHOWN = 5  # examples of a finding
DIGITS = 4  # decimals to which published shares are rounded, at most
RUNS = 5  # runs up to which a value is tried as their mean
MOST = 1500  # items up to which a fitting number of items is named; beyond, almost any share fits
NAMES = ("strategy", "ratio_arm", "ratio", "trained_on")
CROSSED = ("model", "training", "fraction", "replay", "base_seed", "seed")


def audit(study: Study) -> list[str]:
    """All problems, one sentence each; empty for a table without any."""
    return [*impossible(study), *contradictions(study), *renamed(study), *missing(study)]


def impossible(study: Study) -> list[str]:
    """Shares that no whole number of right items gives, even rounded to the decimals they are written with.

    Of those that a whole number gives when its share is cut off instead of rounded, the sentence says so; of the others
    it names the number of items that all values of the task fit, if there is one, or that this value fits.
    """
    frame = study.table
    if "n_items" not in frame:
        return []
    binary = [name for name, metric in study.metrics.items() if metric.binary]
    rows = frame[frame["metric"].isin(binary) & frame["n_items"].notna() & binomial_rows(frame)]
    rows = rows.drop_duplicates(["ability", "task", "metric", "value", "n_items"])
    sentences = []
    for (ability, task, items), part in rows.groupby(["ability", "task", "n_items"], sort=False):
        values = part["value"].to_numpy(float)
        bad = values[~np.array([fits(value, items) for value in values], dtype=bool)]
        common = _common_items(values, items) if len(bad) > 1 else None
        if common is not None:
            sentences.append(
                f"{ability}, {task}: {len(bad)} of {counted(len(values), 'value')} cannot be shares of {items:.0f} "
                f"items, and all can be of {common:,}"
            )
        else:
            sentences += [f"{ability}, {task}: {_why(float(value), float(items))}" for value in bad]
    return sentences[:SHOWN] + _more(len(sentences))


def fits(value: float, items: ArrayLike, *, cut: bool = False) -> NDArray[np.bool_]:
    """For which numbers of items a whole number of right ones gives this share, as written: exactly, or rounded to its
    decimals (at most `DIGITS`); with ``cut`` the decimals are cut off instead.
    """
    count = np.asarray(items, dtype=float)
    digits = next((d for d in range(2, DIGITS + 1) if abs(value - round(value, d)) < 1e-12), None)
    if digits is None:
        return np.asarray(np.abs(np.round(value * count) / count - value) <= 1e-6)
    unit = 10.0**-digits
    if cut:
        return np.asarray(np.ceil(value * count - 1e-9) / count < value + unit - 1e-12)
    return np.asarray(np.abs(np.round(value * count) / count - value) <= 0.5 * unit + 1e-12)


def _common_items(values: Array, items: float) -> int | None:
    """The number of items that all values fit, one more or one less than given before any other; None for none."""
    tried = np.array([items + 1, items - 1, *range(2, MOST)])
    tried = tried[tried >= 2]
    able = tried[np.all([fits(float(value), tried) for value in values], axis=0)]
    return int(able[0]) if len(able) else None


def _why(value: float, items: float) -> str:
    """What is wrong with a share of so many items, and what it could be."""
    if fits(value, items, cut=True):
        right = int(np.ceil(value * items - 1e-9))
        return f"{value:.6g} is {right} of {items:.0f} items ({right / items:.6f}) cut off, not rounded"
    start = f"{value:.6g} cannot be a share of {items:.0f} items"
    near = [int(other) for other in (items + 1, items - 1) if other >= 2 and fits(value, other)]
    if near:
        return f"{start} (it could be one of {near[0]:,})"
    runs = [times for times in range(2, RUNS + 1) if fits(value, times * items)]
    if runs and abs(value - round(value, DIGITS)) > 1e-12:
        return f"{start} (it could be the mean of {runs[0]} runs)"
    fewest = next((n for n in range(1, MOST) if fits(value, n)), None)
    return start + (f" (it could be one of {fewest:,})" if fewest else "")


def contradictions(study: Study) -> list[str]:
    """Designs that were measured twice with the same seed and gave different values."""
    frame, factors = study.table, study.factors
    if not factors or "seed" not in frame:  # rows that differ may then be other designs, or other seeds
        return []
    keys = [*factors, "ability", "task", "metric", *(name for name in ("base_seed", "seed") if name in frame)]
    groups = frame.groupby(keys, dropna=False, sort=True)["value"]
    spread = groups.transform("max") - groups.transform("min")
    bad = frame[spread > 1e-12].drop_duplicates(keys)
    sentences = []
    for row in bad.head(SHOWN).to_dict("records"):
        same = (frame[keys].astype(str) == pd.Series({k: str(row[k]) for k in keys})).all(axis=1)
        values = ", ".join(f"{v:.4g}" for v in sorted(frame.loc[same, "value"].unique())[:4])
        sentences.append(f"{row['ability']}, {row['task']}, {row['metric']}: the same design and seed gave {values}")
    return sentences + _more(len(bad))


def renamed(study: Study) -> list[str]:
    """Designs with the same data, seed and further factors under two names: with two values, or counted twice.

    Names are the strategy of models trained on one ability alone, and arms and ratios of a mixture. In the table of a
    sweep equal values are one run that two cells share, and no fault.
    """
    frame = study.trained
    own = sorted(str(c) for c in frame if str(c).startswith("samples_"))
    names = [c for c in NAMES if c in frame]
    if not {"samples", "total_samples"} <= set(frame) or not names:
        return []
    alone = (frame["samples"] == frame["total_samples"]) & (frame["samples"] > 0)
    frame = frame if own else frame[alone]  # the amounts of the other abilities are unknown
    strategy = frame.get("strategy", "")
    one = (frame[own] > 0).sum(axis=1) == 1 if own else alone[alone]
    frame = frame.assign(_stages=pd.Series(strategy, index=frame.index).mask(one, "alone"))
    apart = {"fraction", "hours", *names, *own, *CONSEQUENCES}
    keys = [*own, *(c for c in study.factors if c not in apart), "_stages"]
    keys += [c for c in ("base_seed", "seed") if c in frame] + ["ability", "task", "metric"]
    frame = frame[frame.duplicated(keys, keep=False)]  # a group of one cannot have two names
    sentences = []
    for _, part in frame.groupby(keys, dropna=False, sort=False):
        called = part[names].astype(str).agg(", ".join, axis=1)
        differ = part["value"].max() - part["value"].min() > 1e-12
        if called.nunique() < 2 or ("settings" in frame and not differ):
            continue
        row = part.iloc[0]
        values = f"gave {part['value'].iloc[0]:.4g} and {part.loc[called != called.iloc[0], 'value'].iloc[0]:.4g}"
        labels = " and ".join(f"({name})" for name in called.unique()[:2])
        sentences.append(
            f"{row['ability']}, {row['task']}, {row['metric']}: the same data under two names, {labels}, "
            f"{values if differ else 'counts twice'}"
        )
    return sentences[:SHOWN] + _more(len(sentences))


def missing(study: Study) -> list[str]:
    """Combinations of the varying factors that the table lacks.

    Only where at least half of all combinations are there: otherwise the design was never meant to have them all.
    """
    rows = study.trained
    # A replay belongs to the strategies that have one: to cross it with the others would miss cells that cannot be.
    names = [strategy_labels(rows)] if "strategy" in rows else []
    names += [rows["trained_on"].astype(str)] if "trained_on" in rows else []
    if names:
        rows = rows.assign(training=reduce(lambda a, b: a + " of " + b, names))
    crossed = [c for c in CROSSED if c != "replay" or "strategy" not in rows]
    factors = [c for c in crossed if c in rows and rows[c].nunique() > 1]
    if not len(rows) or len(factors) < 2:
        return []
    present = set(rows[factors].drop_duplicates().itertuples(index=False, name=None))
    values = [sorted(rows[c].dropna().unique()) for c in factors]
    count = int(np.prod([len(v) for v in values]))
    if len(present) == count or len(present) * 2 < count or count > 100_000:
        return []
    absent = [cell for cell in product(*values) if cell not in present]
    shown = [", ".join(f"{f} {_short(v)}" for f, v in zip(factors, cell, strict=True)) for cell in absent[:SHOWN]]
    return [f"missing cell: {cell}" for cell in shown] + _more(len(absent))


def undetectable(verdicts: Sequence[Verdict]) -> list[str]:
    """For each question the effects that are smaller than what the design detects with a chance of 80 %."""
    sentences = []
    for question in dict.fromkeys(v.question for v in verdicts):
        decided = [v for v in verdicts if v.question == question and v.finding != "equal" and v.low == v.low]
        small = [v for v in decided if v.small]
        shown = [
            f"{v.about} ({v.metric.effect(v.effect)}, detectable {v.metric.effect(v.detectable).lstrip('+')})"
            for v in small[:SHOWN]
        ]
        if small:
            more = f"; and {len(small) - SHOWN} more" if len(small) > SHOWN else ""
            sentences.append(
                f"{question}: {len(small)} of {counted(len(decided), 'effect')} below what the design detects "
                f"with a chance of 80 %: {'; '.join(shown)}{more}"
            )
    return sentences


def _short(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _more(count: int) -> list[str]:
    return [f"… and {count - SHOWN} more of this kind"] if count > SHOWN else []
