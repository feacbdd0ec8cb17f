"""Where a search starts: shapes on a grid, and for each shape the amplitudes that fit best (variable projection)."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np

from analysis.arrays import Array
from analysis.fitting.coordinates import Coordinates, positive_logs
from analysis.fitting.solver import FitProblem
from analysis.laws.law import Number, Parameter

LEVELS = (0.0, 0.5, 0.8, 0.95)  # floors, as shares of the smallest value
ENOUGH = 60  # points that the shapes are tried on
GOLDEN = 0.5 * (5**0.5 - 1)
HEIGHTS = (1.05, 1.3, 2.0, 4.0)  # values at little data, in largest values


def starts(problem: FitProblem, count: int) -> Array:
    """Up to ``count`` starts (rows of search coordinates), best first, each of another exponent if possible."""
    problem = _thinned(problem)
    space = problem.space
    law = space.law
    free = [p.name for p in space.free]
    shapes = [
        p for p in space.free if p.name not in law.linear and (law.closed_form is None or p.name != law.closed_form[0])
    ]
    tried = list(product(*(_grid(p, problem) for p in shapes)))
    grid = np.array(tried, dtype=float).reshape(len(tried), len(shapes))
    params: dict[str, Number] = {p.name: grid[:, i] for i, p in enumerate(shapes)}
    params |= {name: np.full(len(grid), value) for name, value in space.fixed.items()}
    if law.closed_form is not None:
        name, solution = law.closed_form
        others = [params[n][:, None] for n in law.names if n != name]
        params[name] = solution(*problem.x, problem.y, *others)[:, 0]
    params |= _amplitudes(problem, params, [n for n in law.linear if n in free], len(grid))
    theta = space.search(params)
    cost = problem.cost(theta)
    return theta[_distinct(cost, grid, shapes, count)]


def _thinned(problem: FitProblem) -> FitProblem:
    """Some points, spread evenly but in no step that a grid of amounts could share: enough to rank shapes by."""
    count = len(problem.y)
    if count <= ENOUGH:
        return problem
    keep = np.unique((np.arange(ENOUGH) * GOLDEN % 1 * count).astype(int))
    return replace(
        problem,
        x=tuple(column[keep] for column in problem.x),
        y=problem.y[keep],
        trials=None if problem.trials is None else problem.trials[keep],
        weight=problem.weight[:, keep],
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
            at = np.unique(np.quantile(logs, np.linspace(0, 1, 41), method="nearest"))
            return np.unique(np.concatenate([at, (at[1:] + at[:-1]) / 2]))
        case "floor":
            return max(float(y.min()), 0.0) * np.array(LEVELS)
        case "start":
            return float(y.max()) * np.array(HEIGHTS)
        case _:
            return np.array([v for v in p.grid if p.low <= v <= p.high])


def _amplitudes(problem: FitProblem, params: dict[str, Number], names: list[str], size: int) -> dict[str, Array]:
    """The best bounded values of the parameters the law is linear in, for each row of the other parameters."""
    if not names:
        return {}
    space = problem.space
    link = space.law.link or (lambda value, _: value)
    shapes = {n: np.asarray(v)[:, None] for n, v in params.items()}
    unit = {n: np.zeros(size) for n in names}

    def curve(values: dict[str, Array]) -> Array:
        both = {**params, **values}
        with np.errstate(all="ignore"):
            return np.asarray(link(space.law.value(*problem.x, *(both[n][:, None] for n in space.law.names)), shapes))

    base = np.broadcast_to(curve(unit), (size, len(problem.y)))
    columns = np.stack([np.broadcast_to(curve({**unit, n: np.ones(size)}), base.shape) - base for n in names], axis=-1)
    target = link(problem.y[None, :], shapes) - base
    weight = problem.weight[:1] * _importance(problem)
    low, high = _amplitude_bounds(space, names, problem.y)
    best = _bounded_least_squares(columns, target, weight, low, high)
    return {n: best[:, i] for i, n in enumerate(names)}


def _importance(problem: FitProblem) -> Array:
    """Weights that make linear least squares resemble the objective near a good fit."""
    if problem.objective.name in ("log", "huber_log"):
        return problem.y**-2.0
    return np.ones_like(problem.y) if problem.trials is None else problem.trials


def _amplitude_bounds(space: Coordinates, names: list[str], y: Array) -> tuple[Array, Array]:
    """Natural bounds; floors stay a little below the smallest value, so that a logarithmic objective starts finite."""
    by_name = {p.name: p for p in space.free}
    low = np.array([by_name[n].low for n in names])
    high = np.array([0.98 * max(float(y.min()), 0.0) if by_name[n].role == "floor" else by_name[n].high for n in names])
    return low, np.maximum(low, high)


def _bounded_least_squares(columns: Array, target: Array, weight: Array, low: Array, high: Array) -> Array:
    """Minimise the weighted squares of ``columns @ values - target`` within bounds, by coordinate descent."""
    matrix = np.matmul(np.swapaxes(columns * weight[..., None], 1, 2), columns)
    right = np.einsum("bnk,bn->bk", columns * weight[..., None], target)
    size = columns.shape[-1]
    diagonal = np.einsum("bii->bi", matrix)
    ridge = 1e-12 * diagonal.max(axis=-1, initial=0.0)[:, None, None] * np.eye(size) + 1e-300 * np.eye(size)
    values = np.clip(np.linalg.solve(matrix + ridge, right[..., None])[..., 0], low, high)
    for _ in range(12):
        for k in range(size):
            gap = right[:, k] - (matrix[:, k] * values).sum(-1)
            values[:, k] = np.clip(values[:, k] + gap / np.maximum(diagonal[:, k], 1e-300), low[k], high[k])
    return values


def _distinct(cost: Array, grid: Array, shapes: list[Parameter], count: int) -> list[int]:
    """The best row of each value of the first exponent, then the best of the rest."""
    order = [int(i) for i in np.argsort(cost, kind="stable")]
    exponents = [i for i, p in enumerate(shapes) if p.role == "exponent"]
    if not exponents:
        return order[:count]
    chosen: dict[float, int] = {}
    for row in order:
        chosen.setdefault(float(grid[row, exponents[0]]), row)
    first = list(chosen.values())
    return (first + [row for row in order if row not in set(first)])[:count]
