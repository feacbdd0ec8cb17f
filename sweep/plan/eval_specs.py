"""Build the AnswerSpec and ScoreSpec of a suite task for a cell, with the files that its judge reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from eval.spec.answers import ROWS
from eval.spec.judge import JudgeRun
from eval.spec.scores import ScoreSpec
from eval.spec.task_specs import TaskSpecs, task_specs
from eval.spec.tasks import Task
from sweep.config.cell import Cell
from sweep.plan.files import Files
from sweep.stages.stage import File, Stage


def make(task: Task, cell: Cell) -> TaskSpecs:
    """The specs of a task's answers by the cell's own model, and of their scores."""
    return task_specs(
        task, cell.suite, seed=cell.seed, system=cell.data.system, items_file=_file(task, task.world),
        shots_file=_file(task, task.shots_from or task.world),
    )  # fmt: skip


def with_judge(
    name: str, task: Task, cell: Cell, score: ScoreSpec, files: Files
) -> tuple[ScoreSpec, Mapping[str, Stage | File]]:
    """The score's spec with the identity of its judge, and the inputs that the judge reads.

    A local judge is itself an input. Tasks without a judge keep their spec and have no such inputs. Raises a ValueError
    when both a local judge and one at an endpoint are set.
    """
    if score.judge is None:
        return score, {}
    execution = cell.suite.judge_client or JudgeRun()
    places = {
        "references": (f"suite.tasks.{name}.references", task.references),
        "prompts": ("suite.judge_client.prompts", execution.prompts),
    }
    input_files: dict[str, Stage | File] = {
        kind: files.file(where, path, True) for kind, (where, path) in places.items() if path is not None
    }
    if execution.path is None:
        return score, input_files
    if score.judge.model is not None:
        raise ValueError(
            f"suite.judge.model={score.judge.model} and suite.judge_client.path={execution.path} "
            "exclude each other; drop one"
        )
    local = files.file("suite.judge_client.path", execution.path)
    judge = replace(score.judge, model=local.key)
    return replace(score, judge=judge, precision=cell.suite.precision), {**input_files, "judge": local}


def _file(task: Task, world: str | None) -> str:
    """The file inside a task's input: of the world, of a rows stage, or "" where the input is itself the file."""
    return (world or "") if task.world is not None else ROWS if task.hub is not None else ""
