"""The report of 1,000 cells: how long it takes to build, how large it is, and when a browser answers."""

from __future__ import annotations

import shutil
import statistics
import tempfile
from pathlib import Path
from typing import Any

from tests.bench.timing import cpu_seconds, fresh_process

MODELS, FRACTIONS, SEEDS = 5, 8, 5
DESIGNS = (("single", ("math",)), ("single", ("code",)), ("single", ("general",)),
           ("multitask", ("math", "code", "general")), ("sequential", ("math", "code", "general")))  # fmt: skip
VISITS = 3


def page() -> str:
    """CPU time of a whole analysis of 1,000 cells, 9,000 rows, size of its page, and times until a browser answers."""
    return fresh_process("-c", "from tests.bench.page import thousand; print(thousand())")


def thousand() -> str:
    """The measure itself."""
    import pandas as pd

    from analysis.report.write import write
    from tests.analysis.tables import Simulation

    simulation = Simulation(0)
    for model in range(MODELS):
        for strategy, trained in DESIGNS:
            for step in range(FRACTIONS):
                for seed in range(SEEDS):
                    name = f"model={model},strategy={strategy},ability={'+'.join(trained)},step={step},seed={seed}"
                    parameters = 1e6 * 2.0**model
                    simulation.cell(name, strategy, trained, 2.0**-step, f"model {model}", parameters, seed)
    frame: pd.DataFrame = simulation.frame()
    with tempfile.TemporaryDirectory() as folder:
        table = Path(folder) / "t.parquet"
        frame.to_parquet(table)
        built, _ = cpu_seconds(lambda: write([table], Path(folder) / "out", "large"), 1)
        report = Path(folder) / "out" / "report.html"
        size = report.stat().st_size / 1e6
        return (
            f"{frame['cell'].nunique():,} cells, {len(frame):,} rows: built in {built:.1f} s CPU; {size:.2f} MB; "
            + answers(report)
        )


def answers(report: Path) -> str:
    """Until Chromium has run the page's scripts: time since it was opened, and work of its main thread; medians."""
    from playwright.sync_api import sync_playwright

    times: list[tuple[float, float]] = []
    with sync_playwright() as tool:
        browser = tool.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for _ in range(VISITS):
            window = browser.new_page()
            session = window.context.new_cdp_session(window)
            session.send("Performance.enable")
            window.goto(report.as_uri())
            window.wait_for_selector("html[data-ready=yes]", state="attached", timeout=120_000)
            opened = float(window.evaluate("performance.timing.domInteractive - performance.timing.navigationStart"))
            read: dict[str, Any] = session.send("Performance.getMetrics")
            work = {one["name"]: float(one["value"]) for one in read["metrics"]}["TaskDuration"]
            times.append((opened / 1000, work))
            window.close()
        browser.close()
    opened, work = (statistics.median(one) for one in zip(*times, strict=True))
    return f"Chromium answers after {opened:.1f} s, its main thread has worked {work:.1f} s"
