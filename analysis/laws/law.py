"""What a law is: a function of amounts, its bounded parameters, and how many amounts it needs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

from analysis.arrays import Array

Number: TypeAlias = Any  # real or complex, scalar or array

# Roughly even in logarithms, so that usual exponents have a start within a factor of 1.5.
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
    "slope",
    "chance",
)
LOGARITHMIC = ("start", "amplitude", "odds", "positive", "amount")
"""Roles that are searched as logarithms: positive numbers that range over orders of magnitude."""

USES = {
    "loss": "losses along one amount",
    "counts": "shares of a known number of items along one amount",
    "scores": "shares and ratings, where the number of items is unknown, along one amount",
    "numbers": "values without known bounds along one amount",
    "loss_sizes": "losses over model size and amount",
    "counts_sizes": "shares of a known number of items over model size and amount",
}
"""What reports fit laws to; a law is used for what its entry in the table of laws says."""


@dataclass(frozen=True)
class Parameter:
    """One parameter of a law, with its natural bounds and the role that decides how it is searched.

    Roles that are searched as logarithms:
        start       the value at little data
        amplitude   in units of the value
        odds        an amplitude that is a pure number
        positive    any number within its bounds
        amount      near the amounts of the points
    Roles that are searched as they are:
        floor       between 0 and the largest value of the points
        exponent, slope, chance   within their bounds
        log_amount  near the logarithms of the amounts

    ``low``, ``high``   natural bounds
    ``pivots``    exponents or slopes that the parameter is centred with (see `analysis.fitting.coordinates`)
    ``variable``  index of the amount that the parameter belongs to
    ``fixed``     the value that it keeps unless the caller of `fit` names another; None for a free parameter
    ``prior``     (mean, standard deviation), used by the objective for counts only
    ``scale``     function of the parameters listed before this one: a factor that is divided out of an amplitude in
                  the search, so that the searched amplitude hardly depends on them
    ``grid``      natural values that a search starts from

    Raises ValueError for an unknown role and for bounds in the wrong order.
    """

    name: str
    role: str
    low: float = 0.0
    high: float = np.inf
    pivots: tuple[str, ...] = ()
    variable: int = 0
    fixed: float | None = None
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
    """A law: a function, its parameters, and the fewest distinct amounts that it may be fitted to.

    ``value``        function of the amounts and then the parameters; arrays that broadcast
    ``linear``       parameters that the law, or its ``link``, is linear in
    ``min_amounts``  distinct amounts (or combinations of amounts) that a fit needs
    ``variables``    number of amounts
    ``score``        whether it describes a score in [0, 1] rather than a positive loss
    ``link``         function of a value and the parameters that are not linear; what it returns is linear in ``linear``
    ``closed_form``  a parameter and the function (amounts, values, the other parameters) that gives its best value
    ``uses``         what reports fit it to, keys of `USES`
    ``contains``     laws that are special cases of it: they give way where there are enough amounts for this one
    ``gradient``     function like ``value`` that returns the values and their derivatives by the parameters along a new
                     last axis; without it the solver differentiates ``value`` by a complex step
    """

    name: str
    value: Callable[..., Number]
    parameters: tuple[Parameter, ...]
    linear: tuple[str, ...]
    min_amounts: int
    variables: int = 1
    score: bool = False
    link: Callable[[Number, Mapping[str, Number]], Number] | None = None
    closed_form: tuple[str, Callable[..., Number]] | None = None
    gradient: Callable[..., tuple[Array, Array]] | None = None
    uses: tuple[str, ...] = ()
    contains: tuple[str, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The parameters' names in the order in which ``value`` takes them."""
        return tuple(p.name for p in self.parameters)

    def check_amounts(self, amounts: tuple[str, ...]) -> None:
        """Raise ValueError where the law does not take that many amounts (their names)."""
        if len(amounts) != self.variables:
            raise ValueError(
                f"law {self.name!r} takes {self.variables} amount(s); the points have {', '.join(amounts)}"
            )
