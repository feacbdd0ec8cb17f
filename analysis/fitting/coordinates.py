"""The coordinates in which a law is searched: centred, bounded, positive quantities as logarithms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from analysis.arrays import Array
from analysis.laws.law import LOGARITHMIC, Law, Number, Parameter

REACH = np.log(1e8)  # how far beyond the amounts seen a knee or a shift may lie: there one law becomes another
SPAN = 18.0  # amplitudes at the centre lie within e^+-18 of the scale of the values


@dataclass(frozen=True, eq=False)
class Coordinates:
    """Maps search coordinates (..., free parameters) to natural parameters and back.

    Amplitudes and intercepts are taken at the centre of the logarithms of the amounts, where they are nearly
    independent of the exponent or slope they go with. ``held`` maps the parameters that are not searched to their
    values. A parameter (or its logarithm, where its role says so) is linear in the search coordinates: ``slope`` times
    them plus ``shift``; an amplitude then takes its factor ``scale``.
    """

    law: Law
    held: Mapping[str, float]
    slope: Array  # (parameters, free parameters)
    shift: Array  # one entry a parameter
    low: Array  # bounds of the search coordinates, one entry a free parameter
    high: Array

    @property
    def free(self) -> tuple[Parameter, ...]:
        return tuple(p for p in self.law.parameters if p.name not in self.held)

    def natural(self, theta: Number) -> dict[str, Number]:
        """Natural parameters, each shaped as ``theta`` without its last axis; complex coordinates stay complex."""
        raw = np.moveaxis(theta @ self.slope.T + self.shift, -1, 0)
        values: dict[str, Number] = {}
        for p, value in zip(self.law.parameters, raw, strict=True):
            values[p.name] = np.exp(value) if p.role in LOGARITHMIC else value
            if p.scale is not None and p.name not in self.held:
                values[p.name] = values[p.name] * p.scale(values)
        return values

    def search(self, params: Mapping[str, Number]) -> Array:
        """The search coordinates of natural parameters, moved inside the bounds."""
        columns = []
        for p in self.free:
            value = params[p.name] if p.scale is None else params[p.name] / p.scale(params)
            columns.append(np.log(np.maximum(value, 1e-300)) if p.role in LOGARITHMIC else np.asarray(value))
        raw = np.stack(np.broadcast_arrays(*columns), axis=-1)
        at = [self.law.names.index(p.name) for p in self.free]
        # A parameter that is centred leans on others that are not, so one substitution undoes it.
        lean = self.slope[at] - np.eye(len(at))
        own = raw - self.shift[at]
        return np.asarray(np.clip(own - own @ lean.T, self.low, self.high))


@dataclass(frozen=True, eq=False)
class Prior:
    """What is known of some parameters beforehand: their means (of the logarithms of those searched as such), and the
    stiffness matrix that pulls towards them, in units of the cost (the inverse covariance times the noise).
    """

    names: tuple[str, ...]
    mean: Array
    stiff: Array


def coordinates(law: Law, x: tuple[Array, ...], y: Array, held: Mapping[str, float]) -> Coordinates:
    """The coordinates for these points.

    Raises ValueError for a held parameter that the law lacks or that leaves its bounds.
    """
    for name, value in held.items():
        if name not in law.names:
            raise ValueError(f"law {law.name!r} has no parameter {name!r} to hold; it has {', '.join(law.names)}")
        p = law.parameters[law.names.index(name)]
        if not p.low <= value <= p.high:
            raise ValueError(f"law {law.name!r}: {name}={value:g} is outside its bounds [{p.low:g}, {p.high:g}]")
    defaults = {p.name: p.held for p in law.parameters if p.held is not None}
    kept = {**defaults, **held}
    logs = [positive_logs(amounts) for amounts in x]
    centre = np.array([column.mean() for column in logs])
    free = [p for p in law.parameters if p.name not in kept]
    bounds = [_bounds(p, logs[p.variable] - centre[p.variable], y, law.score) for p in free]
    low, high = np.array(bounds, dtype=float).reshape(-1, 2).T
    slope, shift = _map(law, [p.name for p in free], kept, centre)
    return Coordinates(law, kept, slope, shift, low, high)


def _map(law: Law, free: list[str], held: Mapping[str, float], centre: Array) -> tuple[Array, Array]:
    """Slopes and shifts of `Coordinates`; ``centre`` holds the mean of ln amount, one entry a variable."""
    slope, shift = np.zeros((len(law.names), len(free))), np.zeros(len(law.names))
    for i, p in enumerate(law.parameters):
        if p.name in held:
            shift[i] = np.log(max(held[p.name], 1e-300)) if p.role in LOGARITHMIC else held[p.name]
            continue
        slope[i, free.index(p.name)] = 1.0
        if p.role in ("amount", "log_amount", "knee"):
            shift[i] = centre[p.variable]
        for name in p.pivots:
            lever = float(centre[law.parameters[law.names.index(name)].variable]) * (1 if p.role in LOGARITHMIC else -1)
            if name in held:
                shift[i] += lever * held[name]
            else:
                slope[i, free.index(name)] += lever
    return slope, shift


def positive_logs(amounts: Array) -> Array:
    """The logarithms of the amounts above 0; 0 where there are none."""
    above = amounts[amounts > 0]
    return np.log(above) if len(above) else np.zeros(1)


def _bounds(p: Parameter, logs: Array, y: Array, score: bool) -> tuple[float, float]:
    """Bounds of one search coordinate, from the natural ones and the range of the points."""
    scale = 1.0 if score else max(float(np.abs(y).max()), 1e-300)
    match p.role:
        case "floor":
            return p.low, min(p.high, scale)
        case "start":
            smallest = float(y.min()) if y.min() > 0 else 1e-6 * scale
            return float(np.log(smallest)), float(np.log(100 * scale))
        case "amplitude":
            return float(np.log(scale)) - SPAN, float(np.log(scale)) + SPAN
        case "odds":
            return -SPAN, SPAN
        case "positive":
            return float(np.log(p.low)), float(np.log(p.high))
        case "knee":
            return float(logs.min()), float(logs.max())
        case "amount" | "log_amount":
            return float(logs.min()) - REACH, float(logs.max()) + REACH
        case _:
            return p.low, p.high
