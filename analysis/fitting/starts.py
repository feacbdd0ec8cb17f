"""Where a search starts: shapes on a grid, with the amplitudes that fit each shape best (variable projection)."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np

from analysis.arrays import Array
from analysis.fitting.coordinates import Coordinates, positive_logs
from analysis.fitting.solver import FitProblem
from analysis.laws.law import Number, Parameter

FLOORS = (0.0, 0.5, 0.8, 0.95)  # in units of the smallest value
FIRST_VALUES = (1.05, 1.3, 2.0, 4.0)  # values at little data, in units of the largest value
MAX_POINTS = 60  # that the shapes are tried on
GOLDEN = 0.5 * (5**0.5 - 1)


def starts(problem: FitProblem, count: int) -> Array:
    """Up to ``count`` starts (starts, coordinates), best first, with different first exponents if possible.

    Shapes (all parameters that the law is not linear in) are taken from the product of their grids. For each shape the
    linear parameters follow by bounded least squares (variable projection: Golub and Pereyra 1973, SIAM J. Numer.
    Anal. 10).
    """
    problem = _thinned(problem)
    space = problem.space
    law = space.law
    free = [p.name for p in space.free]
    closed = "" if law.closed_form is None else law.closed_form[0]
    shapes = [p for p in space.free if p.name not in law.linear and p.name != closed]
    combinations = list(product(*(_grid(p, problem) for p in shapes)))
    grid = np.array(combinations, dtype=float).reshape(len(combinations), len(shapes))
    params: dict[str, Number] = {p.name: grid[:, i] for i, p in enumerate(shapes)}
    params |= {name: np.full(len(grid), value) for name, value in space.fixed.items()}
    if law.closed_form is not None:
        name, solution = law.closed_form
        others = [params[n][:, None] for n in law.names if n != name]
        params[name] = solution(*problem.x, problem.y, *others)[:, 0]
    params |= _linear_parameters(problem, params, [n for n in law.linear if n in free], len(grid))
    theta = space.search(params)
    return theta[_distinct(problem.cost(theta), grid, shapes, count)]


def _thinned(problem: FitProblem) -> FitProblem:
    """The problem with at most `MAX_POINTS` of its points, which are enough to rank shapes by."""
    count = len(problem.y)
    if count <= MAX_POINTS:
        return problem
    # Multiples of the golden ratio spread evenly without a period; one could fall in step with a grid of amounts.
    index = np.unique((np.arange(MAX_POINTS) * GOLDEN % 1 * count).astype(int))
    return replace(
        problem,
        x=tuple(column[index] for column in problem.x),
        y=problem.y[index],
        trials=None if problem.trials is None else problem.trials[index],
        weight=problem.weight[:, index],
    )


def _grid(p: Parameter, problem: FitProblem) -> Array:
    """Natural values of one shape parameter to try."""
    logs = positive_logs(problem.x[p.variable])
    y = problem.y
    match p.role:
        case "amount":
            return np.exp(np.linspace(logs.min() - 2, logs.max() + 1, 7))
        case "log_amount":
            return np.linspace(logs.min() - 1, logs.max() + 2, 8)
        case "knee":
            # The cost has a local minimum in most gaps between amounts, so the grid visits each amount and each gap.
            knots = np.unique(np.quantile(logs, np.linspace(0, 1, 41), method="nearest"))
            return np.unique(np.concatenate([knots, (knots[1:] + knots[:-1]) / 2]))
        case "floor":
            return max(float(y.min()), 0.0) * np.array(FLOORS)
        case "start":
            return float(y.max()) * np.array(FIRST_VALUES)
        case _:
            return np.array([v for v in p.grid if p.low <= v <= p.high])


def _linear_parameters(problem: FitProblem, params: dict[str, Number], names: list[str], size: int) -> dict[str, Array]:
    """The best bounded values of the parameters ``names`` that the law is linear in, each (size,): one for every row
    of the other parameters.
    """
    if not names:
        return {}
    space = problem.space
    link = space.law.link or (lambda value, _: value)
    shapes = {n: np.asarray(v)[:, None] for n, v in params.items()}
    zero = {n: np.zeros(size) for n in names}

    def curve(linear: dict[str, Array]) -> Array:
        values = {**params, **linear}
        with np.errstate(all="ignore"):
            return np.asarray(link(space.law.value(*problem.x, *(values[n][:, None] for n in space.law.names)), shapes))

    # The law is linear in these: its values at 0 and at each unit vector are the columns of the least-squares problem.
    base = np.broadcast_to(curve(zero), (size, len(problem.y)))
    columns = np.stack([np.broadcast_to(curve({**zero, n: np.ones(size)}), base.shape) - base for n in names], axis=-1)
    target = link(problem.y[None, :], shapes) - base
    weight = problem.weight[:1] * _least_squares_weight(problem)
    low, high = _linear_bounds(space, names, problem.y)
    best = _bounded_least_squares(columns, target, weight, low, high)
    return {n: best[:, i] for i, n in enumerate(names)}


def _least_squares_weight(problem: FitProblem) -> Array:
    """Weights (points,) with which linear least squares resembles the objective near a good fit."""
    if problem.objective.name in ("log", "huber_log"):
        return problem.y**-2.0
    return np.ones_like(problem.y) if problem.trials is None else problem.trials


def _linear_bounds(space: Coordinates, names: list[str], y: Array) -> tuple[Array, Array]:
    """Natural bounds of the parameters ``names``, (names,) each."""
    by_name = {p.name: p for p in space.free}
    low = np.array([by_name[n].low for n in names])
    # At the smallest value itself a floor would leave the curve no room to fall towards it.
    high = np.array([0.98 * max(float(y.min()), 0.0) if by_name[n].role == "floor" else by_name[n].high for n in names])
    return low, np.maximum(low, high)


def _bounded_least_squares(columns: Array, target: Array, weight: Array, low: Array, high: Array) -> Array:
    """The values (batch, k) within bounds that minimise the weighted squares of ``columns @ values - target``, by
    coordinate descent.

    Shapes: ``columns`` (batch, points, k), ``target`` (batch, points), ``weight`` (1, points), bounds (k,).
    """
    matrix = np.matmul(np.swapaxes(columns * weight[..., None], 1, 2), columns)
    right = np.einsum("bnk,bn->bk", columns * weight[..., None], target)
    size = columns.shape[-1]
    diagonal = np.einsum("bii->bi", matrix)
    # Columns may be alike, or 0, for some shapes; the ridge keeps their systems solvable.
    ridge = 1e-12 * diagonal.max(axis=-1, initial=0.0)[:, None, None] * np.eye(size) + 1e-300 * np.eye(size)
    values = np.clip(np.linalg.solve(matrix + ridge, right[..., None])[..., 0], low, high)
    for _ in range(12):
        for k in range(size):
            gap = right[:, k] - (matrix[:, k] * values).sum(-1)
            values[:, k] = np.clip(values[:, k] + gap / np.maximum(diagonal[:, k], 1e-300), low[k], high[k])
    return values


def _distinct(cost: Array, grid: Array, shapes: list[Parameter], count: int) -> list[int]:
    """Up to ``count`` rows of the grid: the best row for each value of the first exponent, then the best of the rest.

    Starts with different exponents end in different minima, where there are several; near-equal ones do not.
    """
    order = [int(i) for i in np.argsort(cost, kind="stable")]
    exponents = [i for i, p in enumerate(shapes) if p.role == "exponent"]
    if not exponents:
        return order[:count]
    best_of_value: dict[float, int] = {}
    for row in order:
        best_of_value.setdefault(float(grid[row, exponents[0]]), row)
    first = list(best_of_value.values())
    return (first + [row for row in order if row not in set(first)])[:count]
