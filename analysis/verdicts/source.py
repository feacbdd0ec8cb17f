"""Which source helps which ability: what a doubling of another ability's data changes at equal own data."""

from __future__ import annotations

from functools import partial

import numpy as np
import pandas as pd

from analysis.arrays import Array
from analysis.data.apart import SAMPLES
from analysis.verdicts.arms import ArmMeans
from analysis.verdicts.contrast import contrast
from analysis.verdicts.strata import ALONE, own_factors
from analysis.verdicts.verdict import Verdict
from analysis.verdicts.wording import qualification, with_unit

WORDS = {"up": "helps", "down": "hurts", "equal": "changes little for", "undecided": "has no clear effect on"}
LEAST = 0.05  # share of a source's variation at equal own data that the other sources must leave to it


def sources(arms: ArmMeans, margin: float) -> list[Verdict]:
    """For each other ability's data: the gain per doubling of it, at equal own data, strategy and data of the others.

    A regression with one level for each own amount and strategy, so that nothing is assumed about how own data acts;
    training on the ability alone belongs to every strategy. The smallest amount of a source counts as one doubling from
    none. Sources that always vary together are compared by nobody: they have no verdict, and `together` names them.
    """
    table, doublings = _design(arms)
    verdicts = []
    for name in doublings:
        weights = _weights(table, doublings, name)
        if weights is None:
            continue
        about = f"{arms.name}, per doubling of {name} data"
        verdict = contrast("source", about, arms, weights, margin / _span(doublings[name]))
        verdicts.append(verdict.saying(partial(_sentence, arms.name, name)))
    return verdicts


def together(arms: ArmMeans) -> str:
    """Which sources this table cannot tell apart, as a sentence; empty where it can, or where no mixture varies."""
    table, doublings = _design(arms)
    unknown = [name for name in doublings if _weights(table, doublings, name) is None]
    if not unknown:
        return ""
    return (
        f"{arms.name}: what {' and '.join(unknown)} data does is not told apart, as their amounts follow from own data "
        "and each other; vary one of them alone."
    )


def _design(arms: ArmMeans) -> tuple[pd.DataFrame, dict[str, Array]]:
    """The arms with data of the ability, and the doublings (arms,) of each other source; none without a mixture."""
    table = arms.table
    if not {"samples", "total_samples"} <= set(table):
        return table[:0], {}
    table = table[table["samples"] > 0]
    others = [str(c) for c in table if str(c).startswith(SAMPLES) and str(c) != f"{SAMPLES}{arms.ability}"]
    amounts = {c.removeprefix(SAMPLES): table[c].to_numpy(float) for c in others if table[c].nunique() > 1}
    if own_factors(table) or not all(np.isfinite(column).all() for column in amounts.values()):
        return table[:0], {}
    return table, {name: np.log2(1 + column / column[column > 0].min()) for name, column in amounts.items()}


def _span(doublings: Array) -> float:
    return max(float(np.ptp(doublings)), 1.0)


def _levels(table: pd.DataFrame) -> Array:
    """A column for each own amount and strategy (with its replay), by which arms are compared with their like alone."""
    strategy = table["strategy"].astype(str) if "strategy" in table else pd.Series("", index=table.index)
    mixed = sorted(set(strategy) - {ALONE})
    if len(mixed) == 1:  # alone is that strategy without other data
        strategy = strategy.mask(strategy == ALONE, mixed[0])
    replay = table["replay"].map(str).where(strategy != ALONE, "") if "replay" in table else ""
    codes = pd.factorize(strategy + "|" + table["samples"].astype(str) + "|" + replay)[0]
    return np.asarray(np.eye(int(codes.max(initial=-1)) + 1)[codes])


def _weights(table: pd.DataFrame, doublings: dict[str, Array], name: str) -> dict[int, float] | None:
    """The weights of the arms whose sum is the gain per doubling of a source; None where the others determine it."""
    levels = _levels(table)
    rest = np.column_stack([levels, *(column for other, column in doublings.items() if other != name)])
    varied, left = (_left(doublings[name], columns) for columns in (levels, rest))
    if float(left @ left) <= max(LEAST * float(varied @ varied), 1e-9):
        return None
    weights = left / float(left @ left)
    return {int(label): float(w) for label, w in zip(table.index, weights, strict=True) if abs(w) > 1e-12}


def _left(column: Array, explained_by: Array) -> Array:
    """What other columns do not explain of a column (least squares)."""
    return np.asarray(column - explained_by @ np.linalg.lstsq(explained_by, column, rcond=None)[0])


def _sentence(name: str, source: str, verdict: Verdict) -> str:
    effect = f"{with_unit(verdict)} per doubling{qualification(verdict)}"
    return f"{source} data {WORDS[verdict.finding]} {name} at equal own data: {effect}."
