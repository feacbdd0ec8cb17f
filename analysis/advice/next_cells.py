"""Which cells to run next: those that narrow a quantity the most for what they cost."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pandas as pd

from analysis.advice.advise import surrogates_of
from analysis.advice.surrogate import BASE, Design, Surrogate
from analysis.series import untrained
from analysis.sheets import Sheet
from analysis.words import amount, fraction

SHOWN = 6
FACTORS = ("strategy", "trained_on", "fraction", "replay", "samples", "total_samples")


@dataclass(frozen=True, eq=False)
class Choice:
    """A cell that could run: its override line, its cost, and the standard error of the quantity before and after it
    has been measured once (on the scale of the surrogate). The cost counts samples trained and items answered, as
    both take about as long.
    """

    line: str
    label: str
    cost: float
    before: float
    after: float

    @property
    def worth(self) -> float:
        """The narrowing for its cost."""
        return (self.before - self.after) / self.cost


def choices(frame: pd.DataFrame, quantity: str) -> list[Choice]:
    """Candidate cells, most worth first. ``quantity`` is ``ABILITY`` (its whole curve: the mean variance over the
    designs measured) or ``ABILITY@SAMPLES`` (trained alone on so many samples).

    Candidates are the designs measured, once more with another seed, and those half-way between two neighbouring
    amounts. The expected narrowing is exact for the surrogate: what a measurement is expected to take from a variance
    does not depend on its outcome (Bayesian A-optimal design; Chaloner and Verdinelli 1995, Stat. Sci. 10).
    Raises ValueError for a quantity that the table does not hold.
    """
    name, _, at = quantity.partition("@")
    models = {s.ability: s for s in surrogates_of(frame)}
    if name not in models:
        raise ValueError(f"quantity={quantity!r}: ability {name!r} is not in the table; it has {', '.join(models)}")
    model = models[name]
    cells = _cells(frame, name)
    if not len(cells):
        raise ValueError(f"the table holds no trained cell of ability {name!r}; quantity={quantity!r} needs some")
    targets = _targets(model, cells, at, quantity)
    own, total = cells["samples"].to_numpy(float), cells["total_samples"].to_numpy(float)
    design = model.inputs(own, total - own, cells["label"].to_numpy(str))
    covariance = model.predict(targets.and_then(design))[1]
    size = len(targets.strategy)
    here = np.diag(covariance)[size:]
    noise = model.scale**2 * float(np.median(model.noise)) * float(np.median(cells["runs"]))
    before = float(np.diag(covariance)[:size].mean())
    taken = (covariance[:size, size:] ** 2 / (here + noise)).mean(axis=0)
    answered = _items(frame)
    found = [
        Choice(line, label, float(cost) + answered, float(np.sqrt(before)), float(np.sqrt(max(before - t, 0.0))))
        for line, label, cost, t in zip(cells["line"], cells["shown"], total, taken, strict=True)
    ]
    return sorted(found, key=lambda c: (-c.worth, c.line))


def _items(frame: pd.DataFrame) -> float:
    """The test items that a cell answers, all tasks together; 0 where the table does not tell."""
    if "n_items" not in frame:
        return 0.0
    return float(frame.drop_duplicates(["ability", "task"])["n_items"].sum())


def _targets(model: Surrogate, cells: pd.DataFrame, at: str, quantity: str) -> Design:
    """The cells whose variance is to shrink."""
    if not at:
        own = cells.loc[cells["measured"], "samples"].to_numpy(float)
        total = cells.loc[cells["measured"], "total_samples"].to_numpy(float)
        return model.inputs(own, total - own, cells.loc[cells["measured"], "label"].to_numpy(str))
    try:
        samples = float(at)
    except ValueError as error:
        raise ValueError(f"quantity={quantity!r}: {at!r} is no number of samples, as in math@8192") from error
    if not samples > 0:
        raise ValueError(f"quantity={quantity!r}: the number of samples must be above 0")
    return model.inputs(np.array([samples]), np.zeros(1), np.array(["multitask"]))


def _cells(frame: pd.DataFrame, ability: str) -> pd.DataFrame:
    """Designs that can run: those measured, and those half-way between their fractions."""
    rows = frame[(frame["ability"] == ability) & ~untrained(frame)]
    factors = [c for c in FACTORS if c in rows]
    counted = rows.groupby(factors, dropna=False, sort=True)["value"].size().reset_index(name="runs")
    seeds = rows.groupby(factors, dropna=False, sort=True)["seed"].nunique().to_numpy() if "seed" in rows else None
    measured = counted.assign(runs=counted["runs"] if seeds is None else seeds, measured=True)
    half = _halfway(measured) if "fraction" in measured else measured.iloc[:0]
    cells = pd.concat([measured, half], ignore_index=True)
    names = cells["strategy"] if "strategy" in cells else pd.Series("multitask", index=cells.index)
    cells["label"] = names.where(names != "single", "multitask")
    cells = cells[cells["label"] != BASE]
    cells["line"] = [_line(row) for row in cells.to_dict("records")]
    cells["shown"] = [_shown(row) for row in cells.to_dict("records")]
    return cells.drop_duplicates("line")


def _halfway(measured: pd.DataFrame) -> pd.DataFrame:
    """Designs at the geometric mean of neighbouring fractions."""
    by = [c for c in ("strategy", "trained_on", "replay") if c in measured]
    groups = [g for _, g in measured.groupby(by, dropna=False)] if by else [measured]
    new = []
    for group in groups:
        group = group[group["fraction"] > 0].sort_values("fraction")
        for first, second in pairwise(group.to_dict("records")):
            if second["fraction"] / first["fraction"] < 1.5:
                continue
            between = {c: float(np.sqrt(first[c] * second[c])) for c in ("fraction", "samples", "total_samples")}
            new.append({**first, **between, "runs": 1, "measured": False})
    return pd.DataFrame(new, columns=measured.columns).astype(measured.dtypes) if new else measured.iloc[:0]


def _line(row: dict[str, object]) -> str:
    """The override line of a cell; a measured one runs with the next seed."""
    parts = []
    strategy = str(row.get("strategy", "multitask"))
    parts.append(f"strategy={strategy}")
    trained = str(row.get("trained_on", ""))
    if strategy == "single" and trained and "+" not in trained:
        parts.append(f"ability={trained}")
    if isinstance(row.get("fraction"), float) and row["fraction"] == row["fraction"]:
        parts.append(f"fraction={fraction(float(str(row['fraction'])))}")
    if isinstance(row.get("replay"), float) and row["replay"] == row["replay"]:
        parts.append(f"replay={fraction(float(str(row['replay'])))}")
    parts.append(f"seed={row['runs'] if row['measured'] else 0}")
    return " ".join(parts)


def _shown(row: dict[str, object]) -> str:
    return f"{amount(round(float(str(row['samples']))))} of {amount(round(float(str(row['total_samples']))))} samples"


def sheet(found: list[Choice], quantity: str) -> Sheet:
    """The cells most worth their cost."""
    least = max(found[0].worth, 1e-300)
    rows = [
        (c.line, c.label, f"{100 * (1 - c.after / c.before):.1f} %", f"{c.worth / least:.2f}") for c in found[:SHOWN]
    ]
    title = f"cells that narrow {quantity} the most for their cost"
    return Sheet(title, ("cell", "own of all", "narrower by", "worth its cost, relative"), tuple(rows))
