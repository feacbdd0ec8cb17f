"""The measurements that one curve is fitted to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from analysis.arrays import Array


@dataclass(frozen=True, eq=False)
class Points:
    """Amounts and the values measured at them; every array has the shape (points,).

    ``x``       amounts by name
    ``value``   losses or scores
    ``trials``  number of items behind each score
    ``group``   seed or run of each point; points of one group are resampled together
    ``weight``  factor of a point's term of the objective (default 1)

    Points with a missing (NaN) amount, value, number of trials or weight are kept here; fits leave them out with a
    warning.
    Raises ValueError for lengths that differ, infinite numbers, negative amounts or weights, and trials below 1.
    """

    x: Mapping[str, Array]
    value: Array
    trials: Array | None = None
    group: NDArray[Any] | None = None
    weight: Array | None = None

    def __init__(
        self,
        x: Mapping[str, ArrayLike],
        value: ArrayLike,
        trials: ArrayLike | None = None,
        group: ArrayLike | None = None,
        weight: ArrayLike | None = None,
    ) -> None:
        if not x:
            raise ValueError("points need at least one amount, for example Points({'samples': amounts}, value=values)")
        size = len(_column("value", value))
        columns = {str(name): _column(str(name), amounts, size, low=0.0) for name, amounts in x.items()}
        # The class is frozen, and its fields hold converted arrays rather than the arguments.
        object.__setattr__(self, "x", columns)
        object.__setattr__(self, "value", _column("value", value, size))
        object.__setattr__(self, "trials", None if trials is None else _column("trials", trials, size, low=1.0))
        object.__setattr__(self, "group", None if group is None else _labels(group, size))
        object.__setattr__(self, "weight", None if weight is None else _column("weight", weight, size, low=0.0))

    def __len__(self) -> int:
        return len(self.value)

    def take(self, index: NDArray[Any]) -> Points:
        """The points that ``index`` (indices or a mask) selects, in that order."""
        return Points(
            {name: amounts[index] for name, amounts in self.x.items()},
            self.value[index],
            None if self.trials is None else self.trials[index],
            None if self.group is None else self.group[index],
            None if self.weight is None else self.weight[index],
        )

    def missing(self) -> NDArray[np.bool_]:
        """True for each point in which a number is missing, (points,)."""
        columns = [*self.x.values(), self.value, *(c for c in (self.trials, self.weight) if c is not None)]
        return np.asarray(np.isnan(np.stack(columns)).any(axis=0))

    def ordered(self) -> Points:
        """The same points in one canonical order: sums in another order would round differently."""
        keys = [*(c for c in (self.weight, self.trials) if c is not None), self.value, *reversed(list(self.x.values()))]
        # Labels may be of any type, so their ranks are sorted instead.
        if self.group is not None:
            keys.insert(0, np.unique(self.group, return_inverse=True)[1].astype(float))
        return self.take(np.lexsort(keys))

    def amounts(self) -> int:
        """The number of distinct amounts, or of distinct combinations where there are several."""
        return len(np.unique(np.stack(list(self.x.values())), axis=1).T)


def _column(name: str, values: ArrayLike, size: int | None = None, low: float = -np.inf) -> Array:
    """``values`` as a float array (size,), with every number finite or NaN and at least ``low``."""
    column = np.array(values, dtype=float)
    if column.ndim != 1:
        raise ValueError(f"{name} has shape {column.shape}; give a 1-D array")
    if size is not None and len(column) != size:
        raise ValueError(f"{name} has {len(column)} entries and value has {size}; give one entry for each point")
    for wrong, rule in (
        (np.isinf(column), "must be finite (NaN marks a missing one)"),
        (column < low, f"must be at least {low:g}"),
    ):
        if wrong.any():
            row = int(np.argmax(wrong))
            raise ValueError(f"{name}[{row}]={column[row]:g} {rule}")
    return column


def _labels(values: ArrayLike, size: int) -> NDArray[Any]:
    """``values`` as an array (size,) of labels of any type."""
    labels = np.asarray(values)
    if labels.shape != (size,):
        raise ValueError(f"group has shape {labels.shape} and value has {size} entries; give one label for each point")
    return labels
