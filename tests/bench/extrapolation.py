"""Extrapolation errors: on public curves (read from ../shared/data/fits) and on simulated families of curves."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path

import numpy as np

from analysis import LAWS, Points, fit, fit_average
from analysis.data.metric import metric_named
from analysis.fitting.across_sizes import Ladder, held_out
from tests.analysis.fitting.ladders import ladder, losses, scores, scores_of

FITS = Path(__file__).resolve().parents[3] / "shared" / "data" / "fits"
LOSS_LAWS = ("power", "power_floor", "shifted_power", "bounded", "m4", "broken_power", "log_linear")
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


LADDERS = {
    "Cerebras": "cerebras/*", "GPT2": "gpt2*", "LaMini": "MBZUAI/*", "OPT": "facebook/opt*", "Switch": "google/switch*",
}  # fmt: skip
"""Families of fine-tuned models that differ in size alone, and the names of their models."""


def sizes() -> str:
    """Sizes of public ladders, each predicted from the smaller ones: error, that of the next smaller size, coverage."""
    error, nearest, covered, width = across_ladders(flan_ladders(FITS / "sft_loss_vs_samples_flan.csv"))
    told = f"{100 * covered:.0f} % of the amounts within their intervals, of half-width {100 * width:.0f} % (median)"
    return f"root mean square log error {error:.4f}, as the next smaller size {nearest:.4f}; {told}"


def two_steps() -> str:
    """Scores of simulated sizes, each predicted from the smaller ones, alone and beside the loss: errors in logits."""
    parts = []
    for name, steep in (("follow the loss slowly", 3.0), ("steeply", 8.0), ("do not follow it", 0.0)):
        rng, errors, covered = np.random.default_rng(4), [], []
        for _ in range(20):
            loss = losses(rng, 0.0)
            alone = ladder(scores_of(rng, loss, steep) if steep else scores(rng), "accuracy", 500)
            found = [held_out(one)[1:] for one in (alone, replace(alone, loss=ladder(loss)))]
            errors.append([[said.error**2 for said in part] for part in found])
            covered.append(np.mean([said.covered for said in found[1]]))
        direct, both = np.sqrt(np.mean(errors, axis=(0, 2)))
        parts.append(f"scores {name}: {direct:.3f} alone, {both:.3f} beside it, covered {100 * np.mean(covered):.0f} %")
    return "; ".join(parts)


def flan_ladders(file: Path) -> dict[str, Ladder]:
    """The ladders in a file of fine-tuning losses that have at least three sizes."""
    with file.open() as lines:
        rows = sorted(csv.DictReader(lines), key=lambda row: float(row["size"]))
    columns = [c for c in rows[0] if c.isdigit() and c != "0"]
    found = {}
    for family, pattern in LADDERS.items():
        own = [row for row in rows if fnmatchcase(row["config name"], pattern)]
        if len(own) >= 3:
            sizes_, loss = np.array([float(r["size"]) for r in own]), [[float(r[c]) for c in columns] for r in own]
            amounts = np.array(columns, dtype=float)
            found[family] = Ladder(family, metric_named("loss"), sizes_, amounts, np.array(loss), None)
    return found


def across_ladders(found: dict[str, Ladder]) -> tuple[float, float, float, float]:
    """Root mean square log error over held-out sizes, that of the next smaller size, coverage, median half-width."""
    told = [(ladder, i, one) for ladder in found.values() for i, one in enumerate(held_out(ladder), 2)]
    nearest = [np.mean(np.log(ladder.value[i] / ladder.value[i - 1]) ** 2) for ladder, i, _ in told]
    widths = [one.forecast.prediction.high / one.forecast.prediction.value - 1 for _, _, one in told]
    error, covered = np.mean([one.error**2 for _, _, one in told]), np.mean([one.covered for _, _, one in told])
    return float(np.sqrt(error)), float(np.sqrt(np.mean(nearest))), float(covered), float(np.median(widths))


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
