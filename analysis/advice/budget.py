"""A budget of samples, tokens, floating-point operations or hours, and what a composition costs of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.arrays import Array
from analysis.data.apart import SAMPLES
from analysis.data.study import Study

UNITS = ("samples", "tokens", "flops", "hours")
LEAST = 16  # samples of a budget


@dataclass(frozen=True, eq=False)
class Budget:
    """A budget of ``total`` in ``unit``; a cell costs ``fixed`` and ``each`` (abilities,) for a sample of an ability.

    ``error`` is the median relative error of these costs over the cells of the table; 0 for samples.
    """

    total: float
    unit: str
    fixed: float
    each: Array
    error: float = 0.0

    @property
    def most(self) -> Array:
        """The most samples (abilities,) of each ability alone that the budget pays."""
        return np.asarray((self.total - self.fixed) / np.maximum(self.each, 1e-300))

    def cost(self, mixes: Array) -> Array:
        """The cost of compositions (compositions, abilities)."""
        return np.asarray(self.fixed + mixes @ self.each)

    def sentence(self, names: Sequence[str]) -> str:
        """How costs were worked out; empty for a budget of samples."""
        if self.unit == "samples":
            return ""
        listed = ", ".join(f"{cost:.3g} a sample of {name}" for name, cost in zip(names, self.each, strict=True))
        start = f"{self.fixed:.3g} {self.unit} for every cell, " if self.fixed else ""
        return f"costs in {self.unit}: {start}{listed}; cells of the table lie within {100 * self.error:.0f} % (median)"


def read_budget(text: float | str, study: Study, names: Sequence[str]) -> Budget:
    """The budget in a number of samples, or a text such as ``2 hours``, ``3e15 flops`` or ``1e6 tokens``.

    Costs follow from the cells of the table, by least squares with costs of at least 0. Raises ValueError for a text
    that is no budget, for a unit that the table has no column of, and for less than 16 samples.
    """
    number, _, unit = str(text).strip().partition(" ")
    unit = unit.strip() or "samples"
    try:
        total = float(number)
    except ValueError as error:
        raise ValueError(f"budget={text!r}: write a number of samples, or a number and a unit, as '2 hours'") from error
    if unit not in UNITS:
        raise ValueError(f"budget={text!r}: unit {unit!r} is unknown; known: {', '.join(UNITS)}")
    plain = Budget(total, unit, 0.0, np.ones(len(names)))
    budget = plain if unit == "samples" else _priced(total, unit, study, names)
    if not budget.most.max() >= LEAST:
        raise ValueError(f"budget={text} must pay at least {LEAST} samples")
    return budget


def _priced(total: float, unit: str, study: Study, names: Sequence[str]) -> Budget:
    """The budget with the costs that the table's cells show."""
    from scipy.optimize import nnls  # slow to import, and needed for few budgets

    rows, columns = study.trained, [f"{SAMPLES}{name}" for name in names]
    lacking = [column for column in (unit, *columns) if column not in rows or not rows[column].notna().any()]
    if lacking:
        have = [u for u in UNITS[1:] if u in rows and rows[u].notna().any()]
        raise ValueError(
            f"a budget in {unit} needs the column {lacking[0]!r}, which the table lacks; "
            f"give it in samples{' or ' + ', '.join(have) if have else ''}"
        )
    cells = rows[[unit, *columns]].dropna().drop_duplicates()
    cost, samples = cells[unit].to_numpy(float), cells[columns].to_numpy(float)
    design = np.column_stack([np.ones(len(cells)), samples])
    weight = 1 / np.maximum(cost, 1e-300)  # errors are relative
    size = np.maximum(design.max(axis=0), 1e-300)
    solved = nnls(design / size * weight[:, None], cost * weight)[0] / size
    error = float(np.median(np.abs(design @ solved / cost - 1)))
    if not (solved[1:] > 0).all():
        free = names[int(np.argmin(solved[1:]))]
        raise ValueError(f"the table's cells do not show what a sample of {free} costs in {unit}; give samples instead")
    return Budget(total, unit, float(solved[0]), solved[1:], error)
