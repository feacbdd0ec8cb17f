"""A sweep's plan: its distinct cells, and every stage that they need, once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from common.digest import key_of
from eval.spec.answers import EvalRun
from eval.spec.judge import JudgeRun
from sweep.config.cell import Cell
from sweep.config.overrides import at_cell, given
from sweep.config.strategy import Moment
from sweep.config.tracker import TrackerConfig
from sweep.plan.exclude import is_excluded
from sweep.plan.files import Files
from sweep.plan.planner import Planner, Scores
from sweep.stages.stage import Stage
from sweep.stages.store import Store
from train.spec import TrainRun

LONGEST_TITLE = 100
"""Letters of what a training is called in logs and trackers; W&B takes up to 128."""


class CellError(ValueError):
    """A cell that cannot be planned; the message names the cell, the value and the remedy."""


NAMED = ("model", "strategy", "data")
"""Groups of which the table has the name of what was chosen."""


@dataclass(frozen=True)
class PlannedCell:
    """A cell with its stages: those that train it, in order, and the score of each task.

    ``earlier`` holds the scores at each moment before the end at which it is measured, in order.
    """

    cell: Cell
    label: str
    trained: tuple[Stage, ...]
    scores: Scores
    earlier: tuple[tuple[Moment, Scores], ...]
    samples: Mapping[str, int]
    factors: Mapping[str, Any]

    @property
    def every_score(self) -> list[Stage]:
        """The scores at all moments."""
        return [score for scores in (*(some for _, some in self.earlier), self.scores) for score in scores.values()]

    @property
    def key(self) -> str:
        """What the cell is, whatever its label: two cells with one key are duplicates."""
        scores = {task: stage.key for task, stage in self.scores.items()}
        return cell_key(scores, [stage.key for stage in self.trained])


def cell_key(scores: Mapping[str, str], trained: Sequence[str]) -> str:
    """Eight hex digits that name a cell's content: the keys of its scores by task, and of its last training stage.

    Scores after earlier stages do not count: a cell is the same whether they are measured or not.
    """
    text = ",".join(f"{task}:{key}" for task, key in sorted(scores.items()))
    return hashlib.sha256((text + "".join(trained[-1:])).encode()).hexdigest()[:8]


@dataclass(frozen=True)
class Plan:
    """The distinct cells, what was left out, and every stage once, parents before children.

    ``duplicates`` holds the label of each cell that is the same by content as another, with the other's label.
    ``execution`` says how each stage is run, by key; ``lengths`` and ``parameters`` are those of the `Planner`.
    ``absent`` lists the files that the plan could be made without, as KEY=PATH. ``notes`` are sentences on what the
    plan could only estimate, or found to differ from the config.
    """

    name: str
    cells: tuple[PlannedCell, ...]
    duplicates: tuple[tuple[str, str], ...]
    excluded: tuple[str, ...]
    stages: tuple[Stage, ...]
    execution: Mapping[str, TrainRun | EvalRun | JudgeRun | None]
    lengths: Mapping[str, float]
    parameters: Mapping[str, int]
    absent: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def store(self) -> Store:
        """The store that the first cell names, with its upstream stores; all cells of a sweep share one."""
        return Store(self.cells[0].cell.store, self.cells[0].cell.upstream)

    @property
    def keep(self) -> str:
        """What stays of the models once they are scored, as the first cell says for all."""
        return self.cells[0].cell.keep

    @property
    def tracker(self) -> TrackerConfig:
        """The tracker that the first cell names; all cells of a sweep share one."""
        return self.cells[0].cell.tracker


def make(name: str | None, cells: Sequence[tuple[str, Cell, Mapping[str, Any]]], files: Files) -> Plan:
    """Plan labelled cells with their swept values. Raises `CellError` for the first cell that cannot be planned.

    Without a name the plan is called ``run-`` and a digest of its cells, so that only equal plans share a name.
    """
    planner = Planner(files)
    distinct: dict[str, PlannedCell] = {}
    duplicates, excluded = [], []
    for number, (label, cell, factors) in enumerate(cells):
        if is_excluded(cell, factors):
            excluded.append(label)
            continue
        try:
            trained, scores = planner.stages(cell)
            planned = PlannedCell(
                cell, label, trained, scores[-1][1], tuple(scores[:-1]), distinct_samples(trained), factors
            )
        except ValueError as problem:
            raise _at(cells, number, problem) from None
        first = distinct.setdefault(planned.key, planned)
        if first is not planned:
            duplicates.append((label, first.label))
    _check_names(distinct.values())
    name = name or f"run-{key_of(sorted(distinct))[:8]}"
    stages, execution = _collect(name, distinct.values())
    return Plan(
        name, tuple(distinct.values()), tuple(duplicates), tuple(excluded), stages, execution,
        planner.lengths, planner.parameters, tuple(files.absent), planner.notes,
    )  # fmt: skip


def _check_names(cells: Iterable[PlannedCell]) -> None:
    """Raise a ValueError where the table would call unlike models, strategies or data by one name, and so pool their
    results: models from two places, and two choices of a group.
    """
    first: dict[tuple[str, str], PlannedCell] = {}
    for planned in cells:
        for group in NAMED:
            here = getattr(planned.cell, group)
            other = first.setdefault((group, here.name), planned)
            there = getattr(other.cell, group)
            if group == "model" and here.place != there.place:
                raise ValueError(
                    f"model.name={here.name} stands for both {there.place} and {here.place}; "
                    "give each a name of its own: model.name=NAME, or a file conf/model/NAME.yaml for each"
                )
            old, new = (one.factors.get(group) for one in (other, planned))
            if old != new and here != there:
                raise ValueError(
                    f"{group}={old} and {group}={new} are unlike, and both have the line name: {here.name}, so the "
                    "table would pool their results; give each file a name of its own"
                )


def uncounted(cells: Sequence[tuple[str, Cell, Mapping[str, Any]]], files: Files) -> dict[str, Stage]:
    """The tokens that the store lacks of sources whose samples a plan of the cells counts, by config key.

    Raises `CellError` for the first cell whose sources cannot be read.
    """
    planner = Planner(files)
    stages: dict[str, Stage] = {}
    for number, (_, cell, factors) in enumerate(cells):
        try:
            stages |= {} if is_excluded(cell, factors) else planner.data_stages.uncounted(cell)
        except ValueError as problem:
            raise _at(cells, number, problem) from None
    return stages


def _at(cells: Sequence[tuple[str, Cell, Mapping[str, Any]]], number: int, problem: ValueError) -> CellError:
    """The error of one of these cells."""
    return CellError(f"{at_cell([given(label, factors) for label, _, factors in cells], number)}{problem}")


def _collect(
    name: str, cells: Iterable[PlannedCell]
) -> tuple[tuple[Stage, ...], dict[str, TrainRun | EvalRun | JudgeRun | None]]:
    stages: dict[str, Stage] = {}
    execution: dict[str, TrainRun | EvalRun | JudgeRun | None] = {}

    def visit(stage: Stage, planned: PlannedCell) -> None:
        if stage.key not in stages:
            for parent in stage.parents:
                visit(parent, planned)
            stages[stage.key] = stage
            execution[stage.key] = _execution(name, stage, planned)

    for planned in cells:
        for stage in (*planned.trained, *planned.every_score):
            visit(stage, planned)
    return tuple(stages.values()), execution


def _execution(name: str, stage: Stage, planned: PlannedCell) -> TrainRun | EvalRun | JudgeRun | None:
    cell = planned.cell
    if stage.kind == "train":
        title = f"{cell.model.name} {'base' if stage.spec.architecture else planned.label}"
        if len(title) > LONGEST_TITLE:
            title = title[: LONGEST_TITLE - 1] + "…"
        return TrainRun(title, cell.engine)
    if stage.kind == "score" and stage.spec.judge is not None:
        return replace(cell.suite.judge_client or JudgeRun(), ledger=name)
    return EvalRun(stage.key, cell.suite.eval_batch_size) if stage.kind == "answer" else None


def distinct_samples(trained: Iterable[Stage]) -> dict[str, int]:
    """Distinct samples of each ability over all fine-tuning stages: portions are nested, so the largest counts."""
    samples: dict[str, int] = {}
    for stage in trained:
        if stage.spec.architecture is None:
            for portion in stage.spec.portions:
                samples[portion.ability] = max(samples.get(portion.ability, 0), portion.samples)
    return samples
