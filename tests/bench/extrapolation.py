"""How far curves are off: on public curves (read from ../shared/data/fits) and on simulated families."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np

from analysis import LAWS, Points, fit, fit_average, fit_pooled

FITS = Path(__file__).resolve().parents[3] / "shared" / "data" / "fits"
LOSS_LAWS = ("power", "power_floor", "shifted_power", "bounded", "m4", "broken_power", "log_linear", "hinge")
Curves = list[tuple[np.ndarray, ...]]  # amounts and losses to fit, amounts and losses to predict
Predict = Callable[[Points, np.ndarray], np.ndarray]


def flan() -> str:
    """Root mean square log residual, mean over the 30 fine-tuning curves: all amounts; two largest held out."""
    curves = list(_flan())
    said = []
    for law in LOSS_LAWS:
        inside = _error([(x, y, x, y) for x, y in curves], _law(law))
        said.append(f"{law} {inside} / {_error(_held_out(curves), _law(law))}")
    return f"all amounts / two held out: {', '.join(said)}, average - / {_error(_held_out(curves), _average)}"


def extrapolation() -> str:
    """Mean over curves of the root mean square log error of what lies beyond the amounts fitted, by domain and law."""
    said = []
    for domain, curves in _revisiting().items():
        parts = [f"{law} {_error(curves, _law(law))}" for law in LOSS_LAWS]
        said.append(f"{domain} ({len(curves)} curves): {', '.join(parts)}, average {_error(curves, _average)}")
    return "; ".join(said)


def families() -> str:
    """The same for 20 simulated curves of each of some families: geometric mean over the families of each one's error.

    Beside the laws the plain ways: the last value, and the straight line in logarithms through the last four.
    """
    ways: dict[str, Predict] = {law: _law(law) for law in ("power", "power_floor", "shifted_power", "bounded", "m4")}
    ways |= {"average": _average, "last value": _last, "line through the last four": _line}
    rng = np.random.default_rng(5)
    drawn = [[_curve(rng, truth, *design) for _ in range(20)] for truth in SHAPES for design in DESIGNS]
    said = []
    for name, predict in ways.items():
        errors = [float(_error(curves, predict)) for curves in drawn]
        said.append(f"{name} {np.exp(np.mean(np.log(errors))):.4f}")
    return f"{len(drawn)} families: {', '.join(said)}"


def pooled() -> str:
    """Extrapolation for one model with the help of the others' whole curves: the pooled bounded law, the same law
    alone, and the baseline to beat: ridge regression from the model's smaller amounts, fitted to the other models.
    """
    said = []
    for name, curves in (("FLAN", list(_flan())), ("simulated", _ladder())):
        rows = [[_one_left_out(curves, i, way) for way in (_pooled, _alone, _ridge)] for i in range(len(curves))]
        mean = np.mean(rows, axis=0)
        said.append(f"{name} ({len(curves)} models): pooled {mean[0]:.5f}, alone {mean[1]:.5f}, ridge {mean[2]:.5f}")
    return "; ".join(said)


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


def _held_out(curves: list[tuple[np.ndarray, np.ndarray]]) -> Curves:
    return [(x[:-2], y[:-2], x[-2:], y[-2:]) for x, y in curves]


def _flan() -> Iterator[tuple[np.ndarray, np.ndarray]]:
    with (FITS / "sft_loss_vs_samples_flan.csv").open() as file:
        for row in csv.DictReader(file):
            amounts = [c for c in row if c.isdigit() and c != "0"]
            yield np.array(amounts, dtype=float), np.array([float(row[c]) for c in amounts])


def _revisiting() -> dict[str, Curves]:
    """Per domain the curves; duplicate rows once."""
    rows: dict[tuple[str, ...], set[tuple[float, float, str]]] = {}
    with (FITS / "revisiting_lang.csv").open() as file:
        for row in csv.DictReader(file):
            key = (row["Domain"], row["Task"], row["Model"])
            rows.setdefault(key, set()).add((float(row["Seen Examples"]), float(row["Loss"]), row["Training"]))
    curves: dict[str, Curves] = {}
    for key, found in sorted(rows.items()):
        near = np.array(sorted(r[:2] for r in found if r[2] == "1"))
        far = np.array(sorted(r[:2] for r in found if r[2] == "0"))
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
    """A curve that does not fall evenly at first."""
    after, height, width = _bounded(rng, low, high), rng.uniform(0.05, 0.2), rng.uniform(0.5, 1.5)
    at = lambda x: np.log(x / low) / width  # noqa: E731
    return lambda x: after(x) * (1 + height * np.exp(-(at(x) ** 2)) * np.sin(at(x)))


def _line_in_logs(rng: np.random.Generator, low: float, high: float) -> Callable[[np.ndarray], np.ndarray]:
    start, s = rng.uniform(2.5, 4), rng.uniform(0.02, 0.12)
    return lambda x: start - s * np.log(x / low)


SHAPES: tuple[Shape, ...] = (_power_floor, _bounded, _error_rate, _broken, _wavy, _line_in_logs)
# Amounts, noise, and the ranges seen and predicted, in powers of ten.
DESIGNS = ((8, 0.01, 3.0, 0.6), (20, 0.003, 3.0, 1.0), (30, 0.02, 3.0, 0.5), (15, 0.005, 3.0, 2.0))


def _curve(
    rng: np.random.Generator, shape: Shape, amounts: int, noise: float, seen: float, ahead: float
) -> tuple[np.ndarray, ...]:
    low = 10 ** rng.uniform(1, 3)
    x = np.geomspace(low, low * 10**seen, amounts)
    far = np.geomspace(x[-1], x[-1] * 10**ahead, 4)[1:]
    truth = shape(rng, x[0], x[-1])
    return x, truth(x) * np.exp(rng.normal(0, noise, amounts)), far, truth(far)


def _ladder() -> list[tuple[np.ndarray, np.ndarray]]:
    """Ten models with exponents and floors alike, 8 amounts, 1 % noise."""
    rng, x = np.random.default_rng(7), np.geomspace(100, 1e6, 8)
    curves = []
    for _ in range(10):
        params = rng.uniform(1.0, 1.5), rng.uniform(3, 5), 10 ** rng.uniform(3.5, 5), rng.normal(0.5, 0.04)
        curves.append((x, LAWS["bounded"].value(x, *map(np.float64, params)) * np.exp(rng.normal(0, 0.01, 8))))
    return curves


Way = Callable[[list[tuple[np.ndarray, np.ndarray]], int], np.ndarray]


def _one_left_out(curves: list[tuple[np.ndarray, np.ndarray]], which: int, way: Way) -> float:
    """The root mean square log error at the two largest amounts of one model, predicted without them."""
    return float(np.sqrt(np.mean((np.log(way(curves, which)) - np.log(curves[which][1][-2:])) ** 2)))


def _pooled(curves: list[tuple[np.ndarray, np.ndarray]], which: int) -> np.ndarray:
    series = {str(i): Points({"samples": x}, y) for i, (x, y) in enumerate(curves)}
    x, y = curves[which]
    series[str(which)] = Points({"samples": x[:-2]}, y[:-2])
    return fit_pooled(series, "bounded").curves[str(which)].predict({"samples": x[-2:]}).value


def _alone(curves: list[tuple[np.ndarray, np.ndarray]], which: int) -> np.ndarray:
    x, y = curves[which]
    return fit(Points({"samples": x[:-2]}, y[:-2]), "bounded").predict({"samples": x[-2:]}).value


def _ridge(curves: list[tuple[np.ndarray, np.ndarray]], which: int) -> np.ndarray:
    """Ridge regression of the last two log losses on the others, relative to the last of those; the penalty is the one
    that does best when each of the other models is left out in turn.
    """
    logs = np.log([y for _, y in curves])
    last = logs[:, -3:-2]
    seen, ahead = logs[:, :-3] - last, logs[:, -2:] - last
    others = np.arange(len(curves)) != which
    penalties = np.geomspace(1e-6, 10, 15)
    scores = [_left_out_error(seen[others], ahead[others], penalty) for penalty in penalties]
    best = float(penalties[int(np.argmin(scores))])
    return np.exp(last[which] + _ridge_at(seen[others], ahead[others], seen[which : which + 1], best)[0])


def _ridge_at(seen: np.ndarray, ahead: np.ndarray, at: np.ndarray, penalty: float) -> np.ndarray:
    centre, level = seen.mean(axis=0), ahead.mean(axis=0)
    left = (seen - centre).T @ (seen - centre) + penalty * np.eye(seen.shape[1])
    return level + (at - centre) @ np.linalg.solve(left, (seen - centre).T @ (ahead - level))


def _left_out_error(seen: np.ndarray, ahead: np.ndarray, penalty: float) -> float:
    gaps = []
    for i in range(len(seen)):
        rest = np.arange(len(seen)) != i
        gaps.append(_ridge_at(seen[rest], ahead[rest], seen[i : i + 1], penalty)[0] - ahead[i])
    return float(np.mean(np.square(gaps)))
