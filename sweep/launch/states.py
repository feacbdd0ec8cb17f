"""The state of a sweep's cells, from the store and SLURM's queue."""

from __future__ import annotations

import json
import sys
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from sweep.launch import slurm_logs, squeue
from sweep.launch.squeue import Queued
from sweep.results.saved_sweep import SavedCell, SavedSweep
from sweep.stages.stage import Stage, to_build
from sweep.stages.store import Damaged, Store
from sweep.stages.worker import Job

LONGEST = 300
"""Letters of an error that are shown."""

STATES = ("done", "running", "queued", "waiting", "interrupted", "dead", "failed", "damaged")


@dataclass(frozen=True)
class CellState:
    """A cell, its state (one of `STATES`), and the reason: a process, a SLURM job, an error with its log, a file.

    A cell is interrupted when a stage of it was begun here, dead when one was submitted to SLURM, and now nobody runs
    it and no error was recorded.
    """

    cell: SavedCell
    state: str
    detail: str


def cell_states(saved: SavedSweep, store: Store, in_flight: Mapping[str, Queued] | None) -> list[CellState]:
    """The state of every cell of a sweep. ``in_flight`` holds the SLURM job of each stage in SLURM's queue, by key.

    It is None where SLURM does not answer: what was submitted may then wait or run.
    """
    missing: set[str] = set()
    damaged: dict[str, str] = {}
    for key, job in saved.jobs.items():
        try:
            if not store.has(job.stage):
                missing.add(key)
        except Damaged as problem:
            damaged[key] = str(problem)
    on_slurm = (store.sweep(saved.name) / slurm_logs.REQUEST).exists()  # and not, since then, on this machine
    submitted = slurm_logs.submitted(store, saved.name) if on_slurm else {}
    begun = {path.name.partition(".")[0] for path in (store.root / "partial").glob("*.*")}
    states = []
    for cell in saved.cells:
        stages = saved.stages(cell)
        problems = [damaged[stage.key] for stage in stages if stage.key in damaged]
        todo = list(to_build(stages, lambda stage: stage.key not in missing).values())
        if problems:
            state = "damaged", problems[0]
        else:
            state = _state([saved.jobs[stage.key] for stage in todo], len(stages), store, in_flight, begun, submitted)
        states.append(CellState(cell, *state))
    return states


def sweep_record(saved: SavedSweep, store: Store, in_flight: Mapping[str, Queued] | None) -> dict[str, Any]:
    """A sweep as plain values: how many cells are in which state, every cell, its table once that is written."""
    states = cell_states(saved, store, in_flight)
    table = store.sweep(saved.name) / "table.csv"
    return {
        "sweep": saved.name,
        "states": {word: sum(state.state == word for state in states) for word in STATES},
        "cells": [
            {
                "cell": state.cell.label, "overrides": json.loads(state.cell.factors.get("overrides", "[]")),
                "state": state.state, "detail": state.detail,
            }
            for state in states
        ],
        "table": str(table) if table.exists() else None,
    }  # fmt: skip


def _state(
    jobs: list[Job],
    total: int,
    store: Store,
    in_flight: Mapping[str, Queued] | None,
    begun: Collection[str],
    submitted: Mapping[str, slurm_logs.Place],
) -> tuple[str, str]:
    """State and reason of a cell that lacks the stages of these ``jobs``, of ``total``."""
    missing, known_jobs = [job.stage for job in jobs], in_flight or {}
    if not missing:
        return "done", ""
    for stage in missing:
        if store.failure(stage).exists() and not store.owner(stage) and stage.key not in known_jobs:
            return "failed", f"{stage.kind}: {_error(store, stage)}; log: {store.log(stage)}"
    for stage in missing:
        if owner := store.owner(stage):
            return "running", f"{stage.kind} on {owner['host']}, process {owner['pid']}"
    for own in (known_jobs[stage.key] for stage in missing if stage.key in known_jobs):
        state = "running" if own.state in ("RUNNING", "COMPLETING") else "queued"
        return state, f"SLURM job {own.number}: {own.state}" + (f", {own.reason}" if own.reason != "None" else "")
    for job in jobs:
        stage = job.stage
        if stage.key in submitted and in_flight is None:
            return "waiting", f"{stage.kind}: submitted; SLURM does not answer, so its job may also run, or have ended"
        if stage.key in submitted:
            place = submitted[stage.key]
            known, ended = place.why(job, {}), "ended without a result" if place.started else "never started"
            told = f"its SLURM job {ended}{known and f'; {known}'}"
            return "dead", f"{stage.kind}: {told}; retry submits it again"
        if stage.name in begun:
            return "interrupted", f"{stage.kind}: stopped before its end, by Ctrl-C or a kill; retry goes on from there"
    return "waiting", f"{len(missing)} of {total} stages missing"


def _error(store: Store, stage: Stage) -> str:
    """The last failure of a stage in one line."""
    try:
        return " ".join(str(json.loads(store.failure(stage).read_bytes())["error"]).split())[:LONGEST]
    except (OSError, ValueError, KeyError, TypeError):
        return "no reason was recorded"


def may_be_queued(store: Store) -> bool:
    """Whether SLURM jobs of this store may wait or run: they do, or were submitted once and SLURM does not answer."""
    try:
        return squeue.were_submitted(store) and bool(squeue.jobs_for(store))
    except ValueError:
        return True


def stages_in_flight(store: Store) -> Mapping[str, Queued] | None:
    """The SLURM job of each stage in SLURM's queue, by key; empty when none was ever submitted.

    None where some were, and no SLURM answers here.
    """
    if not squeue.were_submitted(store):
        return {}
    try:
        return squeue.stages(squeue.jobs_for(store))
    except ValueError as problem:
        print(f"SLURM: {problem}", file=sys.stderr)
        return None
