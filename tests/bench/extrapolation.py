"""Extrapolation errors: on public curves (read from ../shared/data/fits) and on simulated families of curves."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from analysis import LAWS, Points, fit, fit_average, fit_pooled

FITS = Path(__file__).resolve().parents[3] / "shared" / "data" / "fits"
LOSS_LAWS = ("power", "power_floor", "shifted_power", "bounded", "m4", "broken_power", "log_linear", "hinge")
Curves = list[tuple[np.ndarray, ...]]  # amounts and losses to fit, amounts and losses to predict
Whole = list[tuple[np.ndarray, np.ndarray]]  # amounts and losses of each curve
Predict = Callable[[Points, np.ndarray], np.ndarray]


def flan() -> str:
    """Root mean square log error, mean over the 30 fine-tuning curves: all amounts fitted; two largest held out."""
    curves = list(_flan())
    parts = []
    for law in LOSS_LAWS:
        inside = _error([(x, y, x, y) for x, y in curves], _law(law))
        parts.append(f"{law} {inside} / {_error(_held_out(curves), _law(law))}")
    return f"all amounts / two held out: {', '.join(parts)}, average - / {_error(_held_out(curves), _average)}"


def extrapolation() -> str:
    """Root mean square log error beyond the fitted amounts, mean over the curves, by domain and law."""
    domains = []
    for domain, curves in _revisiting().items():
        parts = [f"{law} {_error(curves, _law(law))}" for law in LOSS_LAWS]
        domains.append(f"{domain} ({len(curves)} curves): {', '.join(parts)}, average {_error(curves, _average)}")
    return "; ".join(domains)


def families() -> str:
    """The same error on 20 simulated curves of each family, geometric mean over the families.

    Compared with two baselines: the last value, and the straight line in logarithms through the last four values.
    """
    methods: dict[str, Predict] = {law: _law(law) for law in ("power", "power_floor", "shifted_power", "bounded", "m4")}
    methods |= {"average": _average, "last value": _last, "line through the last four": _line}
    rng = np.random.default_rng(5)
    families = [[_curve(rng, truth, *design) for _ in range(20)] for truth in SHAPES for design in DESIGNS]
    parts = []
    for name, predict in methods.items():
        errors = [float(_error(curves, predict)) for curves in families]
        parts.append(f"{name} {np.exp(np.mean(np.log(errors))):.4f}")
    return f"{len(families)} families: {', '.join(parts)}"


def pooled() -> str:
    """Extrapolation error for one model, given the others' whole curves: of the pooled bounded law, the same law alone,
    and a baseline: ridge regression from the model's smaller amounts, fitted to the other models.
    """
    parts = []
    for name, curves in (("FLAN", list(_flan())), ("simulated", _ladder())):
        rows = [[_one_left_out(curves, i, method) for method in (_pooled, _alone, _ridge)] for i in range(len(curves))]
        mean = np.mean(rows, axis=0)
        parts.append(f"{name} ({len(curves)} models): pooled {mean[0]:.5f}, alone {mean[1]:.5f}, ridge {mean[2]:.5f}")
    return "; ".join(parts)


def _law(name: str) -> Predict:
    return lambda points, far: fit(points, name).predict({"samples": far}).value


def _average(points: Points, far: np.ndarray) -> np.ndarray:
    return fit_average(points).predict({"samples": far}).value


def _last(points: Points, far: np.ndarray) -> np.ndarray:
    return np.full(len(far), points.value[-1])


def _line(points: Points, far: np.ndarray) -> np.ndarray:
    slope, start = np.polyfit(np.log(points.x["samples"][-4:]), np.log(points.value[-4:]), 1)
    return np.exp(start + slope * np.log(far))


def _error(curves: Curves, predict: Predict) -> str:
    """The mean over curves of each curve's root mean square log error; "-" for a law that refuses one of them."""
    errors = []
    for x, y, far, truth in curves:
        try:
            gap = np.log(predict(Points({"samples": x}, y), far) / truth)
        except ValueError:
            return "-"
        errors.append(np.sqrt(np.mean(gap**2)))
    return f"{np.mean(errors):.5f}"


def _held_out(curves: Whole) -> Curves:
    """The curves with their two largest amounts to predict."""
    return [(x[:-2], y[:-2], x[-2:], y[-2:]) for x, y in curves]


def _flan() -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Amounts and losses of each fine-tuned model."""
    with (FITS / "sft_loss_vs_samples_flan.csv").open() as file:
        for row in csv.DictReader(file):
            amounts = [c for c in row if c.isdigit() and c != "0"]
            yield np.array(amounts, dtype=float), np.array([float(row[c]) for c in amounts])


def _revisiting() -> dict[str, Curves]:
    """The curves of each domain, without duplicate rows."""
    rows: dict[tuple[str, ...], set[tuple[float, float, str]]] = {}
    with (FITS / "revisiting_lang.csv").open() as file:
        for row in csv.DictReader(file):
            key = (row["Domain"], row["Task"], row["Model"])
            rows.setdefault(key, set()).add((float(row["Seen Examples"]), float(row["Loss"]), row["Training"]))
    curves: dict[str, Curves] = {}
    for key, measured in sorted(rows.items()):
        near = np.array(sorted(row[:2] for row in measured if row[2] == "1"))
        far = np.array(sorted(row[:2] for row in measured if row[2] == "0"))
        if len(near) and len(far):
            curves.setdefault(key[0], []).append((near[:, 0], near[:, 1], far[:, 0], far[:, 1]))
    return curves


Shape = Callable[[np.random.Generator, float, float], Callable[[np.ndarray], np.ndarray]]


def _power_floor(rng: np.random.Generator, low: float, high: float) -> Callable[[np.ndarray], np.ndarray]:
    E, A, b = rng.uniform(0, 2), rng.uniform(0.5, 3), rng.uniform(0.1, 0.6)
    return lambda x: E + A * (x / low) ** -b


def _bounded(rng: np.random.Generator, low: float, high: float) -> Callable[[np.ndarray], np.ndarray]:
    E, L0, b = rng.uniform(0, 2), rng.uniform(2.5, 5), rng.uniform(0.2, 1)
    knee = np.exp(rng.uniform(np.log(low), np.log(high) + 1))
    return lambda x: E + (L0 - E) / (1 + (x / knee) ** b)


def _error_rate(rng: np.random.Generator, low: float, high: float) -> Callable[[np.ndarray], np.ndarray]:
    a, c, E, L0 = rng.uniform(0.3, 2.5), rng.uniform(0.2, 1), rng.uniform(0, 0.3), rng.uniform(0.8, 1)
    B = np.exp(rng.uniform(np.log(low), np.log(high))) ** c * ((L0 - E) / 2) ** (1 - a)
    return lambda x: LAWS["m4"].value(x, *map(np.float64, (E, L0, a, B, c)))


def _broken(rng: np.random.Generator, low: float, high: float) -> Callable[[np.ndarray], np.ndarray]:
    E, A, f = rng.uniform(0, 1.5), rng.uniform(0.5, 2), rng.uniform(0.1, 0.5)
    c0, c1, d = rng.uniform(0.02, 0.3), rng.uniform(-0.1, 0.4), np.exp(rng.uniform(np.log(low), np.log(high)))
    return lambda x: LAWS["broken_power"].value(x / low, *map(np.float64, (E, A, c0, c1, d / low, f)))


def _wavy(rng: np.random.Generator, low: float, high: float) -> Callable[[np.ndarray], np.ndarray]:
    """A curve with a wave at its small amounts."""
    base, height, width = _bounded(rng, low, high), rng.uniform(0.05, 0.2), rng.uniform(0.5, 1.5)

    def curve(x: np.ndarray) -> np.ndarray:
        phase = np.log(x / low) / width
        return base(x) * (1 + height * np.exp(-(phase**2)) * np.sin(phase))

    return curve


def _line_in_logs(rng: np.random.Generator, low: float, high: float) -> Callable[[np.ndarray], np.ndarray]:
    start, s = rng.uniform(2.5, 4), rng.uniform(0.02, 0.12)
    return lambda x: start - s * np.log(x / low)


SHAPES: tuple[Shape, ...] = (_power_floor, _bounded, _error_rate, _broken, _wavy, _line_in_logs)
# Number of amounts, noise, and the ranges of amounts to fit and to predict, in powers of ten.
DESIGNS = ((8, 0.01, 3.0, 0.6), (20, 0.003, 3.0, 1.0), (30, 0.02, 3.0, 0.5), (15, 0.005, 3.0, 2.0))


def _curve(
    rng: np.random.Generator, shape: Shape, amounts: int, noise: float, fitted_range: float, ahead_range: float
) -> tuple[np.ndarray, ...]:
    """A curve of this shape with relative noise: amounts and losses to fit, amounts and true losses to predict."""
    low = 10 ** rng.uniform(1, 3)
    x = np.geomspace(low, low * 10**fitted_range, amounts)
    far = np.geomspace(x[-1], x[-1] * 10**ahead_range, 4)[1:]
    truth = shape(rng, x[0], x[-1])
    return x, truth(x) * np.exp(rng.normal(0, noise, amounts)), far, truth(far)


def _ladder() -> Whole:
    """Ten models with similar exponents and floors, 8 amounts, 1 % noise."""
    rng, x = np.random.default_rng(7), np.geomspace(100, 1e6, 8)
    curves = []
    for _ in range(10):
        params = rng.uniform(1.0, 1.5), rng.uniform(3, 5), 10 ** rng.uniform(3.5, 5), rng.normal(0.5, 0.04)
        curves.append((x, LAWS["bounded"].value(x, *map(np.float64, params)) * np.exp(rng.normal(0, 0.01, 8))))
    return curves


Method = Callable[[Whole, int], np.ndarray]  # predicts the two largest amounts of one curve without them


def _one_left_out(curves: Whole, which: int, method: Method) -> float:
    """The root mean square log error at the two largest amounts of one model, predicted without them."""
    return float(np.sqrt(np.mean((np.log(method(curves, which)) - np.log(curves[which][1][-2:])) ** 2)))


def _pooled(curves: Whole, which: int) -> np.ndarray:
    series = {str(i): Points({"samples": x}, y) for i, (x, y) in enumerate(curves)}
    x, y = curves[which]
    series[str(which)] = Points({"samples": x[:-2]}, y[:-2])
    return fit_pooled(series, "bounded").curves[str(which)].predict({"samples": x[-2:]}).value


def _alone(curves: Whole, which: int) -> np.ndarray:
    x, y = curves[which]
    return fit(Points({"samples": x[:-2]}, y[:-2]), "bounded").predict({"samples": x[-2:]}).value


def _ridge(curves: Whole, which: int) -> np.ndarray:
    """Ridge regression of the last two log losses on the earlier ones, all relative to the last of the earlier ones.

    The penalty is the best one when each of the other models is left out in turn.
    """
    logs = np.log([y for _, y in curves])
    last = logs[:, -3:-2]
    earlier, later = logs[:, :-3] - last, logs[:, -2:] - last
    others = np.arange(len(curves)) != which
    penalties = np.geomspace(1e-6, 10, 15)
    scores = [_left_out_error(earlier[others], later[others], penalty) for penalty in penalties]
    best = float(penalties[int(np.argmin(scores))])
    return np.exp(last[which] + _ridge_at(earlier[others], later[others], earlier[which : which + 1], best)[0])


def _ridge_at(earlier: np.ndarray, later: np.ndarray, at: np.ndarray, penalty: float) -> np.ndarray:
    """The later values at the earlier ones ``at``, by ridge regression on the other models."""
    centre, level = earlier.mean(axis=0), later.mean(axis=0)
    matrix = (earlier - centre).T @ (earlier - centre) + penalty * np.eye(earlier.shape[1])
    return level + (at - centre) @ np.linalg.solve(matrix, (earlier - centre).T @ (later - level))


def _left_out_error(earlier: np.ndarray, later: np.ndarray, penalty: float) -> float:
    """The mean square error of each model, predicted from the others."""
    gaps = []
    for i in range(len(earlier)):
        rest = np.arange(len(earlier)) != i
        gaps.append(_ridge_at(earlier[rest], later[rest], earlier[i : i + 1], penalty)[0] - later[i])
    return float(np.mean(np.square(gaps)))
