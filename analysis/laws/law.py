"""What a law is: a function, its bounded parameters, and the fewest amounts it may be fitted to."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from analysis.arrays import Array

Number: TypeAlias = Any  # real or complex, scalar or array

EXPONENTS = (0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5)
ROLES = (
    "floor",
    "start",
    "amplitude",
    "odds",
    "exponent",
    "positive",
    "amount",
    "log_amount",
    "knee",
    "slope",
    "chance",
)
LOGARITHMIC = ("start", "amplitude", "odds", "positive", "amount")  # roles searched as logarithms


@dataclass(frozen=True)
class Parameter:
    """One parameter of a law: its natural bounds and the role that decides how it is searched.

    Roles, searched as logarithms: ``start`` (the value at little data), ``amplitude`` (in units of the value),
    ``odds`` (an amplitude that is a pure number), ``positive`` (within its bounds), ``amount`` (near the amounts
    seen). Searched as they are: ``floor`` (between 0 and the largest value seen), ``exponent``, ``slope`` and
    ``chance`` (within their bounds), ``log_amount`` (near the logarithms seen), ``knee`` (a logarithm within those
    seen). ``pivots`` names the exponents or slopes that the parameter is centred with (see `Coordinates`);
    ``variable`` is the amount it goes with. ``held`` fixes it unless the caller says otherwise; ``prior`` is a (mean,
    standard deviation) for count objectives; ``scale`` gives, from the parameters listed before it, a factor that is
    taken out of an amplitude in the search, so that it varies little while they vary. ``grid`` holds natural values
    that a search starts from.
    """

    name: str
    role: str
    low: float = 0.0
    high: float = np.inf
    pivots: tuple[str, ...] = ()
    variable: int = 0
    held: float | None = None
    prior: tuple[float, float] | None = None
    scale: Callable[[Mapping[str, Number]], Number] | None = None
    grid: tuple[float, ...] = EXPONENTS

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise ValueError(f"parameter {self.name!r}: role={self.role!r} is unknown; known: {', '.join(ROLES)}")
        if not self.low < self.high:
            raise ValueError(f"parameter {self.name!r}: low={self.low} must be below high={self.high}")


@dataclass(frozen=True)
class Law:
    """A law: its parameters, those it is linear in, and the fewest distinct amounts it may be fitted to.

    ``link`` gives, from a value and the parameters that are not linear, what the law is linear in. ``closed`` names a
    parameter in closed form and the function (amounts, values, the other parameters) that gives it. ``zeros`` says
    that amounts may be 0. ``widen`` makes the same law for another number of amounts. ``gradient`` gives the values
    and, along a new last axis, their derivatives by the parameters; without it a complex step takes them.
    """

    name: str
    value: Callable[..., Number]
    parameters: tuple[Parameter, ...]
    linear: tuple[str, ...]
    min_amounts: int
    variables: int = 1
    score: bool = False  # describes a score in [0, 1] rather than a positive loss
    zeros: bool = False
    link: Callable[[Number, Mapping[str, Number]], Number] | None = None
    closed: tuple[str, Callable[..., Number]] | None = None
    widen: Callable[[int], Law] | None = None
    gradient: Callable[..., tuple[Array, Array]] | None = None

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(p.name for p in self.parameters)

    def over(self, names: tuple[str, ...]) -> Law:
        """The law for these amounts. Raises ValueError when it cannot take that many."""
        law = self if len(names) == self.variables or self.widen is None or len(names) < 2 else self.widen(len(names))
        if len(names) != law.variables:
            least = "2 or more" if self.widen else str(self.variables)
            raise ValueError(f"law {self.name!r} takes {least} amount(s); the points have {', '.join(names)}")
        return law
