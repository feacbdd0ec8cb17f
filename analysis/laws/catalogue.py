"""The table of laws. To add one: write its function in `formulas` or `mixture_formulas` and add its entry here."""

from __future__ import annotations

import numpy as np

from analysis.laws import formulas, mixture_formulas
from analysis.laws.law import Law, Parameter

_FLOOR = Parameter("E", "floor")
_START = Parameter("L0", "start")
_EXPONENT = Parameter("b", "exponent", 1e-4, 2.0)
# Laws of several parameters that are not linear search the product of their grids, so these are short.
_SHORT_GRID = (0.1, 0.3, 0.6, 1.0)
_ODDS_GRID = (0.1, 1.0, 10.0)


def _amplitude(name: str, *exponents: str) -> Parameter:
    return Parameter(name, "amplitude", pivots=exponents)


def _exponent(name: str, variable: int = 0, grid: tuple[float, ...] = _SHORT_GRID) -> Parameter:
    return Parameter(name, "exponent", 1e-4, 2.0, variable=variable, grid=grid)


def _slope(name: str, low: float = -np.inf) -> Parameter:
    return Parameter(name, "slope", low)


def _intercept(name: str, slope: str) -> Parameter:
    """The value at ln x = 0, searched as the value at the centre of the amounts."""
    return Parameter(name, "slope", -np.inf, pivots=(slope,))


def law_named(name: str) -> Law:
    """The entry of `LAWS`. Raises ValueError for an unknown name."""
    if name not in LAWS:
        raise ValueError(f"law={name!r} is unknown; choose one of: {', '.join(LAWS)}")
    return LAWS[name]


def _ratio_power(count: int) -> Law:
    """`mixture_formulas.ratio_power` of ``count`` ratios."""
    weights = tuple(f"w{j}" for j in range(1, count + 1))
    # Near p = 0 a power is constant on all ratios but 0 and cannot be told from c.
    power = Parameter("p", "exponent", 0.02, 1.5)
    return Law(
        "ratio_power",
        mixture_formulas.ratio_power,
        (_slope("c"), *map(_slope, weights), power),
        ("c", *weights),
        count + 3,
        count,
        allows_zero=True,
        resize=_ratio_power,
    )


def _ratio_exponential(count: int) -> Law:
    """`mixture_formulas.ratio_exponential` of ``count`` ratios."""
    slopes = tuple(f"t{j}" for j in range(1, count + 1))
    return Law(
        "ratio_exponential",
        mixture_formulas.ratio_exponential,
        (Parameter("c", "floor"), *map(_slope, slopes)),
        slopes,
        count + 2,
        count,
        allows_zero=True,
        link=lambda value, params: mixture_formulas.logarithm_above(value, params["c"]),
        resize=_ratio_exponential,
    )


def _transfer(count: int) -> Law:
    """`mixture_formulas.transfer` of ``count`` amounts, the ability's own first."""
    # A sample of another ability may be worth nothing, but never less: harm is what the conflict term g describes.
    worths = tuple(
        Parameter(f"k{j}", "slope", 0.0, 10.0, variable=j - 1, grid=(0.0, 0.03, 0.3)) for j in range(2, count + 1)
    )
    return Law(
        "transfer",
        mixture_formulas.transfer,
        (_FLOOR, _amplitude("A", "b"), _exponent("b"), Parameter("D0", "amount"), *worths, _slope("g", 0.0)),
        ("E", "A", "g"),
        count + 5,
        count,
        allows_zero=True,
        resize=_transfer,
    )


# A law needs at least one amount more than it has free parameters. Laws of one amount with four parameters need six,
# since with five they extrapolate worse than simpler laws; a law with a break needs amounts on both sides of it.
LAWS: dict[str, Law] = {
    law.name: law
    for law in (
        Law("power", formulas.power, (_amplitude("A", "b"), _EXPONENT), ("A",), 3),
        Law("power_floor", formulas.power_floor, (_FLOOR, _amplitude("A", "b"), _EXPONENT), ("E", "A"), 4),
        Law(
            "shifted_power",
            formulas.shifted_power,
            (_FLOOR, _amplitude("A", "b"), _EXPONENT, Parameter("D0", "amount")),
            ("E", "A"),
            6,
            gradient=formulas.shifted_power_gradient,
        ),
        Law(
            "bounded",
            formulas.bounded,
            (_FLOOR, _START, Parameter("D0", "amount"), Parameter("b", "exponent", 1e-4, 5.0)),
            ("E", "L0"),
            6,
            gradient=formulas.bounded_gradient,
        ),
        Law(
            "m4",
            formulas.m4,
            (
                _FLOOR,
                _START,
                # At a = 1 the law is the bounded one; the grid has a value on both sides.
                Parameter("a", "exponent", 0.02, 10.0, grid=(0.3, 1.0, 2.5)),
                Parameter("B", "amplitude", pivots=("c",), scale=formulas.m4_scale),
                Parameter("c", "exponent", 1e-4, 5.0, grid=(0.1, 0.25, 0.5, 1.0, 2.0)),
            ),
            (),
            7,
            closed_form=("B", formulas.m4_amplitude),
            gradient=formulas.m4_gradient,
        ),
        Law(
            "broken_power",
            formulas.broken_power,
            (
                _FLOOR,
                _amplitude("A", "c0"),
                # Before the break a curve may be flat (c0 = 0); after it, it may also rise (c0 + c1 < 0).
                Parameter("c0", "exponent", 0.0, 2.0, grid=(0.0, 0.1, 0.3, 0.7)),
                Parameter("c1", "exponent", -2.0, 5.0, grid=(-0.2, 0.2, 0.5, 1.0)),
                Parameter("d", "amount"),
                Parameter("f", "positive", 0.05, 2.0, grid=(0.1, 0.5)),
            ),
            ("E", "A"),
            12,
        ),
        Law(
            "log_linear",
            formulas.log_linear,
            (_intercept("a", "s"), _slope("s")),
            ("a", "s"),
            3,
        ),
        Law(
            "hinge",
            formulas.hinge,
            (_intercept("a", "s"), _slope("s"), Parameter("t", "knee", -np.inf)),
            ("a", "s"),
            4,
        ),
        Law(
            "additive",
            formulas.additive,
            (_FLOOR, _amplitude("A", "a"), _exponent("a", 0), _amplitude("B", "b"), _exponent("b", 1)),
            ("E", "A", "B"),
            6,
            variables=2,
            gradient=formulas.additive_gradient,
        ),
        Law(
            "multiplicative",
            formulas.multiplicative,
            (_FLOOR, _amplitude("A", "a", "b"), _exponent("a", 0), _exponent("b", 1)),
            ("E", "A"),
            5,
            variables=2,
        ),
        Law(
            "joint_bounded",
            formulas.joint_bounded,
            (
                _FLOOR,
                _START,
                Parameter("A", "odds", pivots=("a",), grid=_ODDS_GRID),
                _exponent("a", 0, (0.1, 0.3, 0.8)),
                Parameter("B", "odds", pivots=("b",), grid=_ODDS_GRID),
                _exponent("b", 1, (0.1, 0.3, 0.8)),
            ),
            ("E", "L0"),
            7,
            variables=2,
        ),
        Law(
            "repetition",
            formulas.repetition,
            (
                _FLOOR,
                _amplitude("A", "b"),
                _exponent("b"),
                Parameter("R", "positive", 0.05, 1000.0, grid=(1.0, 4.0, 16.0, 64.0)),
            ),
            ("E", "A"),
            6,
            variables=2,
        ),
        Law(
            "sigmoid",
            formulas.sigmoid,
            (
                Parameter("g", "chance", 0.0, 1.0, fixed=0.0),
                # Few curves reach their ceiling: without a prior it would follow the noise of the largest amounts.
                Parameter("u", "chance", 0.0, 1.0, prior=(1.0, 0.15)),
                Parameter("s", "exponent", 0.0, 20.0, grid=(0.1, 0.25, 0.5, 1.0, 2.0, 4.0)),
                Parameter("m", "log_amount", -np.inf),
            ),
            ("g", "u"),
            3,
            score=True,
        ),
        Law(
            "neg_log_accuracy",
            formulas.neg_log_accuracy,
            (Parameter("E", "chance", 0.0, 20.0), _amplitude("A", "b"), _EXPONENT),
            ("E", "A"),
            4,
            score=True,
            # A score of 0 has no logarithm; 1e-3 is below what test sets of usual size can resolve.
            link=lambda score, _: -np.log(np.maximum(score, 1e-3)),
        ),
        Law(
            "beta_binomial",
            formulas.beta_binomial,
            (
                Parameter("a", "positive", 1e-3, 1e3, grid=(0.1, 0.3, 1.0, 3.0, 10.0)),
                Parameter("b", "positive", 1e-3, 1e4, grid=(0.3, 1.0, 3.0, 10.0, 30.0, 100.0)),
            ),
            (),
            3,
            score=True,
        ),
        _ratio_power(3),
        _ratio_exponential(3),
        _transfer(3),
    )
}
