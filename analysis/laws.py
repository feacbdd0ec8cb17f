"""Laws: how a loss or a score depends on amounts. One plain function each, and the table `LAWS`.

A law takes its amounts first, then its parameters by name and order. Amounts are real and positive; parameters may be
complex arrays that broadcast against the amounts, which is how the solver takes exact derivatives (a complex step):
so a law uses analytic operations only, and looks at ``.real`` where it must compare. To add one: write the function,
add its entry.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np

Number: TypeAlias = Any  # real or complex, scalar or array

EXPONENTS = (0.05, 0.1, 0.2, 0.35, 0.5, 0.75, 1.0, 1.5)


@dataclass(frozen=True)
class Parameter:
    """One parameter of a law: its natural bounds and the role that decides how it is searched.

    Roles: ``floor`` (searched as it is, between 0 and the largest value seen), ``start`` (the value at little data;
    its logarithm), ``amplitude`` (logarithm), ``exponent`` (as it is, within its bounds), ``amount`` (logarithm, near
    the amounts seen), ``log_amount`` (as it is, near the logarithms seen), ``slope`` (as it is), ``chance`` (as it
    is, within its bounds). ``pivot`` names the exponent or slope that the parameter is centred with (see `fit`);
    ``variable`` is the amount it goes with. ``held`` fixes it unless the caller says otherwise; ``prior`` is a (mean,
    standard deviation) for count objectives; ``scale`` gives, from the parameters listed before it, a factor that is
    taken out of an amplitude in the search, so that it varies little while they vary.
    """

    name: str
    role: str
    low: float = 0.0
    high: float = np.inf
    pivot: str | None = None
    variable: int = 0
    held: float | None = None
    prior: tuple[float, float] | None = None
    scale: Callable[[Mapping[str, Number]], Number] | None = None
    grid: tuple[float, ...] = EXPONENTS

    def __post_init__(self) -> None:
        if not self.low < self.high:
            raise ValueError(f"parameter {self.name!r}: low={self.low} must be below high={self.high}")


@dataclass(frozen=True)
class Law:
    """A law: its parameters, those it is linear in, and the fewest distinct amounts it may be fitted to."""

    name: str
    value: Callable[..., Number]
    parameters: tuple[Parameter, ...]
    linear: tuple[str, ...]
    min_amounts: int
    variables: int = 1
    score: bool = False  # describes a score in [0, 1] rather than a positive loss
    link: Callable[[Number], Number] | None = None  # the law is linear in ``linear`` after this function
    closed: tuple[str, Callable[..., Number]] | None = None  # a parameter in closed form: (x, y, the others) -> value

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(p.name for p in self.parameters)


def power(x: Number, A: Number, b: Number) -> Number:
    """``A x^-b``. Hestness et al. 2017 (arXiv 1712.00409)."""
    return A * np.exp(-b * np.log(x))


def power_floor(x: Number, E: Number, A: Number, b: Number) -> Number:
    """``E + A x^-b``: a power law down to the floor E. Hestness et al. 2017; M2 of Alabdulmohsin et al. 2022."""
    return E + A * np.exp(-b * np.log(x))


def shifted_power(x: Number, E: Number, A: Number, b: Number, D0: Number) -> Number:
    """``E + A (x + D0)^-b``: the model starts as if it had seen D0 before. M3 family of Alabdulmohsin et al. 2022."""
    return E + A * np.exp(-b * np.log(x + D0))


def bounded(x: Number, E: Number, L0: Number, D0: Number, b: Number) -> Number:
    """``E + (L0 - E) / (1 + (x / D0)^b)``: from L0 with no data to E with endless data.

    The rectified law of Lin et al. 2024 (arXiv 2402.02314), ``E + B / (D0^b + x^b)`` with ``B = (L0 - E) D0^b``.
    """
    return E + (L0 - E) * _logistic(b * (np.log(D0) - np.log(x)))


def m4(x: Number, E: Number, L0: Number, a: Number, B: Number, c: Number) -> Number:
    """The loss L between E and L0 with ``(L - E) / (L0 - L)^a = B x^-c``. M4 of arXiv 2209.06640.

    Solved for L by Newton steps on ``w = logit((L - E) / (L0 - E))``: the equation is monotone and of one curvature
    in w, so they converge from any start; a last complex step carries the derivatives.
    """
    target = np.log(B) - c * np.log(x) - (1 - a) * np.log(L0 - E)
    want, power_ = np.broadcast_arrays(target.real, np.real(a))
    w = np.where(want < 0, want, want / power_)
    for _ in range(60):
        small = np.exp(-np.abs(w))
        rest = np.log1p(small)  # ln logistic(w) is min(w, 0) - rest, ln logistic(-w) is min(-w, 0) - rest
        share = np.where(w > 0, 1.0, small) / (1 + small)
        gap = np.minimum(w, 0) - rest + power_ * (np.maximum(w, 0) + rest) - want
        step = gap / (1 - share + power_ * share)
        w = w - step
        if np.abs(step).max(initial=0.0) < 1e-6:  # the step after the loop squares what is left
            break
    w = w - (_log_logistic(w) - a * _log_logistic(-w) - target) / (_logistic(-w) + a * _logistic(w))
    return E + (L0 - E) * _logistic(w)


def _m4_scale(at: Mapping[str, Number]) -> Number:
    """What makes B a pure number: without it B follows E, L0 and a by orders of magnitude."""
    return (at["L0"] - at["E"]) ** (1 - at["a"])


def _m4_amplitude(x: Number, y: Number, E: Number, L0: Number, a: Number, c: Number) -> Number:
    """The B with which `m4` passes through the middle of the points (geometric mean over them)."""
    logs = np.log(np.maximum(y - E, 1e-9 * y)) - a * np.log(np.maximum(L0 - y, 1e-9 * y)) + c * np.log(x)
    return np.exp(np.median(logs, axis=-1, keepdims=True))


def log_linear(x: Number, a: Number, s: Number) -> Number:
    """``a + s ln x``: a constant gain per doubling, as scores are often drawn (Dong et al. 2024, arXiv 2310.05492)."""
    return a + s * np.log(x)


def sigmoid(x: Number, g: Number, u: Number, s: Number, m: Number) -> Number:
    """``g + (u - g) / (1 + exp(-s (ln x - m)))``: a score from guessing rate g to ceiling u, half-way at x = exp(m).

    The form of ladder and observational scaling work (Ruan et al. 2024, arXiv 2405.10938). g is held at 0 unless
    given; under a count objective u has a prior of 1 +- 0.15, which a few amounts beyond the knee outweigh.
    """
    return g + (u - g) * _logistic(s * (np.log(x) - m))


def neg_log_accuracy(x: Number, E: Number, A: Number, b: Number) -> Number:
    """``exp(-(E + A x^-b))``: minus the logarithm of a score is a power law with a floor (arXiv 2512.08894)."""
    return np.exp(-(E + A * np.exp(-b * np.log(x))))


def additive(n: Number, d: Number, E: Number, A: Number, a: Number, B: Number, b: Number) -> Number:
    """``E + A n^-a + B d^-b`` in size n and data d.

    Hoffmann et al. 2022; refitted by Besiroglu et al. 2024 (arXiv 2404.10102).
    """
    return E + A * np.exp(-a * np.log(n)) + B * np.exp(-b * np.log(d))


def _logistic(w: Number) -> Number:
    """``1 / (1 + exp(-w))`` for real or complex w, without overflow."""
    small = np.exp(np.where(w.real > 0, -w, w))
    return np.where(w.real > 0, 1.0, small) / (1.0 + small)


def _log_logistic(w: Number) -> Number:
    """``ln(1 / (1 + exp(-w)))`` for real or complex w, without overflow."""
    small = np.exp(np.where(w.real > 0, -w, w))
    return np.where(w.real > 0, 0.0, w) - np.log1p(small)


def _neg_log(score: Number) -> Number:
    return -np.log(np.maximum(score, 1e-3))


_FLOOR = Parameter("E", "floor")
_START = Parameter("L0", "start")
_EXPONENT = Parameter("b", "exponent", 1e-4, 2.0)


def _amplitude(name: str, exponent: str, variable: int = 0) -> Parameter:
    return Parameter(name, "amplitude", pivot=exponent, variable=variable)


LAWS: dict[str, Law] = {
    law.name: law
    for law in (
        Law("power", power, (_amplitude("A", "b"), _EXPONENT), ("A",), 3),
        Law("power_floor", power_floor, (_FLOOR, _amplitude("A", "b"), _EXPONENT), ("E", "A"), 4),
        Law(
            "shifted_power",
            shifted_power,
            (_FLOOR, _amplitude("A", "b"), _EXPONENT, Parameter("D0", "amount")),
            ("E", "A"),
            6,
        ),
        Law(
            "bounded",
            bounded,
            (_FLOOR, _START, Parameter("D0", "amount"), Parameter("b", "exponent", 1e-4, 5.0)),
            ("E", "L0"),
            6,
        ),
        Law(
            "m4",
            m4,
            (
                _FLOOR,
                _START,
                Parameter("a", "exponent", 0.02, 10.0, grid=(0.3, 1.0, 2.5)),
                Parameter("B", "amplitude", pivot="c", scale=_m4_scale),
                Parameter("c", "exponent", 1e-4, 5.0, grid=(0.1, 0.25, 0.5, 1.0, 2.0)),
            ),
            (),
            7,
            closed=("B", _m4_amplitude),
        ),
        Law(
            "log_linear",
            log_linear,
            (Parameter("a", "slope", -np.inf, pivot="s"), Parameter("s", "slope", -np.inf)),
            ("a", "s"),
            3,
        ),
        Law(
            "sigmoid",
            sigmoid,
            (
                Parameter("g", "chance", 0.0, 1.0, held=0.0),
                Parameter("u", "chance", 0.0, 1.0, prior=(1.0, 0.15)),
                Parameter("s", "exponent", 0.0, 20.0, grid=(0.1, 0.25, 0.5, 1.0, 2.0, 4.0)),
                Parameter("m", "log_amount", -np.inf),
            ),
            ("g", "u"),
            4,
            score=True,
        ),
        Law(
            "neg_log_accuracy",
            neg_log_accuracy,
            (Parameter("E", "chance", 0.0, 20.0), _amplitude("A", "b"), _EXPONENT),
            ("E", "A"),
            4,
            score=True,
            link=_neg_log,
        ),
        Law(
            "additive",
            additive,
            (
                _FLOOR,
                _amplitude("A", "a"),
                Parameter("a", "exponent", 1e-4, 2.0),
                _amplitude("B", "b", variable=1),
                Parameter("b", "exponent", 1e-4, 2.0, variable=1),
            ),
            ("E", "A", "B"),
            6,
            variables=2,
        ),
    )
}
