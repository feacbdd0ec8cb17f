"""The plan as a table on the terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from common.wording import plural
from sweep.cli.overrides import short_labels
from sweep.launch.progress import span
from sweep.plan import fit, judge_cost
from sweep.plan.cost import Cost, card_gib, costs
from sweep.plan.memory import gib
from sweep.plan.plan import Plan, PlannedCell
from sweep.results.saved_sweep import check_replacement
from sweep.stages.store import Store

ROWS = 60
"""Cells shown; the rest of a larger plan is only counted."""


def show_plan(plan: Plan, store: Store) -> int:
    """Print cells, shared stages and estimated cost; nothing runs. Returns the command's exit status, 0."""
    console = Console(width=None if Console().is_terminal else 120)
    estimate = costs(plan)
    missing = set(store.lacking(plan.stages))
    users = Counter(stage.key for planned in plan.cells for stage in planned.trained)
    card = card_gib()
    console.print(_cells(plan, estimate, missing, users, card))
    if len(plan.cells) > ROWS:
        console.print(f"… and {len(plan.cells) - ROWS} more cells")
    console.print(_stages(plan, estimate, missing))
    told = [*summary(plan, estimate, missing, users), *fit.lines(plan, missing, card), *judge_cost.lines(plan, store)]
    for line in told:
        console.print(line, highlight=False)
    try:
        note = check_replacement(plan, store, plan.cells[0].cell.replace)
    except ValueError as problem:
        note = str(problem)
    if note:
        console.print(f"note: {note}", highlight=False)
    return 0


def _cells(plan: Plan, estimate: dict[str, Cost], missing: set[str], users: Counter[str], card: float | None) -> Table:
    shared, labels = short_labels([(planned.label, planned.factors) for planned in plan.cells])
    table = Table(title=f"sweep {plan.name}" + (f", all cells: {shared}" if shared else ""), title_justify="left")
    for name, side in (
        ("cell", "left"), ("model", "left"), ("samples", "left"), ("stages", "right"), ("shared", "right"),
        ("to run", "right"), ("tokens", "right"), ("FLOPs", "right"), ("time", "right"),
        ("GiB/rank", "right"),
    ):  # fmt: skip
        table.add_column(name, justify=side, overflow="fold")  # type: ignore[arg-type]
    for planned, label in zip(plan.cells[:ROWS], labels, strict=False):
        trained = [estimate[stage.key] for stage in planned.trained]
        table.add_row(
            label,
            planned.cell.model.name,
            " ".join(f"{ability}:{count}" for ability, count in planned.samples.items()) or "untrained",
            str(len(planned.trained)),
            str(sum(users[stage.key] > 1 for stage in planned.trained)),
            str(sum(stage.key in missing for stage in planned.trained)),
            quantity(sum(cost.tokens for cost in trained)),
            quantity(sum(cost.flops for cost in trained)),
            span(sum(cost.seconds for cost in trained)) if trained else "-",
            _memory(plan, planned, card),
        )
    return table


def _memory(plan: Plan, planned: PlannedCell, card: float | None) -> str:
    room = planned.cell.engine.gpu_gib or card
    memory = fit.estimate(planned.cell, fit.parameters_of(plan, planned), room) if planned.trained else None
    if memory is None:
        return "-"
    return gib(memory.device) + ("" if room is None or fit.is_within(memory, room) else f" > {room:g}")


def _stages(plan: Plan, estimate: dict[str, Cost], missing: set[str]) -> Table:
    table = Table(title="stages, each once", title_justify="left")
    for name in ("kind", "all", "done", "to run", "longest", "hours"):
        table.add_column(name, justify="left" if name == "kind" else "right")
    for kind in dict.fromkeys(stage.kind for stage in plan.stages):
        some = [stage for stage in plan.stages if stage.kind == kind]
        todo = [stage for stage in some if stage.key in missing]
        longest = max((estimate[stage.key].seconds for stage in todo), default=0.0)
        hours = _hours([estimate[stage.key] for stage in todo])
        table.add_row(kind, str(len(some)), str(len(some) - len(todo)), str(len(todo)), span(longest), hours)
    return table


def summary(plan: Plan, estimate: dict[str, Cost], missing: set[str], users: Counter[str]) -> list[str]:
    """Sentences on what the sweep holds and costs."""
    todo = [stage for stage in plan.stages if stage.key in missing]
    measured = sum(estimate[stage.key].measured for stage in todo)
    tokens = sum(estimate[stage.key].tokens for stage in todo if stage.kind == "train")
    flops = sum(estimate[stage.key].flops for stage in todo)
    known = (
        f"; {plural(measured, 'time')} as finished stages of this store took, the rest estimated" if measured else ""
    )
    shared = sum(count > 1 for count in users.values())
    total = len(plan.cells) + len(plan.duplicates) + len(plan.excluded)
    return [
        f"{plural(total, 'cell')}: {len(plan.cells)} distinct, {plural(len(plan.duplicates), 'duplicate')}, "
        f"{len(plan.excluded)} excluded; {plural(shared, 'training stage')} shared by cells",
        f"to run: {len(todo)} of {plural(len(plan.stages), 'stage')}, {quantity(tokens)} tokens to train on, "
        f"{quantity(flops)} FLOPs, about {_hours([estimate[stage.key] for stage in todo])}",
        f"wall-clock: at least {span(longest_chain(plan, estimate, missing))}, the longest chain of stages{known}",
    ]


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
