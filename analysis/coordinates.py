"""The coordinates in which a law is searched: centred, bounded, positive quantities as logarithms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from analysis.law import LOGARITHMIC, Law, Number, Parameter
from analysis.points import Array

REACH = np.log(1e4)  # how far beyond the amounts seen a knee or a shift may lie
SPAN = 18.0  # amplitudes at the centre lie within e^+-18 of the scale of the values


@dataclass(frozen=True, eq=False)
class Coordinates:
    """Maps search coordinates (..., free parameters) to natural parameters and back.

    Amplitudes and intercepts are taken at the centre of the logarithms of the amounts, where they are nearly
    independent of the exponent or slope they go with. ``held`` maps the parameters that are not searched to their
    values.
    """

    law: Law
    held: Mapping[str, float]
    centre: Array  # mean of ln amount, one entry a variable
    low: Array  # bounds of the search coordinates, one entry a free parameter
    high: Array

    @property
    def free(self) -> tuple[Parameter, ...]:
        return tuple(p for p in self.law.parameters if p.name not in self.held)

    def natural(self, theta: Number) -> dict[str, Number]:
        """Natural parameters, each shaped as ``theta`` without its last axis; complex coordinates stay complex."""
        at = {p.name: theta[..., i] for i, p in enumerate(self.free)}
        values: dict[str, Number] = {}
        for p in self.law.parameters:
            if p.name in self.held:
                values[p.name] = np.full(theta.shape[:-1], self.held[p.name])
                continue
            value = at[p.name] + self._offset(p, {**at, **self.held}, values)
            values[p.name] = np.exp(value) if p.role in LOGARITHMIC else value
        return values

    def search(self, params: Mapping[str, Number]) -> Array:
        """The search coordinates of natural parameters, moved inside the bounds."""
        columns = []
        for p in self.free:
            value = np.log(np.maximum(params[p.name], 1e-300)) if p.role in LOGARITHMIC else np.asarray(params[p.name])
            columns.append(value - self._offset(p, params, params))
        theta = np.stack(np.broadcast_arrays(*columns), axis=-1)
        return np.asarray(np.clip(theta, self.low, self.high))

    def _offset(self, p: Parameter, at: Mapping[str, Number | float], natural: Mapping[str, Number]) -> Number:
        """What centring adds to a search coordinate to give the natural one (or its logarithm)."""
        if p.role in ("amount", "log_amount", "knee"):
            return float(self.centre[p.variable])
        if not p.pivots:
            return 0.0
        moved = sum(at[name] * self.centre[self._variable(name)] for name in p.pivots)
        if p.role not in LOGARITHMIC:
            return -moved
        return moved + (0.0 if p.scale is None else np.log(p.scale(natural)))

    def _variable(self, name: str) -> int:
        return self.law.parameters[self.law.names.index(name)].variable


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
    bounds = [
        _bounds(p, logs[p.variable] - centre[p.variable], y, law.score) for p in law.parameters if p.name not in kept
    ]
    low, high = np.array(bounds, dtype=float).reshape(-1, 2).T
    return Coordinates(law, kept, centre, low, high)


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
