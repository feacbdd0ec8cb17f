"""How the models of a sweep were trained, and are: loss, speed and memory of every run."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence

from analysis.data.sweep_folder import SweepFolder, TrainingRun
from analysis.figures.render import picture
from analysis.figures.training import training_figure
from analysis.format import counted, number
from analysis.report.cells import short_names
from analysis.report.page import Section
from analysis.text_table import TextTable

MOST_LINES, MOST_ROWS = 24, 200
"""Runs of the figure and of the table."""
HEADER = ("run", "steps", "tokens", "loss at first", "loss at last", "tokens a second", "peak memory, GiB")
MEMORY = "Memory is that of the process, or of the GPU, of a rank; a run tells it at its end."


def training(folders: Sequence[SweepFolder], pace: Mapping[str, float] | None = None) -> Section | None:
    """The runs of these sweeps, those first that have not ended; None where none has begun.

    ``pace`` has the tokens a second of runs that have not ended, by key, where they are known.
    """
    found = {run.key: run for folder in reversed(folders) for run in folder.runs()}
    runs = sorted(found.values(), key=lambda run: not run.running)
    if not runs:
        return None
    names = _names(runs, short_names(str(cell["label"]) for folder in folders for cell in folder.cells), len(folders))
    step = max(1, math.ceil(len(runs) / MOST_LINES))
    chosen = [run for i, run in enumerate(runs) if run.running or i % step == 0][:MOST_LINES]
    lines = [
        (_series(run, several=len(folders) > 1), names[run.key],
         [(float(row["tokens"]), float(row["loss"])) for row in run.log if "tokens" in row and "loss" in row])
        for run in chosen
    ]  # fmt: skip
    table = TextTable("Training runs", HEADER, tuple(_row(run, names[run.key], pace or {}) for run in runs[:MOST_ROWS]))
    notes = [MEMORY]
    notes += [f"The figure has {len(chosen)} of {counted(len(runs), 'run')}."] if len(chosen) < len(runs) else []
    notes += [f"The table has the first {MOST_ROWS} of {counted(len(runs), 'run')}."] if len(runs) > MOST_ROWS else []
    drawn = [picture(training_figure(lines))] if any(steps for *_, steps in lines) else []
    return Section("Training runs", [table], drawn, sentences=notes)


def _names(runs: Sequence[TrainingRun], short: Mapping[str, str], sweeps: int) -> dict[str, str]:
    """The short name of each run's cell, by key; with its sweep where there are several, with its stage where the cell
    has several runs.
    """
    counts = Counter((run.sweep, run.cell) for run in runs)
    return {
        run.key: (f"{run.sweep}: " if sweeps > 1 else "")
        + short[run.cell]
        + (f", stage {run.stage}" if counts[run.sweep, run.cell] > 1 else "")
        for run in runs
    }


def _series(run: TrainingRun, *, several: bool) -> str:
    """What a run is trained on, with its sweep where there are several."""
    last = run.log[-1] if run.log else {}
    sources = [str(name).removeprefix("loss/") for name in last if str(name).startswith("loss/")]
    return (f"{run.sweep}: " if several else "") + (" + ".join(sources) or "all data")


def _row(run: TrainingRun, name: str, pace: Mapping[str, float]) -> tuple[str, ...]:
    losses = [float(row["loss"]) for row in run.log if "loss" in row]
    last = run.log[-1] if run.log else {}
    rate = run.timings.get("tokens_per_second", pace.get(run.key, math.nan))
    memory = run.timings.get("peak_memory_bytes", math.nan) / 2**30
    return (
        name + (" (not ended)" if run.running else ""), f"{last.get('step', 0):,.0f}", f"{last.get('tokens', 0):,.0f}",
        *(number(one) for one in ((losses[0], losses[-1]) if losses else (math.nan, math.nan))),
        "-" if math.isnan(rate) else f"{rate:,.0f}", "-" if math.isnan(memory) else f"{memory:.2f}",
    )  # fmt: skip
