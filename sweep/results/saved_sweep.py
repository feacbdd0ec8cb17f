"""A sweep as saved in the store: its cells, with the keys of their stages, and every stage as a job."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from itertools import count
from typing import Any

from common.commit import commit
from common.json_file import write_json
from common.renames import current_key
from common.restore import restore
from common.wording import plural
from sweep.config.cell import Cell
from sweep.config.strategy import Moment
from sweep.config.tracker import NO_TRACKER, TrackerConfig
from sweep.plan import fit
from sweep.plan.cost import costs, estimates
from sweep.plan.exclude import value_at
from sweep.plan.plan import Plan, PlannedCell, cell_key
from sweep.plan.planner import parameters
from sweep.results import cell_configs, planning, replaced
from sweep.results.sweep_files import FILE, REMEDY, UNREADABLE, unknown_stages, unreadable
from sweep.stages.disk import locked
from sweep.stages.stage import Stage, StageRef, plain
from sweep.stages.store import Store
from sweep.stages.worker import Job

LOCK = "sweeps.lock"
"""The file that is locked while a sweep is saved, and while models that no sweep needs are chosen and removed."""


SavedScores = Mapping[str, Mapping[str, str]]
"""By task the ability that it measures, and the key of its score."""


@dataclass(frozen=True)
class SavedCell:
    """A cell of a saved sweep: its factors by name, its stages and scores by key.

    ``earlier`` holds the scores at each moment before the end at which it is measured, in order.
    """

    label: str
    factors: Mapping[str, Any]
    trained: tuple[str, ...]
    scores: SavedScores
    earlier: tuple[tuple[Moment, SavedScores], ...] = ()

    @property
    def key(self) -> str:
        """What the cell is, whatever its label; equal to the planned cell's key."""
        return cell_key({task: score["key"] for task, score in self.scores.items()}, self.trained)

    @property
    def score_keys(self) -> list[str]:
        """The keys of its scores at all moments."""
        return [score["key"] for some in (*(some for _, some in self.earlier), self.scores) for score in some.values()]


@dataclass(frozen=True)
class Measured:
    """A task scored at one moment of a cell's fine-tuning; ``job`` is the score's."""

    moment: Moment
    task: str
    ability: str
    job: Job


@dataclass(frozen=True)
class SavedSweep:
    """A sweep read back from its folder, without Hydra."""

    name: str
    cells: tuple[SavedCell, ...]
    jobs: Mapping[str, Job]
    tracker: TrackerConfig = NO_TRACKER
    keep: str = "all"

    def stages(self, cell: SavedCell) -> list[Stage]:
        """Every stage a cell rests on, parents before children."""
        stages: dict[str, Stage] = {}

        def visit(key: str) -> None:
            stage = self.jobs[key].stage
            for node in stage.inputs.values():
                if isinstance(node, StageRef) and node.key not in stages:
                    visit(node.key)
            stages[key] = stage

        for key in (*cell.trained, *cell.score_keys):
            visit(key)
        return list(stages.values())

    def tuned(self, cell: SavedCell) -> list[Stage]:
        """The stages that fine-tune a cell: those that train it, without the base model's pretraining."""
        trained = [self.jobs[key].stage for key in cell.trained]
        return [stage for stage in trained if stage.spec.architecture is None]

    def measured(self, cell: SavedCell) -> list[Measured]:
        """Every score of a cell, by moment and task."""
        scores = [*cell.earlier, (Moment(len(self.tuned(cell))), cell.scores)]
        return [
            Measured(moment, task, score["ability"], self.jobs[score["key"]])
            for moment, some in scores
            for task, score in sorted(some.items())
        ]


def jobs(plan: Plan, store: Store) -> dict[str, Job]:
    """Every stage of the plan as a job of ``store``, by key, parents before children."""
    cost, estimate, need = costs(plan), estimates(plan), fit.of_stages(plan)
    return {
        s.key: Job(
            s, plan.execution[s.key], store.root, round(cost[s.key].seconds, 3), round(need.get(s.key, 0.0), 3),
            round(estimate[s.key].hours * 3600, 3),
        )
        for s in plan.stages
    }  # fmt: skip


def save(plan: Plan, store: Store) -> SavedSweep:
    """Save the plan in the sweep's folder, so that `load` reads back what ran and what is to run.

    The config of every cell lies beside it, for people. A sweep of that name which has scores that the plan lacks is
    moved aside with its table, into the folder ``replaced``.
    """
    folder = store.sweep(plan.name)
    folder.mkdir(parents=True, exist_ok=True)
    store.remember_upstream()
    cells = [
        {
            "label": planned.label,
            "factors": factors(planned),
            "trained": [stage.key for stage in planned.trained],
            "strategy": planned.cell.strategy.outline,
            "scores": _scores(planned, planned.scores),
            "earlier": [{**moment._asdict(), "scores": _scores(planned, some)} for moment, some in planned.earlier],
        }
        for planned in plan.cells
    ]
    all_jobs = jobs(plan, store)
    texts = [job.to_json() for job in all_jobs.values()]
    for text in texts:
        text.pop("store")  # the store may be moved
    saved = {"cells": cells, "jobs": texts, "tracker": plain(plan.tracker), "keep": plan.keep, "commit": commit()}
    with locked(store.root / LOCK):
        replaced.keep(folder / FILE, all_jobs)
        write_json(folder / FILE, saved)
    cell_configs.write(plan.cells, folder)
    return SavedSweep(plan.name, _cells(cells), all_jobs, plan.tracker, plan.keep)


def _scores(planned: PlannedCell, scores: Mapping[str, Stage]) -> dict[str, dict[str, str]]:
    tasks = planned.cell.suite.tasks
    return {name: {"ability": tasks[name].ability, "key": stage.key} for name, stage in scores.items()}


def check_replacement(plan: Plan, store: Store, replace: bool) -> str:
    """Refuse to save a plan over a sweep of the same name that has measured cells which the plan lacks.

    A plan that has all of them lets the sweep grow; a cell without any score, such as one that failed, may go. A cell
    that is no longer measured after each of its training stages counts as dropped.
    ``replace`` allows the sweep to lose measured cells. A sweep that cannot be read, or that another version of the
    code planned, may be replaced, since its cells cannot be planned as they were; it is kept aside. Raises ValueError
    that names the sweep and a lost cell. Returns a sentence where a sweep of that name cannot be read, else ''.
    """
    try:
        saved = load(store, plan.name)
    except ValueError:
        return unknown_stages(store.sweep(plan.name))
    planned = {cell.key: cell for cell in plan.cells}
    measured = [cell for cell in saved.cells if _is_measured(saved, store, cell.score_keys)]
    lost = [cell.label for cell in measured if cell.key not in planned]
    lost += [
        f"{cell.label} after its earlier stages"
        for cell in measured
        if cell.key in planned and not planned[cell.key].earlier
        if any(_is_measured(saved, store, [one["key"] for one in some.values()]) for _, some in cell.earlier)
    ]
    if lost and not replace:
        raise ValueError(
            f"sweep {plan.name} has {plural(len(measured), 'measured cell')}, and this command would drop {len(lost)} "
            f"of them, such as {lost[0]}; {_other_name(plan, store)}, or drop them with replace=true"
        )
    return ""


def _other_name(plan: Plan, store: Store) -> str:
    """What to write for a sweep of its own, with a name that no sweep has yet."""
    taken = set(sweeps(store))
    free = next(name for number in count(2) if (name := f"{plan.name}{number}") not in taken)
    instead = f" in place of name={plan.name}" if plan.cells[0].cell.name else ""
    return f"give name={free}{instead}, which shares all finished stages"


def _is_measured(saved: SavedSweep, store: Store, keys: Iterable[str]) -> bool:
    return any(store.path(saved.jobs[key].stage).exists() for key in keys)


def load(store: Store, name: str) -> SavedSweep:
    """Read a saved sweep.

    Raises a ValueError that lists the sweeps of the store when ``name`` is not one of them, and one that names the file
    when it cannot be read or was written by another version of the code.
    """
    path = store.sweep(name) / FILE
    if not path.exists():
        if who := planning.under_way(store).get(name):
            raise ValueError(f"sweep {name} is being planned by {who}; it has cells once its samples are counted")
        names = ", ".join(sweeps(store)) or "none yet"
        raise ValueError(f"there is no sweep {name!r} in {store.root}; sweeps there: {names}")
    try:
        value = json.loads(path.read_bytes())
        jobs = {job["key"]: Job.from_json({**job, "store": str(store.root)}) for job in value["jobs"]}
        tracker = restore(TrackerConfig, value["tracker"]) if "tracker" in value else NO_TRACKER
        saved = SavedSweep(name, _cells(value["cells"]), jobs, tracker, value.get("keep", "all"))
        for cell in saved.cells:
            saved.stages(cell)  # raises a KeyError for a stage that the file lacks
    except UNREADABLE as problem:
        raise ValueError(f"{unreadable(path, problem)}; {REMEDY}") from None
    return saved


def _cells(value: list[dict[str, Any]]) -> tuple[SavedCell, ...]:
    return tuple(
        SavedCell(c["label"], current_names(c["factors"]), tuple(c["trained"]), c["scores"], _earlier(c)) for c in value
    )


def _earlier(cell: Mapping[str, Any]) -> tuple[tuple[Moment, SavedScores], ...]:
    """The scores before the end; versions that knew no checkpoints wrote those of each stage, from the first."""
    listed = enumerate(cell.get("earlier", ()), 1)
    return tuple(
        (Moment(one["stage"], one["checkpoint"]), one["scores"]) if "checkpoint" in one else (Moment(number), one)
        for number, one in listed
    )


def current_names(factors: Mapping[str, Any]) -> dict[str, Any]:
    """Factors with swept keys under their current names; a swept ``total`` yields to the column ``total_samples``."""
    return {current_key(name): value for name, value in factors.items()} | {
        name: value for name, value in factors.items() if current_key(name) == name
    }


def sweeps(store: Store) -> list[str]:
    """Names of the sweeps in the store, in alphabetical order."""
    return sorted(path.parent.name for path in store.root.glob(f"sweeps/*/{FILE}"))


def dose(samples: Mapping[str, int], abilities: Iterable[str]) -> dict[str, Any]:
    """The columns that say what a model was trained on; ``samples`` holds its distinct samples by ability."""
    return {
        "trained_on": "+".join(samples) or "base",
        "total_samples": sum(samples.values()),
        **{f"samples_{ability}": samples.get(ability, 0) for ability in abilities},
    }


def factors(planned: PlannedCell) -> dict[str, Any]:
    """The columns of the table that describe a cell: numbers and texts, no paths."""
    cell, samples = planned.cell, planned.samples
    own = {
        "model": cell.model.name,
        "params": parameters(cell) or None,
        "data": cell.data.name,
        "strategy": cell.strategy.name if samples else "base",
        **dose(samples, cell.data.abilities),
        "seed": cell.seed,
        "base_seed": cell.model.pretrain.seed if cell.model.scratch and cell.model.pretrain else None,
        "fraction": float(cell.fraction.value),
        "fraction_text": cell.fraction.text,
        "replay": None,
    }
    hidden = {"model", "strategy", "ability", "fraction", "seed", "data", "replay", "total_samples"}
    hidden |= {"model.pretrain.seed", "+grid"}
    swept = {key.lstrip("+"): value for key, value in planned.factors.items() if key not in hidden}
    read = {key: _entry(cell, key) for key in cell.strategy.interpolated if key not in own or key == "replay"}
    return own | read | swept


def _entry(cell: Cell, key: str) -> Any:
    """A value of a cell as an entry of the table: a number where it is one or an amount, else text."""
    value = value_at(cell, key)
    try:
        return float(Fraction(str(value)))
    except ValueError:
        return None if value is None else str(value)
