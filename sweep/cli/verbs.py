"""The verbs: ``python -m sweep ls | logs | retry | cancel | collect | gc key=value …``. They need no Hydra."""

from __future__ import annotations

import difflib
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NoReturn

from sweep.launch import squeue
from sweep.launch.squeue import Queued
from sweep.results.saved_sweep import SavedCell, SavedSweep, load, sweeps
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


STATES = ("done", "running", "queued", "waiting", "failed")


def _state(saved: SavedSweep, cell: SavedCell, store: Store, flight: Mapping[str, Queued]) -> tuple[str, str]:
    """One word on a cell (`STATES`), and what it is about. ``flight`` is what SLURM works on, by the stage's key."""
    stages = saved.stages(cell)
    missing = [stage for stage in stages if not store.has(stage)]
    if not missing:
        return "done", ""
    for stage in missing:
        if store.failure(stage).exists() and not store.owner(stage) and stage.key not in flight:
            return "failed", str(store.log(stage))
    for stage in missing:
        if owner := store.owner(stage):
            return "running", f"{stage.kind} on {owner['host']}, process {owner['pid']}"
    for job in (flight[stage.key] for stage in missing if stage.key in flight):
        return "queued", f"SLURM job {job.number}: {job.state}, {job.reason}"
    return "waiting", f"{len(missing)} of {len(stages)} stages missing"


def _flight(store: Store) -> Mapping[str, Queued]:
    """What SLURM works on for the store; nothing where there is no SLURM or it does not answer."""
    try:
        return squeue.stages(squeue.look(store)) if shutil.which("squeue") else {}
    except ValueError as problem:
        print(f"SLURM: {problem}", file=sys.stderr)
        return {}


def ls(given: list[str]) -> int:
    """List the sweeps of a store, or with ``name=`` the cells of one."""
    values = _arguments("ls", given, {"name": ""})
    store = Store(values["store"])
    names = [values["name"]] if values["name"] else sweeps(store)
    if not names:
        print(f"no sweeps in {store.root}")
    flight = _flight(store) if names else {}
    for name in names:
        saved = load(store, name)
        states = [(cell, *_state(saved, cell, store, flight)) for cell in saved.cells]
        counts = {word: sum(state == word for _, state, _ in states) for word in STATES}
        print(f"{name}: {len(states)} cells, " + ", ".join(f"{n} {word}" for word, n in counts.items() if n))
        if values["name"]:
            width = max(len(cell.label) for cell, _, _ in states)
            for cell, state, detail in states:
                print(f"  {cell.label:<{width}}  {state:<8} {detail}".rstrip())
    return 0


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
    """Remove what no sweep uses: finished stages, dead partial work; with ``damaged=true`` only damaged folders."""
    values = _arguments("gc", given, {"damaged": "false", "dry_run": "false"})
    store = Store(values["store"])
    doomed = _damaged(store) if values["damaged"] == "true" else _unused(store)
    size = 0
    for folder in doomed:
        size += sum(part.stat().st_size for part in folder.rglob("*") if part.is_file())
        if values["dry_run"] != "true":
            shutil.rmtree(folder)
        print(folder)
    print(f"{'would free' if values['dry_run'] == 'true' else 'freed'} {size / 2**20:.1f} MiB in {len(doomed)} folders")
    return 0


def _all(store: Store) -> list[SavedSweep]:
    return [load(store, name) for name in sweeps(store)]


def _damaged(store: Store) -> list[Path]:
    found = []
    for saved in _all(store):
        for job in saved.jobs.values():
            try:
                store.has(job.stage)
            except Damaged:
                found.append(store.path(job.stage))
    return list(dict.fromkeys(found))


def _unused(store: Store) -> list[Path]:
    used = {store.path(job.stage) for saved in _all(store) for job in saved.jobs.values()}
    finished = [path.parent for path in store.root.glob("*/*/stage.json")]
    partial = [path for path in store.root.glob("partial/*") if not _held(store, path)]
    return [path for path in finished if path not in used] + partial


def _held(store: Store, partial: Path) -> bool:
    """True for partial work that is claimed, or young enough to be gone on with."""
    claim = store.root / "claims" / partial.name.rsplit(".", 1)[0]
    return claim.exists() or time.time() - partial.stat().st_mtime < 7 * 86400


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
