"""The table of laws. To add one: write its function in `formulas` and add its entry here."""

from __future__ import annotations

import numpy as np
from scipy.special import logit

from analysis.laws import formulas
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


def laws_for(use: str, amounts: int) -> tuple[str, ...]:
    """The names of the laws with this use (a key of `USES`) that so many distinct amounts allow, without those that
    another of them contains.
    """
    fitting = [law for law in LAWS.values() if use in law.uses and law.min_amounts <= amounts]
    contained = {name for law in fitting for name in law.contains}
    return tuple(law.name for law in fitting if law.name not in contained)


# A law needs at least one amount more than it has free parameters. Laws of one amount with four parameters need six,
# since with five they extrapolate worse than simpler laws; a law with a break needs amounts on both sides of it.
LAWS: dict[str, Law] = {
    law.name: law
    for law in (
        Law("power", formulas.power, (_amplitude("A", "b"), _EXPONENT), ("A",), 3, uses=("loss",)),
        Law(
            "power_floor",
            formulas.power_floor,
            (_FLOOR, _amplitude("A", "b"), _EXPONENT),
            ("E", "A"),
            4,
            uses=("loss",),
        ),
        Law(
            "shifted_power",
            formulas.shifted_power,
            (_FLOOR, _amplitude("A", "b"), _EXPONENT, Parameter("D0", "amount")),
            ("E", "A"),
            6,
            gradient=formulas.shifted_power_gradient,
            uses=("loss",),
            contains=("power", "power_floor"),
        ),
        Law(
            "bounded",
            formulas.bounded,
            (_FLOOR, _START, Parameter("D0", "amount"), Parameter("b", "exponent", 1e-4, 5.0)),
            ("E", "L0"),
            6,
            gradient=formulas.bounded_gradient,
            uses=("loss",),
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
            uses=("loss",),
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
            uses=("loss",),
        ),
        Law(
            "log_linear",
            formulas.log_linear,
            (_intercept("a", "s"), _slope("s")),
            ("a", "s"),
            3,
            uses=("scores", "numbers"),
        ),
        Law(
            "additive",
            formulas.additive,
            (_FLOOR, _amplitude("A", "a"), _exponent("a", 0), _amplitude("B", "b"), _exponent("b", 1)),
            ("E", "A", "B"),
            6,
            variables=2,
            gradient=formulas.additive_gradient,
            uses=("loss_sizes",),
        ),
        Law(
            "multiplicative",
            formulas.multiplicative,
            (_FLOOR, _amplitude("A", "a", "b"), _exponent("a", 0), _exponent("b", 1)),
            ("E", "A"),
            5,
            variables=2,
            gradient=formulas.multiplicative_gradient,
            uses=("loss_sizes",),
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
            gradient=formulas.joint_bounded_gradient,
            uses=("loss_sizes",),
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
            gradient=formulas.sigmoid_gradient,
            uses=("counts", "scores"),
        ),
        Law(
            "neg_log_accuracy",
            formulas.neg_log_accuracy,
            (Parameter("E", "chance", 0.0, 20.0), _amplitude("A", "b"), _EXPONENT),
            ("E", "A"),
            4,
            score=True,
            gradient=formulas.neg_log_accuracy_gradient,
            uses=("counts", "scores"),
            # A score of 0 has no logarithm; 1e-3 is below what test sets of usual size can resolve.
            link=lambda score, _: -np.log(np.maximum(score, 1e-3)),
        ),
        Law(
            "logit_sizes",
            formulas.logit_sizes,
            (
                Parameter("a", "slope", -np.inf, pivots=("k", "s")),
                _slope("k"),
                Parameter("s", "slope", -np.inf, variable=1),
            ),
            ("a", "k", "s"),
            4,
            variables=2,
            score=True,
            link=lambda score, _: logit(np.clip(score, 1e-3, 1 - 1e-3)),
            gradient=formulas.logit_sizes_gradient,
            uses=("counts_sizes",),
        ),
        Law(
            "neg_log_sizes",
            formulas.neg_log_sizes,
            (
                Parameter("E", "chance", 0.0, 20.0),
                _amplitude("A", "a"),
                _exponent("a", 0),
                _amplitude("B", "b"),
                _exponent("b", 1),
            ),
            ("E", "A", "B"),
            6,
            variables=2,
            score=True,
            link=lambda score, _: -np.log(np.maximum(score, 1e-3)),
            gradient=formulas.neg_log_sizes_gradient,
            uses=("counts_sizes",),
        ),
    )
}
