"""Planning a large grid, and composing its cells beside Hydra's own way."""

from __future__ import annotations

import random
import resource
import sys
import time

from tests.bench.sweeps import run
from tests.bench.timing import fresh_process

CELLS = 10_008
SAMPLE = 90
LISTS = 1000


def planning() -> str:
    """CPU seconds and peak memory for 10,008 cells, seconds for a tenth of them; seconds a cell beside stock Hydra."""
    whole, tenth = _plan(CELLS), _plan(CELLS // 10)
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    ours, stock = map(float, fresh_process("-m", "tests.bench.planning").split())
    return (
        f"{CELLS} cells in {whole:.1f} s CPU ({peak:.0f} MiB), {CELLS // 10} in {tenth:.1f} s; composing a cell: "
        f"{ours * 1e3:.2f} ms, Hydra {stock * 1e3:.1f} ms, {stock / ours:.0f} times"
    )


def _plan(cells: int) -> float:
    """CPU seconds of a command that plans so many cells of the demo's grid with other seeds."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    run("+grid=data_amount", "-m", f"seed=range(0,{cells // 18})", "dry_run=true")
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def composition() -> str:
    """Random lists of overrides, composed as cells of sweeps and by stock Hydra; fails at the first difference."""
    lists, refused, seconds = fresh_process("-m", "tests.bench.planning", "composition").split()
    return f"{lists} random lists of overrides, {refused} of them refused by both: no difference; {seconds} s CPU"


def _compare() -> None:
    """Compare `LISTS` different lists; print how many they were, how many were refused, and the seconds."""
    from hypothesis import HealthCheck, given, settings

    from tests.sweep.config.test_composition import COMMANDS, ORDERS, cells_that_differ, stock

    seen: set[tuple[str, ...]] = set()

    @settings(max_examples=2 * LISTS, deadline=None, database=None, suppress_health_check=list(HealthCheck))
    @given(COMMANDS, ORDERS)
    def compare(command: list[str], order: random.Random) -> None:
        if len(seen) < LISTS:
            tried, differ = cells_that_differ(command, order)
            assert not differ
            seen.update(map(tuple, tried))

    compare()
    print(len(seen), sum(stock(one) is None for one in seen), f"{time.process_time():.0f}")


def _measure() -> None:
    """Print the seconds to compose and plan a cell, and those that stock Hydra takes to compose it."""
    from omegaconf import OmegaConf

    from sweep.cli.multirun import plan_cells
    from tests.sweep.composing import composer, hydra

    fractions = ("1/256", "1/64", "1/16", "1/4", "1")
    rows = [[f"fraction={f}", f"seed={s}", "strategy=single"] for s in range(SAMPLE // 5) for f in fractions]
    with hydra():
        fast, master = composer()
        began = time.process_time()
        cells = [(",".join(row), fast.cell(row), {}) for row in rows * 10]
        plan_cells(cells, "bench")
        ours = (time.process_time() - began) / len(cells)
        began = time.process_time()
        for row in rows:
            OmegaConf.to_container(fast.config_loader.load_sweep_config(master, row), resolve=False)
        stock = (time.process_time() - began) / len(rows)
    print(ours, stock)


if __name__ == "__main__":
    _compare() if "composition" in sys.argv else _measure()
