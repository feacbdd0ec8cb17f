"""Run a sweep on this machine or on SLURM, write its table and print a summary."""

from __future__ import annotations

import re
import shutil
import sys
from collections.abc import Mapping
from functools import partial

from rich.console import Console
from rich.markup import escape

from common.extras import require
from common.interrupt import INTERRUPTED
from common.wording import plural
from sweep.launch import slurm
from sweep.launch.local import Outcome, Pool
from sweep.launch.progress import Progress, span
from sweep.launch.settings import Request
from sweep.launch.tracking import mirrored
from sweep.launch.watch import Watch
from sweep.plan.plan import Plan
from sweep.plan.preflight import fetch_all
from sweep.results import removed_models, table, warnings
from sweep.results.saved_sweep import SavedSweep, save
from sweep.results.stage_names import stage_names
from sweep.stages.extras import extras
from sweep.stages.stage import Stage, with_parents
from sweep.stages.store import Store
from sweep.stages.worker import Job

FULL = 2**20
"""Bytes that a disk has left when it counts as full."""


def run_here(plan: Plan, store: Store) -> int:
    """Save the plan under the sweep's name and run it on this machine; see `run_saved` for the exit status."""
    if plan.duplicates or plan.excluded:
        print(f"{plural(len(plan.duplicates), 'duplicate cell')} by content, {len(plan.excluded)} excluded")
    saved = save(plan, store)
    slurm.forget_request(store, saved.name)
    return run_saved(saved, store, plan.cells[0].cell.workers)


def tokenise(sources: Mapping[str, Stage], store: Store, workers: int | None) -> None:
    """Build the tokens of ``sources`` (by config key) and what they are made of, on this machine.

    Raises a ValueError with the reason for each source that cannot be tokenised. Ends the process after Ctrl-C.
    """
    jobs = {stage.key: Job(stage, None, store.root, 1.0) for stage in with_parents(sources.values())}
    console = Console(soft_wrap=True, highlight=False)
    console.print(
        f"tokenising {plural(len(sources), 'source')} to count {'its' if len(sources) == 1 else 'their'} samples"
    )
    pool = Pool(jobs, store, workers)
    names = {stage.key: f"tokens {name.rpartition('.')[2]}" for name, stage in sources.items()}
    with Progress(pool.queue.missing.values(), store, console, names, pool.most) as progress:
        outcome = pool.run(progress)
    if outcome.stopped:
        console.print("stopped; the same command continues from here")
        sys.exit(INTERRUPTED)
    failed = {job.stage.key: job for job in outcome.failed}
    problems = [
        f"{name}: {_last_line(failed[stage.key], store)}" for name, stage in sources.items() if stage.key in failed
    ]
    problems += [_last_line(job, store) for job in outcome.failed if job.stage not in sources.values()]
    if outcome.problem or problems:
        raise ValueError("\n  ".join(filter(None, [outcome.problem, *problems])))


def run_saved(saved: SavedSweep, store: Store, workers: int | None) -> int:
    """Build the missing stages, write the table, print a summary.

    Returns 0, 1 (a stage or the worker server failed) or 130 (Ctrl-C).
    """
    console = Console(soft_wrap=True, highlight=False)
    removal = removed_models.Removal(saved, store)
    pool = Pool(saved.jobs, store, workers, removal)
    missing = len(pool.queue.missing)
    needed = extras((job.stage, job.execution) for job in pool.queue.missing.values())
    require("this sweep", [*needed, *saved.tracker.extras])
    console.print(f"sweep {saved.name}: {_size(saved)}, {missing} to run")
    _note(console, removed_models.trained_again((job.stage for job in pool.queue.missing.values()), store))
    with mirrored(saved, store, partial(_say, console)):
        with Progress(pool.queue.missing.values(), store, console, stage_names(saved), pool.most) as progress:
            outcome = pool.run(progress)
        if outcome.stopped:
            console.print(
                f"stopped after {len(outcome.built)} of {plural(missing, 'stage')}; the same command continues from "
                "here"
            )
            return INTERRUPTED
        if outcome.problem:
            print(f"error: {outcome.problem}; the same command continues from here", file=sys.stderr)
            return 1
        status = _conclude(saved, store, outcome, progress, console)
    _note(console, removal.at_the_end())
    return status


def run_on_slurm(plan: Plan, store: Store, request: Request) -> int:
    """Save the plan and submit its missing stages; with ``wait``, stay until they end, then finish like `run_saved`."""
    slurm.available()
    fetch_all(store.lacking(plan.stages).values(), print)  # compute nodes may have no internet
    return submit_saved(save(plan, store), store, request)


def submit_saved(saved: SavedSweep, store: Store, request: Request) -> int:
    """Submit the missing stages of a saved sweep, like `run_on_slurm`."""
    slurm.available()
    console = Console(soft_wrap=True, highlight=False)
    console.print(f"sweep {saved.name}: {_size(saved)}")
    submission = slurm.submit(saved, store, request)
    console.print(
        f"SLURM: {plural(submission.submitted, 'job')} submitted, {submission.attached} already in flight; "
        f"logs: {submission.logs}"
    )
    if not next(iter(request.of_stage.values())).wait:
        return 0
    removal = removed_models.Removal(saved, store)
    watch = Watch(saved, store, removal)
    with mirrored(saved, store, partial(_say, console)):
        with Progress(watch.todo.values(), store, console, stage_names(saved)) as progress:
            outcome = watch.run(progress)
        if outcome.stopped:
            where = f"name={saved.name} store={store.root}"
            console.print(
                f"the jobs keep running; list them with: python -m sweep ls {where}; "
                f"cancel them with: python -m sweep cancel {where}"
            )
            return INTERRUPTED
        status = _conclude(saved, store, outcome, progress, console)
    _note(console, removal.at_the_end())
    return status


def _note(console: Console, line: str) -> None:
    if line:
        console.print(line, markup=False)


def _size(saved: SavedSweep) -> str:
    return f"{plural(len(saved.cells), 'cell')}, {plural(len(saved.jobs), 'stage')}"


def _conclude(saved: SavedSweep, store: Store, outcome: Outcome, progress: Progress, console: Console) -> int:
    path = table.write(saved, store)
    if progress.missing:
        console.print(f"{plural(len(outcome.built), 'stage')} in {span(progress.elapsed)}")
    _failures(outcome, store, progress, console)
    for line in warnings.write(saved, store):
        _say(console, line)
    console.print(f"table: {path}")
    return 1 if outcome.failed or outcome.skipped else 0


def _say(console: Console, line: str) -> None:
    console.print(line, style="yellow" if line.startswith("warning") else None, markup=False)


def _failures(outcome: Outcome, store: Store, progress: Progress, console: Console) -> None:
    for job in outcome.failed:
        console.print(f"[red]failed[/red] {escape(progress.name(job) + progress.log(job))}")
        console.print(f"    {_last_line(job, store, outcome.reasons.get(job.stage.key, ''))}", markup=False)
    if len(outcome.skipped) > 0:
        console.print(f"{plural(len(outcome.skipped), 'dependent stage')} skipped; the same command tries again")


def _last_line(job: Job, store: Store, otherwise: str = "") -> str:
    """The last line of a job's log, or what is known ``otherwise`` where there is none."""
    log = store.log(job.stage)
    lines = log.read_text(errors="replace").split("\n") if log.exists() else []
    full = shutil.disk_usage(store.root).free < FULL
    nothing = f"the disk of {store.root} is full" if full else otherwise or "the log is empty"
    last = next((line for line in reversed(lines) if line.strip()), nothing)
    return re.sub(r"^(?:\w+\.)*[A-Z]\w*: ", "", last)  # without the name of the exception
