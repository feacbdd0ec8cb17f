"""Checks of the table as a reviewer would make them: impossible values, contradictions, missing cells."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from itertools import product

import numpy as np
import pandas as pd

from analysis.data.study import Study
from analysis.data.table import binomial_rows
from analysis.format import counted
from analysis.verdicts.strategy import strategy_labels
from analysis.verdicts.verdict import Verdict

SHOWN = 5  # examples of a finding
DIGITS = 4  # decimals to which published shares are rounded, at most
MOST = 1500  # items up to which a fitting number of items is named; beyond, almost any share fits
CROSSED = ("model", "training", "fraction", "replay", "base_seed", "seed")


def audit(study: Study) -> list[str]:
    """All problems, one sentence each; empty for a table without any."""
    return [*impossible(study), *contradictions(study), *missing(study)]


def impossible(study: Study) -> list[str]:
    """Shares that no whole number of right items gives, even rounded to the decimals they are written with."""
    frame = study.table
    if "n_items" not in frame:
        return []
    binary = [name for name, metric in study.metrics.items() if metric.binary]
    rows = frame[frame["metric"].isin(binary) & frame["n_items"].notna() & binomial_rows(frame)]
    value, items = rows["value"].to_numpy(float), rows["n_items"].to_numpy(float)
    nearest = np.round(value * items) / items
    rounded = np.zeros(len(rows), bool)
    for digits in range(2, DIGITS + 1):
        written = np.abs(value - np.round(value, digits)) < 1e-12
        rounded |= written & (np.abs(nearest - value) <= 0.5 * 10.0**-digits + 1e-12)
    bad = rows[(np.abs(nearest - value) > 1e-6) & ~rounded]
    return [
        f"{row.ability}, {row.task}: {row.value:.6g} cannot be a share of {row.n_items:.0f} items{_fewest(row.value)}"
        for row in bad.drop_duplicates(["task", "value", "n_items"]).head(SHOWN).itertuples()
    ] + _more(len(bad.drop_duplicates(["task", "value", "n_items"])))


def _fewest(value: float) -> str:
    """The fewest items that give a share rounded to six decimals; empty where it takes more than `MOST`."""
    items = np.arange(1, MOST)
    fits = np.abs(np.round(value * items) / items - value) <= 0.5e-6
    return f" (it could be one of {items[fits][0]:,})" if fits.any() else ""


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
