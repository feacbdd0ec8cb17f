"""The plan as a table on the terminal."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from common.wording import plural
from sweep.config.overrides import given, short_labels
from sweep.launch.progress import span
from sweep.plan import fit, judge_cost
from sweep.plan.cost import Cost, card_gib, costs, gpus
from sweep.plan.memory import gib
from sweep.plan.plan import Plan, PlannedCell
from sweep.results import removed_models
from sweep.results.saved_sweep import check_replacement
from sweep.stages.store import Store

ROWS = 60
"""Cells shown; the rest of a larger plan is only counted."""

WIDE = 100
"""Columns of a terminal from which tokens and FLOPs are shown too."""


def show_plan(plan: Plan, store: Store, requests: Sequence[Mapping[str, Any]]) -> None:
    """Print cells, shared stages, ``requests`` to a cluster and estimated cost; nothing runs."""
    console = Console(width=None if Console().is_terminal else 120, highlight=False)
    rows, kinds, told = _report(plan, store, ROWS)
    shared, labels = short_labels([given(planned.label, planned.factors) for planned in plan.cells], " ")
    console.print(f"sweep {plan.name}" + (f", all cells: {shared}" if shared else ""), markup=False)
    console.print(_cells(rows, labels, console.width >= WIDE))
    if len(plan.cells) > ROWS:
        console.print(f"… and {len(plan.cells) - ROWS} more cells")
    console.print("train, time: the trainings still to run; one that cells share counts in each")
    console.print(_stages(kinds))
    if requests:
        console.print(_requests(requests))
        for line in dict.fromkeys(line for row in requests for line in row["refused"]):
            console.print(f"SLURM refuses {line}", markup=False)
    for line in told:
        console.print(line)


def plan_record(plan: Plan, store: Store, requests: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """What `show_plan` prints, as plain values: a row a cell, a row a kind of stage, and the sentences below them."""
    rows, kinds, told = _report(plan, store)
    return {
        "sweep": plan.name, "cells": rows, "stages": kinds, "requests": list(requests), "told": told,
        "notes": list(plan.notes), "duplicates": dict(plan.duplicates), "excluded": list(plan.excluded),
    }  # fmt: skip


def _report(
    plan: Plan, store: Store, most: int | None = None
) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[str]]:
    """A row for each of the first ``most`` cells, a row a kind of stage, and what is said below."""
    estimate = costs(plan)
    missing = set(store.lacking(plan.stages))
    users = Counter(stage.key for planned in plan.cells for stage in planned.trained)
    card = card_gib()
    rows = [_cell(plan, planned, estimate, missing, card) for planned in plan.cells[:most]]
    kinds = [_kind(plan, kind, estimate, missing) for kind in dict.fromkeys(stage.kind for stage in plan.stages)]
    told = [*summary(plan, estimate, missing, users), *fit.lines(plan, missing, card), *judge_cost.lines(plan, store)]
    again = removed_models.trained_again((stage for stage in plan.stages if stage.key in missing), store)
    told += filter(None, [again])
    try:
        note = check_replacement(plan, store, plan.cells[0].cell.replace)
    except ValueError as problem:
        note = str(problem)
    return rows, kinds, [*told, *([f"note: {note}"] if note else [])]


def _cell(
    plan: Plan, planned: PlannedCell, estimate: dict[str, Cost], missing: set[str], card: float | None
) -> dict[str, Any]:
    """A cell: its samples, and its trainings with what those that are missing cost."""
    todo = [estimate[stage.key] for stage in planned.trained if stage.key in missing]
    parameters = fit.parameters_of(plan, planned)
    room = fit.room_of(planned.cell, parameters, card)
    memory = fit.estimate(planned.cell, parameters, room) if planned.trained else None
    return {
        "cell": planned.label, "model": planned.cell.model.name, "samples": dict(planned.samples),
        "trainings": len(planned.trained), "to_run": len(todo), "tokens": sum(cost.tokens for cost in todo),
        "flops": sum(cost.flops for cost in todo), "seconds": sum(cost.seconds for cost in todo),
        "gib_per_rank": memory and memory.device, "gpu_gib": room,
        "fits": fit.is_within(memory, room),
    }  # fmt: skip


def _cells(rows: Sequence[Mapping[str, Any]], labels: Sequence[str], wide: bool) -> Table:
    """The cells as a table; one that is not ``wide`` leaves out what a small terminal has no room for."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    models = len({row["model"] for row in rows}) > 1
    columns = ["cell", *(["model"] if models else []), "samples", "train", "time"]
    for name in [*columns, *(["tokens", "FLOPs"] if wide else []), "GiB/rank"]:
        left = name in ("cell", "model", "samples")
        table.add_column(name, justify="left" if left else "right", overflow="fold", no_wrap=not left)
    for row, label in zip(rows, labels, strict=False):
        cost = [span(row["seconds"])] + ([quantity(row["tokens"]), quantity(row["flops"])] if wide else [])
        table.add_row(
            escape(label),
            *([row["model"]] if models else []),
            " ".join(f"{ability}:{count}" for ability, count in row["samples"].items()) or "untrained",
            f"{row['to_run']} of {row['trainings']}",
            *(cost if row["to_run"] else ["-"] * len(cost)),
            _memory(row),
        )
    return table


def _memory(row: Mapping[str, Any]) -> str:
    if row["gib_per_rank"] is None:
        return "-"
    return gib(row["gib_per_rank"]) + ("" if row["fits"] else f" > {row['gpu_gib']:g}")


def _kind(plan: Plan, kind: str, estimate: dict[str, Cost], missing: set[str]) -> dict[str, Any]:
    """The stages of one kind: how many there are and are to run, and how long these take."""
    some = [stage for stage in plan.stages if stage.kind == kind]
    todo = [estimate[stage.key] for stage in some if stage.key in missing]
    hours = {
        f"{unit}_hours": sum(cost.hours for cost in todo if cost.gpu == gpu)
        for gpu, unit in ((True, "gpu"), (False, "core"))
        if any(cost.gpu == gpu for cost in todo)
    }
    longest = max((cost.seconds for cost in todo), default=0.0)
    return {"kind": kind, "all": len(some), "to_run": len(todo), "longest_seconds": longest, **hours}


def _stages(kinds: Sequence[Mapping[str, Any]]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in ("stages, each once", "all", "done", "to run", "longest", "hours"):
        table.add_column(name, justify="left" if name.startswith("stages") else "right")
    for row in kinds:
        hours = [f"{rounded(row[f'{unit.lower()}_hours'])} {unit}-hours" for unit in ("GPU", "core")
                 if f"{unit.lower()}_hours" in row]  # fmt: skip
        done, todo = row["all"] - row["to_run"], row["to_run"]
        longest = span(row["longest_seconds"]) if todo else "-"
        table.add_row(row["kind"], str(row["all"]), str(done), str(todo), longest, " and ".join(hours) or "-")
    return table


def _requests(rows: Sequence[Mapping[str, Any]]) -> Table:
    """What SLURM is asked for; a dash is its own default."""
    table = Table(box=box.SIMPLE_HEAD, show_edge=False, pad_edge=False)
    for name in ("SLURM", "jobs", "nodes", "tasks", "CPUs", "GPUs", "minutes", "memory", "partition"):
        table.add_column(name, justify="left" if name in ("SLURM", "partition") else "right", overflow="fold")
    for row in rows:
        gpus = {"gpus_per_node": "{}/node", "gpus_per_task": "{}/task", "gres": "{}"}
        memory = {"mem": "{}/node", "mem_per_cpu": "{}/CPU", "mem_per_gpu": "{}/GPU"}
        cpus = {"cpus_per_task": "{}/task", "cpus_per_gpu": "{}/GPU"}
        shown = [
            next((text.format(row[key]) for key, text in names.items() if row.get(key)), "-")
            for names in (cpus, gpus, memory)
        ]
        sizes = [f"{row['jobs']}", f"{row['nodes']}", f"{row['ntasks_per_node']}/node"]
        minutes = "-".join(map(str, dict.fromkeys(row["minutes"])))
        table.add_row(row["part"], *sizes, *shown[:2], minutes, shown[2], row["partition"] or "-")
    return table


def summary(plan: Plan, estimate: dict[str, Cost], missing: set[str], users: Counter[str]) -> list[str]:
    """Sentences on what the sweep holds and costs."""
    todo = [stage for stage in plan.stages if stage.key in missing]
    measured = sum(estimate[stage.key].measured for stage in todo)
    tokens = sum(estimate[stage.key].tokens for stage in todo if stage.kind == "train")
    flops = sum(estimate[stage.key].flops for stage in todo)
    took = f"; {plural(measured, 'time')} as finished stages of this store took, the rest estimated"
    known = took if measured else ""
    if any(estimate[stage.key].gpu and not estimate[stage.key].measured for stage in todo):
        known += "; GPU times as on an H100"
    shared = sum(count > 1 for count in users.values())
    chain = longest_chain(plan, estimate, missing)
    total = len(plan.cells) + len(plan.duplicates) + len(plan.excluded)
    return [
        f"{plural(total, 'cell')}: {len(plan.cells)} distinct, {plural(len(plan.duplicates), 'duplicate')}, "
        f"{len(plan.excluded)} excluded; {plural(shared, 'training stage')} shared by cells",
        f"to run: {len(todo)} of {plural(len(plan.stages), 'stage')}, {quantity(tokens)} tokens to train on, "
        f"{quantity(flops)} FLOPs, about {_hours([estimate[stage.key] for stage in todo])}",
        f"wall-clock: at least {span(chain)}, the longest chain of stages"
        f"{_here(plan, [estimate[key] for key in missing], chain)}{known}",
    ]


def _here(plan: Plan, todo: Sequence[Cost], chain: float) -> str:
    """How long the sweep takes on this machine, where this has what it needs; ``chain`` as in `longest_chain`."""
    slots = plan.cells[0].cell.workers or len(gpus()) or len(os.sched_getaffinity(0))
    if not todo or (not gpus() and any(cost.gpu for cost in todo)):
        return ""
    seconds = max(chain, sum(cost.seconds for cost in todo) / slots)
    return f"; about {span(seconds)} on this machine, {slots} at a time"


def _hours(some: Sequence[Cost]) -> str:
    """GPU-hours and core-hours of stages, as text."""
    parts = [
        f"{rounded(sum(cost.hours for cost in some if cost.gpu == gpu))} {unit}-hours"
        for gpu, unit in ((True, "GPU"), (False, "core"))
        if any(cost.gpu == gpu for cost in some)
    ]
    return " and ".join(parts) or "no time"


def longest_chain(plan: Plan, estimate: dict[str, Cost], missing: set[str]) -> float:
    """Seconds until all is done where every stage starts as soon as its inputs are there."""
    ends: dict[str, float] = {}
    for stage in plan.stages:  # parents before children
        begin = max((ends[parent.key] for parent in stage.parents), default=0.0)
        ends[stage.key] = begin + (estimate[stage.key].seconds if stage.key in missing else 0.0)
    return max(ends.values(), default=0.0)


def rounded(hours: float) -> str:
    """Hours with two significant digits below 10 and none after the point above: an estimate deserves no more."""
    return f"{hours:,.0f}" if hours >= 10 else f"{hours:.2g}"


def quantity(number: float) -> str:
    """A large number in short: 1.2M, 3.7B, 3.4e15."""
    for limit, unit in ((1e12, ""), (1e9, "B"), (1e6, "M"), (1e3, "k")):
        if number >= limit:
            return f"{number:.1e}" if not unit else f"{number / limit:.1f}{unit}"
    return f"{number:.0f}"
