"""The verbs ``python -m sweep ls | logs | retry | ...``: they look at a store and need no Hydra."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from common.extras import require
from common.options import Command, option
from common.sweep_name import check_sweep_name
from common.wording import plural
from sweep.cli.init import Init, init
from sweep.cli.overrides import short_labels
from sweep.launch import slurm_logs, squeue
from sweep.launch.states import STATES, cell_states, may_be_queued, stages_in_flight
from sweep.results import garbage
from sweep.results.saved_sweep import load, sweeps
from sweep.stages.stage import Stage
from sweep.stages.store import Store

FOLLOW_SECONDS = 2.0
"""Time between two looks at the logs that are followed."""


def fail(message: str) -> NoReturn:
    """End the command over something the user can mend: one line, exit status 2."""
    print(f"error: {message}", file=sys.stderr)
    sys.exit(2)


@dataclass(frozen=True)
class _InStore:
    store: str | None = option("the folder of all results", None, default_text="$DOSAGE_STORE, else ./store")

    def __post_init__(self) -> None:
        if self.store == "":  # as from an unset variable of the shell; the default could be another store than meant
            raise ValueError("store= is empty; give a folder, or leave it out")
        if Path(self.place).exists() and not Path(self.place).is_dir():
            raise ValueError(f"store={self.place} is not a folder")

    @property
    def place(self) -> str:
        return self.store or os.environ.get("DOSAGE_STORE") or "store"

    @property
    def opened(self) -> Store:
        return Store(self.place)


@dataclass(frozen=True)
class _Named(_InStore):
    name: str | None = option("the sweep", None, default_text="the only sweep of the store")

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.name is not None:
            check_sweep_name(self.name)


@dataclass(frozen=True)
class List(_Named):
    name: str | None = option("list the cells of this sweep, with their states", None, default_text="all sweeps")


@dataclass(frozen=True)
class Logs(_Named):
    cell: str = option("only the cells whose label contains this text", "", default_text="all cells")
    follow: bool = option("go on printing what is added, until nothing of the sweep runs or waits", False)


@dataclass(frozen=True)
class Retry(_Named):
    workers: int | None = option("processes at a time", None, default_text="one a core, or one a GPU")


@dataclass(frozen=True)
class Garbage(_InStore):
    name: str | None = option("also give up what this sweep has replaced, with its tables", None, default_text="none")
    damaged: bool = option("remove only folders whose content is not what was published", False)
    dry_run: bool = option("list what would be removed, and remove nothing", False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.name is not None and (check_sweep_name(self.name) not in sweeps(self.opened) or self.damaged):
            raise ValueError(f"name={self.name}: give a sweep of the store, without damaged=true")


def ls(options: List) -> int:
    """List the sweeps of a store, or the cells of one."""
    store = options.opened
    names = [options.name] if options.name else sweeps(store)
    if not names:
        print(f"no sweeps in {store.root}")
    in_flight = stages_in_flight(store) if names else {}
    status = 0
    for name in names:
        try:
            states = cell_states(load(store, name), store, in_flight)
        except ValueError as problem:
            if options.name:
                raise
            print(f"{name}: {problem}", file=sys.stderr)
            status = 1
            continue
        counts = {word: sum(state.state == word for state in states) for word in STATES}
        print(f"{name}: {plural(len(states), 'cell')}, " + ", ".join(f"{n} {word}" for word, n in counts.items() if n))
        if options.name:
            shared, labels = short_labels([(state.cell.label, state.cell.factors) for state in states])
            print(f"  all cells: {shared}" if shared else "", end="\n" if shared else "")
            width = max(map(len, labels))
            for label, state in zip(labels, states, strict=True):
                print(f"  {label:<{width}}  {state.state:<8} {state.detail}".rstrip())
    return status


def logs(options: Logs) -> int:
    """Print what the stages of a sweep's cells printed."""
    store = options.opened
    saved = load(store, _one_sweep(store, options.name))
    cells = [cell for cell in saved.cells if options.cell in cell.label]
    if not cells:
        raise ValueError(
            f"cell={options.cell}: no cell of {saved.name} has that text in its label; list them with: "
            f"python -m sweep ls name={saved.name}"
        )
    stages = {stage.key: stage for cell in cells for stage in saved.stages(cell)}
    labels = {stage.key: cell.label for cell in reversed(cells) for stage in saved.stages(cell)}
    printed: dict[Path, int] = {}
    _print_logs(stages, labels, store, saved.name, printed)
    while options.follow and _is_alive(stages, store):
        time.sleep(FOLLOW_SECONDS)
        _print_logs(stages, labels, store, saved.name, printed)
    if not printed:
        print(f"the {plural(len(cells), 'cell')} printed nothing")
    return 0


def _print_logs(
    stages: Mapping[str, Stage], labels: Mapping[str, str], store: Store, name: str, printed: dict[Path, int]
) -> None:
    """Print what the logs of the stages, and SLURM's of their jobs, hold beyond what was ``printed`` of each."""
    places = slurm_logs.submitted(store, name)
    for key, stage in stages.items():
        for log in [store.log(stage), *(places[key].files() if key in places else ())]:
            size = log.stat().st_size if log.exists() else 0
            if size <= printed.get(log, 0):
                continue
            with log.open("rb") as stream:
                stream.seek(printed.get(log, 0))
                text = stream.read().decode(errors="replace")
            printed[log] = size
            print(f"== {labels[key]}: {log}")
            print(text.rstrip(), flush=True)


def _is_alive(stages: Mapping[str, Stage], store: Store) -> bool:
    """Whether any of the stages runs, or waits in SLURM's queue."""
    in_flight = stages_in_flight(store)
    return any(key in in_flight or store.owner(stage) for key, stage in stages.items() if not store.has(stage))


def retry(options: Retry) -> int:
    """Run what a sweep still lacks, from its saved plan: on SLURM if it was last submitted there, else here."""
    from sweep.launch import slurm
    from sweep.launch.run import run_saved, submit_saved

    store = options.opened
    if options.workers is not None and options.workers < 1:
        raise ValueError(f"workers={options.workers} must be at least 1")
    saved = load(store, _one_sweep(store, options.name))
    request = slurm.last_request(store, saved.name)
    if request is None:
        return run_saved(saved, store, options.workers)
    if options.workers is not None:
        raise ValueError(
            f"workers={options.workers} is for a sweep that runs on this machine; {saved.name} was last submitted to "
            "SLURM. Drop it, or give the sweep's own command with hydra/launcher=local"
        )
    return submit_saved(saved, store, request)


def fetch(options: _Named) -> int:
    """Download what a sweep's missing stages read from the hub, for machines that cannot reach it."""
    from sweep.plan.preflight import fetch_all

    store = options.opened
    saved = load(store, _one_sweep(store, options.name))
    fetched = fetch_all(store.lacking(job.stage for job in saved.jobs.values()).values(), print)
    print(f"{saved.name}: {plural(fetched, 'repository')} fetched" if fetched else f"{saved.name}: nothing to fetch")
    return 0


def cancel(options: _Named) -> int:
    """Cancel the SLURM jobs of a sweep that wait or run. Training keeps its resume points."""
    store = options.opened
    saved = load(store, _one_sweep(store, options.name))
    jobs = [job for job in squeue.jobs_for(store) if job.file.is_relative_to(store.sweep(saved.name))]
    squeue.cancel(jobs)
    print(f"{saved.name}: {plural(len(jobs), 'SLURM job')} cancelled")
    return 0


def collect(options: _Named) -> int:
    """Write a sweep's table again from its scores, and bring its runs in a tracker up to date."""
    from sweep.launch.tracking import mirrored
    from sweep.results import table, warnings

    store = options.opened
    saved = load(store, _one_sweep(store, options.name))
    require("this sweep", saved.tracker.extras)
    with mirrored(saved, store, print, patient=True):
        print(*warnings.write(saved, store), table.write(saved, store), sep="\n")
    return 0


def gc(options: Garbage) -> int:
    """Remove finished stages that no sweep uses and abandoned work, or only damaged stages.

    Returns 1 where something had to be kept that cannot be judged, such as the stages of a sweep that is unreadable.
    """
    store = options.opened
    if options.damaged:
        doomed = garbage.damaged(store)
    else:
        doomed = garbage.unused(store, options.name, queued=may_be_queued(store))
    if not options.dry_run:
        garbage.remove(store, doomed)
    print(*doomed.paths, sep="\n", end="\n" if doomed.paths else "")
    done = "would free" if options.dry_run else "freed"
    print(f"{done} {doomed.size / 2**20:.1f} MiB in {plural(len(doomed.paths), 'folder')}")
    for sentence in doomed.kept:
        print(sentence, file=sys.stderr)
    return 1 if doomed.kept else 0


def _one_sweep(store: Store, name: str | None) -> str:
    if name:
        return name
    names = sweeps(store)
    if len(names) != 1:
        raise ValueError(f"say which sweep with name=; sweeps in {store.root}: {', '.join(names) or 'none yet'}")
    return names[0]


VERBS = {
    "init": Command(Init, "Look at your files, and write the config of a sweep over them.", init),
    "ls": Command(List, "List the sweeps of a store, or with name= the cells of one.", ls),
    "logs": Command(Logs, "Print what the stages of a sweep's cells printed.", logs),
    "retry": Command(Retry, "Run what a sweep still lacks, on SLURM if it was submitted there, else here.", retry),
    "fetch": Command(_Named, "Download from the hub what a sweep still needs, for jobs without internet.", fetch),
    "cancel": Command(_Named, "Cancel the SLURM jobs of a sweep.", cancel),
    "collect": Command(_Named, "Write a sweep's table again from its scores; mirror what W&B lacks of it.", collect),
    "gc": Command(Garbage, "Remove finished stages that no sweep uses and partial work of dead processes.", gc),
}
"""What may follow ``python -m sweep``, by name."""
