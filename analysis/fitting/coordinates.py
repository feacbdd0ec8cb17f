"""The coordinates in which a law is searched: centred, bounded, with positive parameters as logarithms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from analysis.arrays import Array
from analysis.laws.law import LOGARITHMIC, Law, Number, Parameter

AMOUNT_MARGIN = np.log(1e8)  # how far a shift or a half-way point may lie beyond the amounts, in logarithms
COMPLEX_STEP = 1e-30  # of a derivative; as nothing is subtracted, it may be this small and costs no digits
AMPLITUDE_MARGIN = 18.0  # amplitudes at the centre lie within a factor e^18 of the scale of the values


@dataclass(frozen=True, eq=False)
class Coordinates:
    """The map between search coordinates (..., free parameters) and natural parameters.

    Amplitudes and intercepts are taken at the centre of the logarithms of the amounts, where they hardly correlate
    with the exponent or slope that they belong to. ``fixed`` maps the parameters that are not searched to their values.
    A parameter, or its logarithm where its role says so, is ``slope`` times the search coordinates plus ``shift``; an
    amplitude is also multiplied by its factor ``scale``.

    ``slope`` has the shape (parameters, free parameters), ``shift`` (parameters,); ``low`` and ``high`` are the bounds
    of the search coordinates, (free parameters,).
    """

    law: Law
    fixed: Mapping[str, float]
    slope: Array
    shift: Array
    low: Array
    high: Array

    @cached_property
    def free(self) -> tuple[Parameter, ...]:
        """The parameters that are searched, in the order of the search coordinates."""
        return tuple(p for p in self.law.parameters if p.name not in self.fixed)

    @cached_property
    def logarithmic(self) -> NDArray[np.bool_]:
        """Which parameters are searched as logarithms, (parameters,)."""
        return np.array([p.role in LOGARITHMIC for p in self.law.parameters])

    @cached_property
    def scaled(self) -> tuple[Parameter, ...]:
        """The searched amplitudes that have a factor ``scale``."""
        return tuple(p for p in self.free if p.scale is not None)

    def natural(self, theta: Number) -> dict[str, Number]:
        """Natural parameters, each shaped as ``theta`` without its last axis; complex coordinates stay complex."""
        values = self._unscaled(theta)
        params: dict[str, Number] = {name: values[..., i] for i, name in enumerate(self.law.names)}
        for p in self.scaled:
            assert p.scale is not None
            params[p.name] = params[p.name] * p.scale(params)
        return params

    def natural_with_slopes(self, theta: Array) -> tuple[dict[str, Array], Array]:
        """Natural parameters of ``theta`` (batch, coordinates), each (batch,), and their derivatives by the coordinates
        (batch, parameters, coordinates).
        """
        if self.scaled:  # a factor may be any function of other parameters
            moved = self.natural(complex_steps(theta))
            values = np.stack([moved[n] for n in self.law.names], axis=1)  # (batch, parameters, coordinates)
            return {n: v[..., 0].real for n, v in moved.items()}, values.imag / COMPLEX_STEP
        values = self._unscaled(theta)
        slopes = np.where(self.logarithmic, values, 1.0)[..., None] * self.slope
        return {name: values[..., i] for i, name in enumerate(self.law.names)}, slopes

    def _unscaled(self, theta: Number) -> Number:
        """Natural parameters (..., parameters), amplitudes without their factors."""
        values = theta @ self.slope.T + self.shift
        values[..., self.logarithmic] = np.exp(values[..., self.logarithmic])
        return values

    def search(self, params: Mapping[str, Number]) -> Array:
        """The search coordinates of natural parameters, clipped to the bounds: the broadcast shape of the parameters
        and a last axis of free parameters.
        """
        columns = []
        for p in self.free:
            value = params[p.name] if p.scale is None else params[p.name] / p.scale(params)
            columns.append(np.log(np.maximum(value, 1e-300)) if p.role in LOGARITHMIC else np.asarray(value))
        linear = np.stack(np.broadcast_arrays(*columns), axis=-1)
        rows = [self.law.names.index(p.name) for p in self.free]
        # A centred parameter depends only on parameters that are not centred, so one substitution inverts the map.
        centring = self.slope[rows] - np.eye(len(rows))
        uncentred = linear - self.shift[rows]
        return np.asarray(np.clip(uncentred - uncentred @ centring.T, self.low, self.high))


def coordinates(law: Law, x: tuple[Array, ...], y: Array, fixed: Mapping[str, float]) -> Coordinates:
    """The coordinates of ``law`` for points at the amounts ``x``, each (points,), with values ``y`` (points,).

    ``fixed`` adds to the parameters that the law fixes itself, or replaces their values.
    Raises ValueError for a fixed parameter that the law lacks or that lies outside its bounds.
    """
    for name, value in fixed.items():
        if name not in law.names:
            raise ValueError(f"law {law.name!r} has no parameter {name!r} to fix; it has {', '.join(law.names)}")
        p = law.parameters[law.names.index(name)]
        if not p.low <= value <= p.high:
            raise ValueError(f"law {law.name!r}: {name}={value:g} is outside its bounds [{p.low:g}, {p.high:g}]")
    all_fixed = {p.name: p.fixed for p in law.parameters if p.fixed is not None} | dict(fixed)
    logs = [positive_logs(amounts) for amounts in x]
    centre = np.array([column.mean() for column in logs])
    free = [p for p in law.parameters if p.name not in all_fixed]
    bounds = [_bounds(p, logs[p.variable] - centre[p.variable], y, law.score) for p in free]
    low, high = np.array(bounds, dtype=float).reshape(-1, 2).T
    slope, shift = _linear_map(law, [p.name for p in free], all_fixed, centre)
    return Coordinates(law, all_fixed, slope, shift, low, high)


def _linear_map(law: Law, free: list[str], fixed: Mapping[str, float], centre: Array) -> tuple[Array, Array]:
    """Slopes and shifts of `Coordinates`; ``centre`` (amounts,) holds the mean logarithm of each amount."""
    slope, shift = np.zeros((len(law.names), len(free))), np.zeros(len(law.names))
    for i, p in enumerate(law.parameters):
        if p.name in fixed:
            shift[i] = np.log(max(fixed[p.name], 1e-300)) if p.role in LOGARITHMIC else fixed[p.name]
            continue
        slope[i, free.index(p.name)] = 1.0
        if p.role in ("amount", "log_amount"):
            shift[i] = centre[p.variable]
        for name in p.pivots:
            # A x^-b at the centre c of ln x is exp(ln A - b c), and a + s ln x is a + s c: hence the two signs.
            sign = 1 if p.role in LOGARITHMIC else -1
            factor = float(centre[law.parameters[law.names.index(name)].variable]) * sign
            if name in fixed:
                shift[i] += factor * fixed[name]
            else:
                slope[i, free.index(name)] += factor
    return slope, shift


def complex_steps(theta: Array) -> Number:
    """Coordinates moved by `COMPLEX_STEP`, each in a row of its own: (..., coordinates, coordinates)."""
    return theta[..., None, :] + 1j * COMPLEX_STEP * np.eye(theta.shape[-1])


def positive_logs(amounts: Array) -> Array:
    """The logarithms of the amounts above 0; a single 0 where there are none."""
    above = amounts[amounts > 0]
    return np.log(above) if len(above) else np.zeros(1)


def _bounds(p: Parameter, logs: Array, y: Array, score: bool) -> tuple[float, float]:
    """Bounds of one search coordinate, from the parameter's own bounds and the range of the points; ``logs`` are the
    centred logarithms of the amounts.
    """
    scale = 1.0 if score else max(float(np.abs(y).max()), 1e-300)
    match p.role:
        case "floor":
            return p.low, min(p.high, scale)
        case "start":
            smallest = float(y.min()) if y.min() > 0 else 1e-6 * scale
            return float(np.log(smallest)), float(np.log(100 * scale))
        case "amplitude":
            return float(np.log(scale)) - AMPLITUDE_MARGIN, float(np.log(scale)) + AMPLITUDE_MARGIN
        case "odds":
            return -AMPLITUDE_MARGIN, AMPLITUDE_MARGIN
        case "positive":
            return float(np.log(p.low)), float(np.log(p.high))
        case "amount" | "log_amount":
            # Beyond this margin one law turns into another: a bounded law into a power law with a floor, for example.
            return float(logs.min()) - AMOUNT_MARGIN, float(logs.max()) + AMOUNT_MARGIN
        case _:
            return p.low, p.high
