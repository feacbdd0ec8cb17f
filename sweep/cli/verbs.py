"""The verbs: ``python -m sweep ls | logs | retry | cancel | collect | gc key=value …``. They need no Hydra."""

from __future__ import annotations

import difflib
import os
import sys
from collections.abc import Callable
from typing import NoReturn

from sweep.launch import squeue
from sweep.launch.states import STATES, cell_states, stages_in_flight
from sweep.results import garbage
from sweep.results.saved_sweep import load, sweeps
from sweep.stages.store import Damaged, Store


def fail(message: str) -> NoReturn:
    """End the command over something the user can mend: one line, exit status 2."""
    print(f"error: {message}", file=sys.stderr)
    sys.exit(2)


def _arguments(verb: str, given: list[str], known: dict[str, str]) -> dict[str, str]:
    """Parse ``key=value`` words over the defaults in ``known``; exit with one line about the first that is wrong."""
    values = {"store": os.environ.get("DOSAGE_STORE", "store"), **known}
    if {"-h", "--help", "help"} & set(given):
        print(f"python -m sweep {verb} " + " ".join(f"{k}={v or '…'}" for k, v in values.items()))
        sys.exit(0)
    for word in given:
        key, equals, value = word.partition("=")
        if not equals or key not in values:
            close = difflib.get_close_matches(key, values, 1)
            hint = f"; did you mean {close[0]}=?" if close else ""
            raise ValueError(
                f"{word!r} is not an argument of {verb}; it takes {', '.join(f'{k}=' for k in values)}{hint}"
            )
        values[key] = value
    return values


def ls(given: list[str]) -> int:
    """List the sweeps of a store, or with ``name=`` the cells of one."""
    values = _arguments("ls", given, {"name": ""})
    store = Store(values["store"])
    names = [values["name"]] if values["name"] else sweeps(store)
    if not names:
        print(f"no sweeps in {store.root}")
    in_flight = stages_in_flight(store) if names else {}
    status = 0
    for name in names:
        try:
            states = cell_states(load(store, name), store, in_flight)
        except ValueError as problem:
            if values["name"]:
                raise
            print(f"{name}: {problem}", file=sys.stderr)
            status = 1
            continue
        counts = {word: sum(state.state == word for state in states) for word in STATES}
        print(f"{name}: {len(states)} cells, " + ", ".join(f"{n} {word}" for word, n in counts.items() if n))
        if values["name"]:
            width = max(len(state.cell.label) for state in states)
            for state in states:
                print(f"  {state.cell.label:<{width}}  {state.state:<8} {state.detail}".rstrip())
    return status


def logs(given: list[str]) -> int:
    """Print the logs of the stages of a sweep's cells; ``cell=`` keeps the cells whose label holds that text."""
    values = _arguments("logs", given, {"name": "", "cell": ""})
    store = Store(values["store"])
    saved = load(store, _one_sweep(store, values["name"]))
    cells = [cell for cell in saved.cells if values["cell"] in cell.label]
    if not cells:
        raise ValueError(
            f"cell={values['cell']}: no cell of {saved.name} holds that text; see python -m sweep ls name={saved.name}"
        )
    shown: set[str] = set()
    for cell in cells:
        for stage in saved.stages(cell):
            log = store.log(stage)
            if log.exists() and log.stat().st_size and stage.key not in shown:
                shown.add(stage.key)
                print(f"== {cell.label}: {log}")
                print(log.read_text(errors="replace").rstrip())
    return 0


def retry(given: list[str]) -> int:
    """Run on this machine what a sweep still lacks, from its frozen plan."""
    from sweep.launch.run import run_saved

    values = _arguments("retry", given, {"name": "", "workers": ""})
    store = Store(values["store"])
    workers = int(values["workers"]) if values["workers"] else None
    return run_saved(load(store, _one_sweep(store, values["name"])), store, workers)


def cancel(given: list[str]) -> int:
    """Cancel the SLURM jobs of a sweep that wait or run. Training keeps its resume points."""
    values = _arguments("cancel", given, {"name": ""})
    store = Store(values["store"])
    saved = load(store, _one_sweep(store, values["name"]))
    jobs = [job for job in squeue.look(store) if job.file.is_relative_to(store.sweep(saved.name))]
    squeue.cancel(jobs)
    print(f"{saved.name}: {len(jobs)} SLURM jobs cancelled")
    return 0


def collect(given: list[str]) -> int:
    """Write a sweep's table anew from its scores."""
    from sweep.results import table as table
    from sweep.results import warnings

    values = _arguments("collect", given, {"name": ""})
    store = Store(values["store"])
    saved = load(store, _one_sweep(store, values["name"]))
    print(*warnings.write(saved, store), table.write(saved, store), sep="\n")
    return 0


def gc(given: list[str]) -> int:
    """Remove what no sweep uses: finished stages, abandoned work; with ``damaged=true`` only damaged stages."""
    values = _arguments("gc", given, {"damaged": "false", "dry_run": "false"})
    store = Store(values["store"])
    doomed = garbage.damaged(store) if values["damaged"] == "true" else garbage.unused(store)
    if values["dry_run"] != "true":
        garbage.remove(store, doomed)
    print(*doomed.paths, sep="\n", end="\n" if doomed.paths else "")
    folders = "1 folder" if len(doomed.paths) == 1 else f"{len(doomed.paths)} folders"
    print(f"{'would free' if values['dry_run'] == 'true' else 'freed'} {doomed.size / 2**20:.1f} MiB in {folders}")
    for sentence in doomed.kept:
        print(sentence, file=sys.stderr)
    return 1 if doomed.kept else 0


def _one_sweep(store: Store, name: str) -> str:
    if name:
        return name
    names = sweeps(store)
    if len(names) != 1:
        raise ValueError(f"say which sweep with name=; sweeps in {store.root}: {', '.join(names) or 'none yet'}")
    return names[0]


def _clean(verb: Callable[[list[str]], int]) -> Callable[[list[str]], int]:
    def run(given: list[str]) -> int:
        try:
            return verb(given)
        except (ValueError, Damaged) as problem:
            fail(str(problem))

    return run


VERBS = {verb.__name__: _clean(verb) for verb in (ls, logs, retry, cancel, collect, gc)}
"""What may follow ``python -m sweep``, by name."""
