"""Curve fitting: speed on simulated points, precision on public curves (read from ../shared/data/fits)."""

from __future__ import annotations

import csv
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

from analysis import LAWS, Points, fit, fit_average
from tests.analysis.test_laws import TRUE

FITS = Path(__file__).resolve().parents[3] / "shared" / "data" / "fits"
SIMULATED_TABLES = Path(__file__).resolve().parents[1] / "analysis"


def additive() -> str:
    """CPU time of the size-and-data fit on 240 points and of 1,000 bootstrap draws; an independent search's optimum."""
    rng = np.random.default_rng(0)
    n, d = np.exp(rng.uniform(np.log(4e7), np.log(2e10), 240)), np.exp(rng.uniform(np.log(2e8), np.log(4e11), 240))
    y = LAWS["additive"].value(n, d, *TRUE["additive"]) * np.exp(0.01 * rng.standard_t(3, 240))
    points = Points({"params": n, "tokens": d}, value=y)
    took, curve = _cpu(lambda: fit(points, "additive", "huber_log", delta=1e-3))
    draws, _ = _cpu(lambda: curve.bootstrap(draws=1000, seed=0), 1)
    other = _quasi_newton(n, d, y, rng)
    return (
        f"{1e3 * took:.1f} ms CPU ({curve.agreeing_starts} of {curve.starts} starts agree); 1,000 draws {draws:.2f} s, "
        f"objective {curve.objective:.9g}, quasi-Newton's best of 60 starts {other:.9g}"
    )


def _quasi_newton(n: np.ndarray, d: np.ndarray, y: np.ndarray, rng: np.random.Generator) -> float:
    """The usual search: numerical gradients from many starts over the logarithms of floor and amplitudes."""

    def total(theta: np.ndarray) -> float:
        terms = (theta[0] - theta[1] * np.log(n), theta[2] - theta[3] * np.log(d), np.full(len(n), theta[4]))
        r = np.abs(np.logaddexp.reduce(terms) - np.log(y))
        return float(np.where(r <= 1e-3, r * r / 2, 1e-3 * (r - 5e-4)).sum())

    starts = rng.uniform([0, 0, 0, 0, -1], [25, 2, 25, 2, 1], (60, 5))
    return min(float(minimize(total, s, method="BFGS").fun) for s in starts)


def averages() -> str:
    """CPU time a curve of `fit_average` over 100 simulated curves of 10 to 200 points."""
    rng = np.random.default_rng(1)
    total = 0.0
    for _ in range(100):
        x = np.exp(rng.uniform(np.log(100), np.log(1e6), int(rng.integers(10, 201))))
        E, L0, D0, b = rng.uniform(0.5, 1.5), rng.uniform(2.5, 4), 10 ** rng.uniform(3, 5), rng.uniform(0.3, 1)
        y = LAWS["bounded"].value(x, E, L0, D0, b) * np.exp(rng.normal(0, 0.01, len(x)))
        points = Points({"samples": x}, y)
        total += _cpu(lambda points=points: fit_average(points), 1)[0]
    return f"{10 * total:.1f} ms CPU a curve"


def flan() -> str:
    """Root mean square log residual, mean over the 30 fine-tuning curves: all amounts, and two largest held out."""
    curves = list(_flan())
    said = []
    for law in ("bounded", "shifted_power", "m4", "power_floor", "power"):
        inside, ahead = [], []
        for x, y in curves:
            inside.append(_log_errors(fit(Points({"samples": x}, y), law), x, y))
            ahead.append(_log_errors(fit(Points({"samples": x[:-2]}, y[:-2]), law), x[-2:], y[-2:]))
        said.append(f"{law} {_per_curve(inside):.5f} / {_per_curve(ahead):.5f}")
    ahead = [_log_errors(fit_average(Points({"samples": x[:-2]}, y[:-2])), x[-2:], y[-2:]) for x, y in curves]
    return f"all amounts / two held out: {', '.join(said)}, average - / {_per_curve(ahead):.5f}"


def extrapolation() -> str:
    """Mean over curves of the root mean square log error of what lies beyond the amounts fitted, by domain and law."""
    said = []
    for domain, curves in _revisiting().items():
        parts = []
        for law in ("power_floor", "shifted_power", "bounded", "m4"):
            parts.append(f"{law} {_mean_error(curves, law):.5f}")
        took, average = _cpu(lambda curves=curves: _mean_error(curves, ""), 1)
        said.append(f"{domain} ({len(curves)} curves): {', '.join(parts)}, average {average:.5f} in {took:.1f} s")
    return "; ".join(said)


ONE_AMOUNT = (
    "power", "power_floor", "shifted_power", "bounded", "m4", "log_linear", "hinge", "sigmoid", "neg_log_accuracy",
)  # fmt: skip
SIMULATED = {name: TRUE[name] for name in ONE_AMOUNT}


def recovery() -> str:
    """How often the 95 % intervals of parameters hold the truth: 8 amounts x 3 seeds, 1 % noise or 2,000 items.

    Parameters that a fit warns about (not identified, at a bound) are counted apart.
    """
    said = []
    for law, true in SIMULATED.items():
        inside, total, warned = 0, 0, 0
        for seed in range(100):
            x = np.repeat(np.geomspace(100, 1e6, 8), 3)
            truth, rng = LAWS[law].value(x, *map(np.float64, true)), np.random.default_rng(seed)
            if law in ("log_linear", "hinge") or LAWS[law].score:
                points = Points({"samples": x}, rng.binomial(2000, truth) / 2000, trials=np.full(24, 2000))
                curve = fit(points, law, "quasibinomial")
            else:
                curve = fit(Points({"samples": x}, truth * np.exp(rng.normal(0, 0.01, 24))), law)
            for p in curve.problem.space.free:
                low, high = curve.interval(p.name)
                flagged = any(code.endswith(f":{p.name}") for code in curve.warnings)
                flagged |= p.role == "floor" and "floor_not_identified" in curve.warnings
                warned += flagged
                inside += not flagged and low <= true[LAWS[law].names.index(p.name)] <= high
                total += not flagged
        said.append(f"{law} {100 * inside / max(total, 1):.0f} % of {total} ({warned} warned)")
    return ", ".join(said)


def _mean_error(curves: list[tuple[np.ndarray, ...]], law: str) -> float:
    errors = []
    for x, y, far_x, far_y in curves:
        points = Points({"samples": x}, y)
        errors.append(_log_errors(fit(points, law) if law else fit_average(points), far_x, far_y))
    return _per_curve(errors)


def _flan() -> Iterator[tuple[np.ndarray, np.ndarray]]:
    with (FITS / "sft_loss_vs_samples_flan.csv").open() as file:
        for row in csv.DictReader(file):
            amounts = [c for c in row if c.isdigit() and c != "0"]
            yield np.array(amounts, dtype=float), np.array([float(row[c]) for c in amounts])


def _revisiting() -> dict[str, list[tuple[np.ndarray, ...]]]:
    """Per domain the curves: amounts and losses to fit, amounts and losses to predict; duplicate rows once."""
    rows: dict[tuple[str, ...], set[tuple[float, float, str]]] = {}
    with (FITS / "revisiting_lang.csv").open() as file:
        for row in csv.DictReader(file):
            key = (row["Domain"], row["Task"], row["Model"])
            rows.setdefault(key, set()).add((float(row["Seen Examples"]), float(row["Loss"]), row["Training"]))
    curves: dict[str, list[tuple[np.ndarray, ...]]] = {}
    for key, found in sorted(rows.items()):
        near = np.array(sorted(r[:2] for r in found if r[2] == "1"))
        far = np.array(sorted(r[:2] for r in found if r[2] == "0"))
        if len(near) and len(far):
            curves.setdefault(key[0], []).append((near[:, 0], near[:, 1], far[:, 0], far[:, 1]))
    return curves


def _log_errors(curve: object, x: np.ndarray, y: np.ndarray) -> np.ndarray:
    return np.log(curve.predict({"samples": x}).value) - np.log(y)  # type: ignore[attr-defined]


def _per_curve(errors: list[np.ndarray]) -> float:
    """The mean over curves of each curve's root mean square."""
    return float(np.mean([np.sqrt(np.mean(e**2)) for e in errors]))


def _cpu(action, repeats: int = 5):  # type: ignore[no-untyped-def]
    """CPU seconds of the fastest of some runs, and the result."""
    best = float("inf")
    for _ in range(repeats):
        start = time.process_time()
        result = action()
        best = min(best, time.process_time() - start)
    return best, result


def tables() -> str:
    """CPU time of importing the library, and of a whole analysis of a table of 100,000 rows."""
    lines = [
        "import time; t = time.process_time(); from analysis import LAWS, fit; print(time.process_time() - t)",
        f"import sys; sys.path[:0] = [{str(SIMULATED_TABLES)!r}]; from tests.bench.curves import large; print(large())",
    ]
    took = [subprocess.run([sys.executable, "-c", line], capture_output=True, text=True, check=True) for line in lines]
    return f"import {float(took[0].stdout):.2f} s, 100,000 rows {took[1].stdout.strip()} s CPU"


def large() -> str:
    """Seconds of CPU for the verdicts, curves, tables, figures and report of 100,000 rows."""
    from tables import FRACTIONS, Simulation

    from analysis.analyse import write

    simulation, seed = Simulation(0), 0
    while len(simulation.rows) < 100_000:
        for trained in (("math",), ("code",), ("general",), ("math", "code", "general")):
            for fraction in FRACTIONS:
                kind = "single" if len(trained) == 1 else "multitask"
                simulation.cell(f"{trained}{fraction}{seed}", kind, trained, fraction, seed=seed)
        seed += 1
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "t.parquet"
        simulation.frame().to_parquet(path)
        start = time.process_time()
        write([path], Path(folder) / "out", "large")
        return f"{time.process_time() - start:.1f}"
