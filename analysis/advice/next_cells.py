"""Which cells to run next: those that narrow the interval of a quantity the most for their cost."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from analysis.advice.advise import headline_measures, surrogates_of
from analysis.advice.commands import amount_word, command, data_abilities, in_store, overrides, strategy_words
from analysis.advice.distance import OWN, amounts_of
from analysis.advice.surrogate import CellInputs, Surrogate
from analysis.data.apart import SAMPLES
from analysis.data.study import Study
from analysis.format import amount, fraction
from analysis.text_table import TextTable
from analysis.verdicts.strata import ALONE
from analysis.verdicts.strategy import strategy_labels

MIXED = "multitask"
SHOWN = 6  # cells of the table
FACTORS = ("strategy", "trained_on", "fraction", "replay", "samples", "total_samples")
COSTS = {
    "hours": "hours on one device (a GPU where the sweep plans for one, else a core)",
    "flops": "floating-point operations",
    "tokens": "tokens",
    "": "samples trained on plus items answered, as the table has none of the columns hours, flops and tokens",
}


@dataclass(frozen=True, eq=False)
class NextCell:
    """A cell that could run.

    ``line`` is the command that runs it, ``cell`` the overrides in which it differs from the others, ``label`` its
    samples, ``cost`` its cost in ``unit`` (a key of `COSTS`). ``before`` and ``after`` are the standard errors of the
    quantity, as a value of the surrogate, before and after the cell has been measured once.
    """

    line: str
    cell: str
    label: str
    unit: str
    cost: float
    before: float
    after: float

    @property
    def worth(self) -> float:
        """How much it narrows the standard error, divided by its cost."""
        return (self.before - self.after) / self.cost


def choices(study: Study, quantity: str) -> list[NextCell]:
    """Candidate cells, the most worthwhile first.

    ``quantity`` is ``ABILITY`` (its whole curve: the mean variance over the designs measured that have data of it) or
    ``ABILITY@SAMPLES`` (training alone on that many samples). Candidates are the designs measured, once more with
    another seed; those half-way between two neighbouring amounts; and those a step beyond the largest. The expected
    narrowing is exact for the surrogate, since the posterior variance does not depend on what is measured (Bayesian
    A-optimal design; Chaloner and Verdinelli 1995, Stat. Sci. 10). Raises ValueError for a quantity that the table
    does not hold.
    """
    name, _, at = quantity.partition("@")
    known = [measure.ability for measure in headline_measures(study)]
    if name not in known:
        raise ValueError(f"quantity={quantity!r}: ability {name!r} is not in the table; it has {', '.join(known)}")
    point = _point(at, quantity) if at else None
    (model,) = surrogates_of(study, [name])
    cells = _cells(study, name)
    if not len(cells):
        raise ValueError(
            f"the table holds no trained cell of ability {name!r} of which it tells the data; quantity={quantity!r} "
            f"needs some, with a column fraction, or {SAMPLES}ABILITY for each ability"
        )
    targets = _targets(model, cells, point, quantity)
    design = model.inputs(amounts_of(cells), cells["label"].to_numpy(str))
    unit = _costed(study)
    covariance = model.predict(targets.and_then(design))[1]
    size = len(targets.strategy)
    here = np.diag(covariance)[size:]
    runs = cells.loc[cells["measured"], "runs"]  # behind each arm, whose mean is less noisy than the one run asked for
    noise = model.scale**2 * float(np.median(model.noise)) * float(np.median(runs))
    before = float(np.diag(covariance)[:size].mean())
    taken = (covariance[:size, size:] ** 2 / (here + noise)).mean(axis=0)
    after = np.sqrt(np.maximum(before - taken, 0.0))
    shared = {**in_store(study), "name": "next"}
    candidates = [
        NextCell(command({**words, **shared}), cell, label, unit, float(cost), float(np.sqrt(before)), float(a))
        for words, cell, label, cost, a in zip(
            *(cells[c] for c in ("words", "cell", "shown", "cost")), after, strict=True
        )
    ]
    return sorted(candidates, key=lambda c: (-c.worth, c.line))


def _costed(study: Study) -> str:
    """The column with the cost of each cell; "" where there is none."""
    trained = study.trained
    return next((c for c in COSTS if c in trained and trained[c].notna().all() and (trained[c] > 0).all()), "")


def _items(study: Study) -> float:
    """The number of test items that a cell answers, over all tasks; 0 where the table does not tell."""
    if "n_items" not in study.table:
        return 0.0
    return float(study.table.drop_duplicates(["ability", "task"])["n_items"].sum())


def _point(at: str, quantity: str) -> float:
    """The number of samples behind the @ of a quantity."""
    try:
        samples = float(at)
    except ValueError as error:
        raise ValueError(f"quantity={quantity!r}: {at!r} is not a number of samples, as in math@8192") from error
    if not samples > 0:
        raise ValueError(f"quantity={quantity!r}: the number of samples must be above 0")
    return samples


def _targets(model: Surrogate, cells: pd.DataFrame, point: float | None, quantity: str) -> CellInputs:
    """The cells whose variance is to be reduced."""
    if point is None:
        curve = cells[cells["measured"] & (cells["samples"] > 0)]
        if not len(curve):
            raise ValueError(f"the table holds no cell trained on data of {quantity}; quantity={quantity!r} needs some")
        return model.inputs(amounts_of(curve), curve["label"].to_numpy(str))
    return model.inputs({OWN: np.array([point])}, np.array([MIXED]))


def _cells(study: Study, ability: str) -> pd.DataFrame:
    """Designs that can run: those measured, and those half-way between and beyond their fractions.

    Besides the columns of `_factors`: ``runs``, ``measured``, ``label`` (the strategy as the surrogate names it),
    ``words`` (the overrides), ``cell`` and ``shown`` (texts), and ``cost``.
    """
    rows = study.trained[study.trained["ability"] == ability]
    unit = _costed(study)
    rows = rows.assign(_label=strategy_labels(rows) if "strategy" in rows else MIXED)
    rows = rows.assign(cost=rows[unit] if unit else rows["total_samples"] + _items(study))
    groups = rows.groupby(_factors(rows), dropna=False, sort=True)
    measured = pd.DataFrame([design for _, part in groups if (design := _measured(part, study)) is not None])
    cells = pd.concat([measured, _halfway(measured)], ignore_index=True) if len(measured) else measured
    if not len(cells):
        return cells
    shared = _shared(cells["words"].to_list())
    cells["cell"] = [" ".join(f"{k}={v}" for k, v in w.items() if k not in shared) for w in cells["words"]]
    cells["shown"] = [
        _samples(round(own), round(total)) for own, total in zip(cells["samples"], cells["total_samples"], strict=True)
    ]
    return cells.drop_duplicates("cell")


def _samples(own: int, total: int) -> str:
    """Samples of the ability, and of all data where there are others."""
    return f"{amount(own)} samples" if own == total else f"{amount(own)} of {amount(total)} samples"


def _factors(rows: pd.DataFrame) -> list[str]:
    """The columns that tell designs apart."""
    return [*(c for c in FACTORS if c in rows), *(str(c) for c in rows if str(c).startswith(SAMPLES))]


def _measured(part: pd.DataFrame, study: Study) -> dict[str, Any] | None:
    """A measured design, to be run once more with the next seed; None for one that no command can run."""
    first = part.iloc[0].to_dict()
    words = overrides(first) or _words(first, study)
    if words is None:
        return None
    seeds = pd.to_numeric(part["seed"], errors="coerce") if "seed" in part else pd.Series([len(part) - 1.0])
    runs = part["seed"].nunique() if "seed" in part else len(part)
    following = int(seeds.max()) + 1 if seeds.notna().all() else runs
    kept = {c: first[c] for c in _factors(part)}
    label = MIXED if first["_label"] == ALONE else str(first["_label"])
    words = {**words, "seed": str(following)}
    return {**kept, "runs": runs, "measured": True, "label": label, "words": words, "cost": float(part["cost"].mean())}


def _words(row: Mapping[Hashable, object], study: Study) -> dict[str, str] | None:
    """Overrides made from a row's columns, for tables that do not come from a sweep; None where they do not tell how
    much of which data the cell was given.
    """
    words = strategy_words(study, str(row["_label"]))
    ability, own, total, share = (
        str(row["ability"]),
        *(_float(row, c) for c in ("samples", "total_samples", "fraction")),
    )
    trained = str(row.get("trained_on") or (ability if own == total else ""))
    if words["strategy"] == ALONE and trained and "+" not in trained:
        words["ability"] = trained
    if not np.isnan(share):
        return {**words, "fraction": study.fraction_text(share)}
    given = {name: _float(row, f"{SAMPLES}{name}") for name in data_abilities(study)}
    if own == total > 0:
        words |= {"strategy": ALONE, "ability": ability} if words["strategy"] == MIXED else {}
        given = {ability: own} if words["strategy"] == ALONE else {**dict.fromkeys(given, 0.0), ability: own}
    if not given or sum(given.values()) != total:
        return None
    return {**words, "fraction": "1", "amount": amount_word({name: round(count) for name, count in given.items()})}


def _float(row: Mapping[Hashable, object], column: str) -> float:
    """A number of a row; NaN for none."""
    return float(str(row.get(column, "nan")))


def _shared(all_words: list[dict[str, str]]) -> set[str]:
    """The keys with the same value in all cells, without the seed."""
    return {k for k in all_words[0] if k != "seed" and all(w.get(k) == all_words[0][k] for w in all_words)}


def _halfway(measured: pd.DataFrame) -> pd.DataFrame:
    """Designs at the geometric mean of neighbouring fractions, and a step beyond the largest fraction."""
    if "fraction" not in measured:
        return measured.iloc[:0]
    by = [c for c in ("strategy", "trained_on", "replay") if c in measured]
    groups = [g for _, g in measured.groupby(by, dropna=False)] if by else [measured]
    new = []
    for group in groups:
        free = np.array(["fraction" in words for words in group["words"]])
        group = group[(group["fraction"] > 0) & free].sort_values("fraction")
        for first, second in pairwise(group.to_dict("records")):
            if second["fraction"] / first["fraction"] < 1.5 or _others(first) != _others(second):
                continue
            new.append(_at(first, second, float(np.sqrt(first["fraction"] * second["fraction"]))))
            if second["fraction"] == group["fraction"].max() < 1:
                new.append(_at(first, second, min(1.0, second["fraction"] ** 2 / first["fraction"])))
    return pd.DataFrame(new, columns=measured.columns) if new else measured.iloc[:0]


def _at(first: dict[str, Any], second: dict[str, Any], share: float) -> dict[str, Any]:
    """A design like ``first`` at another fraction; its cost is on the line through the costs of the two."""
    times = share / first["fraction"]
    amounts = [c for c in first if c in ("samples", "total_samples") or c.startswith(SAMPLES)]
    scaled = {c: times * first[c] for c in amounts}
    part = (scaled["total_samples"] - first["total_samples"]) / (second["total_samples"] - first["total_samples"])
    cost = first["cost"] + part * (second["cost"] - first["cost"])
    words = {**first["words"], "fraction": fraction(share), "seed": "0"}
    return {**first, **scaled, "fraction": share, "cost": cost, "words": words, "runs": 1, "measured": False}


def _others(cell: dict[str, Any]) -> dict[str, str]:
    """The overrides without fraction and seed."""
    return {k: v for k, v in cell["words"].items() if k not in ("fraction", "seed")}


def next_table(cells: list[NextCell], quantity: str) -> TextTable:
    """The most worthwhile cells."""
    largest = max(cells[0].worth, 1e-300)
    rows = [
        (c.cell, c.label, f"{c.cost:.3g}", f"{100 * (1 - c.after / c.before):.1f} %", f"{c.worth / largest:.2f}")
        for c in cells[:SHOWN]
    ]
    title = f"cells that narrow the interval of {quantity} the most for their cost"
    return TextTable(
        title,
        ("cell", "data, own of all", f"cost, {cells[0].unit or 'samples'}", "narrower by", "gain per cost, relative"),
        tuple(rows),
    )
