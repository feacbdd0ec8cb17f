"""Fits of several series that share what they have in common: exponents or floors, shrunk towards their mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from analysis.curve import Curve, fit
from analysis.law import LOGARITHMIC
from analysis.laws import law_named
from analysis.points import Points


@dataclass(frozen=True)
class Common:
    """The mean of a parameter over series, its standard error, and the standard deviation between series."""

    mean: float
    error: float
    between: float


@dataclass(frozen=True, eq=False)
class Pooled:
    """A curve a series, and what the series have in common, by parameter."""

    curves: Mapping[str, Curve]
    common: Mapping[str, Common]


def fit_pooled(
    series: Mapping[str, Points],
    law: str = "bounded",
    shared: tuple[str, ...] = ("b",),
    objective: str = "log",
    seed: int = 0,
) -> Pooled:
    """Fit each series with the parameters ``shared`` drawn towards their mean over all series.

    Empirical Bayes: the mean and the spread between series come from separate fits (DerSimonian and Laird 1986,
    Control. Clin. Trials 7); then each series is fitted again under that prior, which weighs the more the less the
    series itself says. A series with too few amounts for a fit of its own joins in the second round, with one amount
    less for each shared parameter.
    Raises ValueError for a parameter that cannot be shared, or when fewer than two series can be fitted alone.
    """
    form = law_named(law)
    for name in shared:
        if name not in form.names or form.parameters[form.names.index(name)].role in LOGARITHMIC:
            fine = ", ".join(p.name for p in form.parameters if p.role not in LOGARITHMIC and not p.pivots)
            raise ValueError(f"law {law!r} cannot share {name!r}; it can share {fine or 'nothing'}")
    alone = {}
    for label, points in series.items():
        try:
            alone[label] = fit(points, law, objective, seed=seed)
        except ValueError:
            continue  # it may be possible with the help of the others
    usable = [c for c in alone.values() if c.spread.dof > 0]
    if len(usable) < 2:
        raise ValueError(f"{len(usable)} of {len(series)} series can be fitted alone; pooling needs at least 2")
    common = {name: _common(usable, name) for name in shared}
    noise = float(np.median([c.spread.dispersion for c in usable])) if not usable[0].spread.counts else 1.0
    priors = {}
    for name, c in common.items():
        priors[name] = (c.mean, noise / max(c.between**2 + c.error**2, 1e-12))
    curves = {label: fit(points, law, objective, seed=seed, priors=priors) for label, points in series.items()}
    return Pooled(curves, common)


def _common(curves: list[Curve], name: str) -> Common:
    """The random-effects mean of a parameter; a series at its bound, or that does not determine it, counts little."""
    which = [p.name for p in curves[0].problem.space.free].index(name)
    value = np.array([c.theta[which] for c in curves])
    variance = np.array([c.spread.dispersion * c.spread.unscaled[which, which] for c in curves])
    room = curves[0].problem.space.high[which] - curves[0].problem.space.low[which]
    vague = (variance <= 0) | ~np.isfinite(variance)
    variance = np.where(vague, max(float(room), 1e-6) ** 2, variance)
    weight = 1 / variance
    mean = float((weight * value).sum() / weight.sum())
    excess = float((weight * (value - mean) ** 2).sum()) - (len(curves) - 1)
    between = max(0.0, excess / float(weight.sum() - (weight**2).sum() / weight.sum()))
    weight = 1 / (variance + between)
    return Common(float((weight * value).sum() / weight.sum()), float(weight.sum() ** -0.5), float(np.sqrt(between)))
