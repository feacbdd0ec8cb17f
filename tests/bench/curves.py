"""Curve fitting: CPU times on simulated points and tables."""

from __future__ import annotations

import tempfile
from functools import partial
from itertools import product
from pathlib import Path

import numpy as np
from scipy.optimize import minimize

from analysis import LAWS, Points, fit, fit_average
from tests.analysis.laws.simulated import TRUE
from tests.bench.timing import cpu_seconds, fresh_process


def additive() -> str:
    """CPU time of the size-and-data fit on 240 points and of 1,000 bootstrap draws."""
    n, d, y = _sizes_and_data()
    points = Points({"params": n, "tokens": d}, value=y)
    seconds, curve = cpu_seconds(lambda: fit(points, "additive", "huber_log", delta=1e-3), 5)
    draws, _ = cpu_seconds(lambda: curve.bootstrap(draws=1000, seed=0), 1)
    agreeing = f"{curve.agreeing_starts} of {curve.starts} starts agree"
    return f"{1e3 * seconds:.1f} ms CPU ({agreeing}); 1,000 draws {draws:.2f} s"


def search() -> str:
    """The same fit against the usual search: L-BFGS-B with numerical gradients from a grid of 4,500 starts."""
    n, d, y = _sizes_and_data()
    points = Points({"params": n, "tokens": d}, y)
    seconds, curve = cpu_seconds(lambda: fit(points, "additive", "huber_log", delta=1e-3), 5)
    usual, reached = cpu_seconds(lambda: np.array([_quasi_newton(start, n, d, y) for start in _grid()]), 1)
    best = reached.min()
    arrived = (reached <= best * (1 + 1e-6)).mean()
    return (
        f"objective {curve.objective:.10g} in {seconds:.3f} s; "
        f"best of {len(reached):,} starts {best:.10g} in {usual:.0f} s, "
        f"where {100 * arrived:.1f} % of the starts arrive; the objective of fit is "
        f"{'not higher' if curve.objective <= best * (1 + 1e-9) else 'HIGHER'}"
    )


def _sizes_and_data() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Model sizes, data and losses (240,) of the additive law with heavy-tailed noise."""
    rng = np.random.default_rng(0)
    n, d = np.exp(rng.uniform(np.log(4e7), np.log(2e10), 240)), np.exp(rng.uniform(np.log(2e8), np.log(4e11), 240))
    return n, d, LAWS["additive"].value(n, d, *TRUE["additive"]) * np.exp(0.01 * rng.standard_t(3, 240))


def _grid() -> list[tuple[float, ...]]:
    """ln A, a, ln B, b, ln E: the grid of Hoffmann et al. 2022 (arXiv 2203.15556)."""
    logs, exponents, floors = np.arange(0, 26, 5), np.arange(0, 2.1, 0.5), np.arange(-1, 1.1, 0.5)
    return list(product(logs, exponents, logs, exponents, floors))


def _quasi_newton(start: tuple[float, ...], n: np.ndarray, d: np.ndarray, y: np.ndarray) -> float:
    """The objective that the usual search reaches from one start."""
    log_n, log_d, log_y = np.log(n), np.log(d), np.log(y)

    def total(theta: np.ndarray) -> float:
        left, right = theta[0] - theta[1] * log_n, theta[2] - theta[3] * log_d
        r = np.abs(np.logaddexp(np.logaddexp(left, right), theta[4]) - log_y)
        return float(np.where(r <= 1e-3, r * r / 2, 1e-3 * (r - 5e-4)).sum())

    return float(minimize(total, start, method="L-BFGS-B").fun)


def averages() -> str:
    """CPU time of `fit_average` for a curve: mean over 100 simulated curves of 10 to 200 points."""
    rng = np.random.default_rng(1)
    total = 0.0
    for _ in range(100):
        x = np.exp(rng.uniform(np.log(100), np.log(1e6), int(rng.integers(10, 201))))
        E, L0, D0, b = rng.uniform(0.5, 1.5), rng.uniform(2.5, 4), 10 ** rng.uniform(3, 5), rng.uniform(0.3, 1)
        y = LAWS["bounded"].value(x, E, L0, D0, b) * np.exp(rng.normal(0, 0.01, len(x)))
        points = Points({"samples": x}, y)
        total += cpu_seconds(partial(fit_average, points), 1)[0]
    return f"{10 * total:.1f} ms CPU a curve"


def tables() -> str:
    """CPU time of importing the library, and of a whole analysis of a table of 100,000 rows."""
    timed = "import time; t = time.process_time(); from analysis import LAWS, fit; print(time.process_time() - t)"
    importing = float(fresh_process("-c", timed))
    summary, whole = fresh_process("-c", "from tests.bench.curves import large; print(large())").split()
    rows = f"100,000 rows: curves and verdicts {summary} s, with tables, figures and report {whole} s"
    return f"import {importing:.2f} s CPU; {rows}"


def large() -> str:
    """CPU seconds to read 100,000 rows, fit their curves and judge them; and those of the whole analysis with tables,
    figures and report.
    """
    from analysis.data.study import read_study
    from analysis.report.results import analyse
    from analysis.report.write import write
    from tests.analysis.tables import FRACTIONS, Simulation

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
        summary, _ = cpu_seconds(lambda: analyse(read_study([path]), 0.02, None), 1)
        whole, _ = cpu_seconds(lambda: write([path], Path(folder) / "out", "large"), 1)
        return f"{summary:.1f} {whole:.1f}"
