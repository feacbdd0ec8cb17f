"""Run a sweep on this machine and say what came of it."""

from __future__ import annotations

from rich.console import Console

from sweep.launch import slurm
from sweep.launch.local import Outcome, Pool
from sweep.launch.progress import Progress, span
from sweep.launch.slurm import Settings
from sweep.launch.watch import Watch
from sweep.plan.plan import Plan
from sweep.results import table, warnings
from sweep.results.saved_sweep import SavedSweep, save
from sweep.stages.store import Store
from sweep.stages.worker import Job

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""


def run_here(plan: Plan, store: Store) -> int:
    """Freeze the plan under the sweep's name, then `run_saved`."""
    if plan.duplicates or plan.excluded:
        print(f"{len(plan.duplicates)} cells are the same by content, {len(plan.excluded)} are excluded")
    return run_saved(save(plan, store), store, plan.cells[0].cell.workers)


def run_saved(saved: SavedSweep, store: Store, workers: int | None) -> int:
    """Run what is missing, collect the table, print a summary. Returns 0, 1 (a stage failed) or 130 (stopped)."""
    console = Console(soft_wrap=True, highlight=False)
    pool = Pool(saved.jobs, store, workers)
    missing = len(pool.queue.missing)
    console.print(f"sweep {saved.name}: {len(saved.cells)} cells, {len(saved.jobs)} stages, {missing} to run")
    with Progress(pool.queue.missing.values(), store, console) as progress:
        outcome = pool.run(progress)
    if outcome.stopped:
        console.print(f"stopped after {len(outcome.built)} of {missing} stages; the same command goes on from here")
        return INTERRUPTED
    return _conclude(saved, store, outcome, progress, console)


def run_on_slurm(plan: Plan, store: Store, settings: Settings) -> int:
    """Freeze the plan and submit what is missing; unless ``wait`` is off, stay and sum up as `run_saved` does."""
    slurm.available()
    console = Console(soft_wrap=True, highlight=False)
    saved = save(plan, store)
    console.print(f"sweep {saved.name}: {len(saved.cells)} cells, {len(saved.jobs)} stages")
    given = slurm.submit(saved, store, settings)
    console.print(f"SLURM: {given.submitted} jobs submitted, {given.attached} already in flight; logs: {given.logs}")
    if not settings.wait:
        return 0
    watch = Watch(saved, store, given.logs)
    with Progress(watch.todo.values(), store, console) as progress:
        outcome = watch.run(progress)
    if outcome.stopped:
        where = f"name={saved.name} store={store.root}"
        console.print(
            f"the jobs go on; look with: python -m sweep ls {where}; end them with: python -m sweep cancel {where}"
        )
        return INTERRUPTED
    return _conclude(saved, store, outcome, progress, console)


def _conclude(saved: SavedSweep, store: Store, outcome: Outcome, progress: Progress, console: Console) -> int:
    path = table.write(saved, store)
    if progress.missing:
        console.print(f"{len(outcome.built)} stages in {span(progress.elapsed)}")
    _failures(outcome, store, console)
    for line in warnings.write(saved, store):
        console.print(line, style="yellow" if line.startswith("warning") else None, markup=False)
    console.print(f"table: {path}")
    return 1 if outcome.failed or outcome.skipped else 0


def _failures(outcome: Outcome, store: Store, console: Console) -> None:
    for job in outcome.failed:
        console.print(f"[red]failed[/red] {job.title}; log: {store.log(job.stage)}")
        console.print(f"    {_last_line(job, store)}", markup=False)
    if len(outcome.skipped) > 0:
        console.print(f"{len(outcome.skipped)} stages that need them were left out; the same command tries again")


def _last_line(job: Job, store: Store) -> str:
    log = store.log(job.stage)
    lines = log.read_text(errors="replace").split("\n") if log.exists() else []
    return next((line for line in reversed(lines) if line.strip()), "the log is empty")
