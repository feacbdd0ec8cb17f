"""The verbs ``python -m sweep ls | logs | retry | ...``: they look at a store and need no Hydra."""

from __future__ import annotations

import shlex
import shutil
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from common.extras import require
from common.options import Command, Result
from common.wording import plural
from sweep.cli.options import Garbage, Init, List, Logs, Named, Retry
from sweep.config.overrides import short_labels
from sweep.launch import slurm_logs, squeue
from sweep.launch.states import may_be_queued, stages_in_flight, sweep_record
from sweep.results import garbage, planning
from sweep.results.saved_sweep import SavedSweep, load, sweeps
from sweep.stages.stage import Stage
from sweep.stages.store import Store

FOLLOW_SECONDS = 2.0
"""Time between two looks at the logs that are followed."""


def fail(message: str) -> NoReturn:
    """End the command over something the user can mend: one line, exit status 2."""
    print(f"error: {message}", file=sys.stderr)
    sys.exit(2)


def init(options: Init) -> Result:
    """Look at files, and write the config of a sweep over them."""
    from sweep.cli.init import init  # YAML and the parsers of rows, which no other verb needs

    return init(options)


def ls(options: List) -> Result:
    """The sweeps of a store, or the cells of one."""
    store = options.opened
    planned = {name: who for name, who in planning.under_way(store).items() if options.name in (None, name)}
    saved = sweeps(store)
    names = [name for name in ([options.name] if options.name else saved) if name in saved or name not in planned]
    lines = [f"{name}: being planned by {who}" for name, who in planned.items()]
    in_flight = stages_in_flight(store) if names else {}
    records: list[dict[str, Any]] = []
    status = 0
    for name in names:
        try:
            record = sweep_record(load(store, name), store, in_flight)
        except ValueError as problem:
            if options.name:
                raise
            print(f"{name}: {problem}", file=sys.stderr)
            status = 1
            continue
        counts = ", ".join(f"{n} {word}" for word, n in record["states"].items() if n)
        lines.append(f"{name}: {plural(len(record['cells']), 'cell')}, {counts}{_how_to_go_on(record, options)}")
        lines += _cell_lines(record["cells"]) if options.name else []
        records.append(record)
    text = "\n".join(lines) or ("" if status else f"no sweeps in {store.root}")
    everything = {"sweeps": records, "being_planned": planned}
    return Result(text, records[0] if options.name and records else everything, status)


def _how_to_go_on(record: Mapping[str, Any], options: List) -> str:
    """What continues a sweep that has stopped; '' for one that is done or that something still runs."""
    stopped, running = (
        any(record["states"][word] for word in words)
        for words in (("interrupted", "dead", "failed"), ("running", "queued"))
    )
    again = f"python -m sweep retry name={record['sweep']}{_place(options)}"
    return f"; go on with: {again}" if stopped and not running else ""


def _place(options: List | Logs) -> str:
    """The store as a further word of a command, where one was given."""
    return f" {shlex.join([f'store={options.store}'])}" if options.store else ""


def _cell_lines(cells: Sequence[Mapping[str, Any]]) -> list[str]:
    shared, labels = short_labels([cell["overrides"] or cell["cell"] for cell in cells])
    width, longest = max(map(len, labels)), max(8, *(len(cell["state"]) for cell in cells))
    lines = [f"  all cells: {shared}"] if shared else []
    return lines + [
        f"  {label:<{width}}  {cell['state']:<{longest}} {cell['detail']}".rstrip()
        for label, cell in zip(labels, cells, strict=True)
    ]


def logs(options: Logs) -> int | Result:
    """Print what the stages of a sweep's cells printed; as JSON, the files that hold it."""
    store = options.opened
    saved = load(store, _one_sweep(store, options.name))
    cells = [cell for cell in saved.cells if options.cell in cell.label]
    if not cells:
        raise ValueError(
            f"cell={options.cell}: no cell of {saved.name} has that text in its label; list them with: "
            f"python -m sweep ls name={saved.name}{_place(options)}"
        )
    stages = {stage.key: stage for cell in cells for stage in saved.stages(cell)}
    labels = {stage.key: cell.label for cell in reversed(cells) for stage in saved.stages(cell)}
    if options.json:
        files = [
            {"cell": labels[key], "stage": stage.name, "log": str(store.log(stage))}
            for key, stage in stages.items()
            if store.log(stage).exists()
        ]
        return Result("", {"sweep": saved.name, "logs": files})
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
    missing = [stage for stage in stages.values() if not store.has(stage)]
    if in_flight is None and shutil.which("squeue"):
        return bool(missing)  # its controller may be restarting
    return any(stage.key in (in_flight or {}) or store.owner(stage) for stage in missing)


def retry(options: Retry) -> int | Result:
    """Run what a sweep still lacks, from its saved plan: on SLURM if it was last submitted there, else here."""
    from sweep.launch import slurm
    from sweep.launch.run import run_saved, submit_saved

    store = options.opened
    if options.workers is not None and options.workers < 1:
        raise ValueError(f"workers={options.workers} must be at least 1")
    saved = load(store, _one_sweep(store, options.name))
    request = slurm.last_request(store, saved.name)
    if request is None:
        return with_record(run_saved(saved, store, options.workers), saved, store, options.json)
    if options.workers is not None:
        raise ValueError(
            f"workers={options.workers} is for a sweep that runs on this machine; {saved.name} was last submitted to "
            "SLURM. Drop it, or give the sweep's own command with hydra/launcher=local"
        )
    return with_record(submit_saved(saved, store, request), saved, store, options.json)


def with_record(status: int, saved: SavedSweep, store: Store, as_json: bool) -> int | Result:
    """The status of a command that has told people what it did; for programs, also how the sweep now stands."""
    if not as_json:
        return status
    return Result("", sweep_record(saved, store, stages_in_flight(store)), status)


def fetch(options: Named) -> Result:
    """Download what a sweep's missing stages read from the hub, for machines that cannot reach it."""
    from sweep.plan.preflight import fetch_all

    store = options.opened
    saved = load(store, _one_sweep(store, options.name))
    fetched = fetch_all(store.lacking(job.stage for job in saved.jobs.values()).values(), print)
    told = f"{plural(fetched, 'repository')} fetched" if fetched else "nothing to fetch"
    return Result(f"{saved.name}: {told}", {"sweep": saved.name, "fetched": fetched})


def cancel(options: Named) -> Result:
    """Cancel the SLURM jobs of a sweep that wait or run. Training keeps its resume points."""
    store = options.opened
    saved = load(store, _one_sweep(store, options.name))
    submitted = squeue.jobs_for(store) if squeue.were_submitted(store) else []
    jobs = [job for job in submitted if job.file.is_relative_to(store.sweep(saved.name))]
    squeue.cancel(jobs)
    return Result(
        f"{saved.name}: {plural(len(jobs), 'SLURM job')} cancelled", {"sweep": saved.name, "cancelled": len(jobs)}
    )


def collect(options: Named) -> Result:
    """Write a sweep's table again from its scores, bring its tracker up to date, and remove models as ``keep`` says."""
    from sweep.launch.tracking import mirrored
    from sweep.results import removed_models, table, warnings

    store = options.opened
    saved = load(store, _one_sweep(store, options.name))
    require("this sweep", saved.tracker.extras)
    with mirrored(saved, store, print, patient=True):
        warned, path = warnings.write(saved, store), table.write(saved, store)
    removal = removed_models.Removal(saved, store)
    told = [*warned, *filter(None, [removal.at_the_end()]), str(path)]
    record = {"sweep": saved.name, "table": str(path), "warnings": list(warned), "removed": removal.removed}
    return Result("\n".join(told), record)


def gc(options: Garbage) -> Result:
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
    done = "would free" if options.dry_run else "freed"
    told = f"{done} {doomed.size / 2**20:.1f} MiB in {plural(len(doomed.paths), 'folder')}"
    for sentence in doomed.kept:
        print(sentence, file=sys.stderr)
    paths = list(map(str, doomed.paths))
    record = {"removed": not options.dry_run, "bytes": doomed.size, "folders": paths, "kept": list(doomed.kept)}
    return Result("\n".join([*paths, told]), record, 1 if doomed.kept else 0)


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
    "fetch": Command(Named, "Download from the hub what a sweep still needs, for jobs without internet.", fetch),
    "cancel": Command(Named, "Cancel the SLURM jobs of a sweep.", cancel),
    "collect": Command(Named, "Write a table again, send what W&B lacks, remove models as keep= says.", collect),
    "gc": Command(Garbage, "Remove finished stages that no sweep uses and partial work of dead processes.", gc),
}
"""What may follow ``python -m sweep``, by name."""
