"""Run a plan on this machine and say what came of it."""

from __future__ import annotations

from rich.console import Console

from sweep import collect
from sweep.launch.local import Outcome, Pool
from sweep.plan import Plan
from sweep.progress import Progress, span
from sweep.record import save
from sweep.store import Store

INTERRUPTED = 130


def run_here(plan: Plan, store: Store) -> int:
    """Run what is missing, collect the table, print a summary. Returns 0, 1 (a stage failed) or 130 (stopped)."""
    console = Console(soft_wrap=True)
    save(plan, store)
    pool = Pool(plan, store, plan.cells[0].cell.workers)
    missing = len(pool.todo)
    console.print(
        f"sweep {plan.name}: {len(plan.cells)} cells ({len(plan.duplicates)} more are the same by content, "
        f"{len(plan.excluded)} excluded), {len(plan.stages)} stages, {missing} to run",
        highlight=False,
    )
    with Progress(plan, store, pool.cost, missing, console) as progress:
        outcome = pool.run(progress)
        seconds = progress.elapsed
    if outcome.stopped:
        console.print(f"stopped after {len(outcome.built)} of {missing} stages; the same command goes on from here")
        return INTERRUPTED
    table = collect.write(store, plan.name)
    if missing:
        console.print(f"{len(outcome.built)} stages in {span(seconds)}", highlight=False)
    _failures(outcome, store, progress, console)
    console.print(f"table: {table}", highlight=False)
    return 1 if outcome.failed else 0


def _failures(outcome: Outcome, store: Store, progress: Progress, console: Console) -> None:
    for stage in outcome.failed:
        console.print(f"[red]failed[/red] {stage.kind} {progress.title(stage)}; log: {store.log(stage)}", highlight=False)
        for line in _last_lines(store, stage.name):
            console.print(f"    {line}", highlight=False, markup=False)
    if outcome.skipped:
        console.print(f"{len(outcome.skipped)} stages that need them were left out; the same command tries again")


def _last_lines(store: Store, name: str) -> list[str]:
    log = store.root / "logs" / f"{name}.log"
    return [line for line in log.read_text(errors="replace").splitlines() if line.strip()][-1:] if log.exists() else []
