"""Planning a large grid, and composing its cells beside Hydra's own way."""

from __future__ import annotations

import resource
import time

from tests.bench.sweeps import run
from tests.bench.timing import fresh_process

CELLS = 10_008
SAMPLE = 90


def planning() -> str:
    """Seconds and peak memory for 10,008 cells, seconds for a tenth of them; seconds a cell beside stock Hydra."""
    whole = run("+grid=data_amount", "-m", f"seed=range(0,{CELLS // 18})", "dry_run=true")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    tenth = run("+grid=data_amount", "-m", f"seed=range(0,{CELLS // 180})", "dry_run=true")
    ours, stock = map(float, fresh_process("-m", "tests.bench.planning").split())
    return (
        f"{CELLS} cells in {whole:.1f} s ({peak:.0f} MiB), {CELLS // 10} in {tenth:.1f} s; composing a cell: "
        f"{ours * 1e3:.2f} ms, Hydra {stock * 1e3:.1f} ms, {stock / ours:.0f} times"
    )


def _measure() -> None:
    """Print the seconds to compose and plan a cell, and those that stock Hydra takes to compose it."""
    from omegaconf import OmegaConf

    from sweep.cli.multirun import plan_cells
    from tests.sweep.composing import composer, hydra

    fractions = ("1/256", "1/64", "1/16", "1/4", "1")
    rows = [[f"fraction={f}", f"seed={s}", "strategy=single"] for s in range(SAMPLE // 5) for f in fractions]
    with hydra():
        fast, master = composer()
        began = time.perf_counter()
        cells = [(",".join(row), fast.cell(row), {}) for row in rows * 10]
        plan_cells(cells, "bench")
        ours = (time.perf_counter() - began) / len(cells)
        began = time.perf_counter()
        for row in rows:
            OmegaConf.to_container(fast.config_loader.load_sweep_config(master, row), resolve=False)
        stock = (time.perf_counter() - began) / len(rows)
    print(ours, stock)


if __name__ == "__main__":
    _measure()
