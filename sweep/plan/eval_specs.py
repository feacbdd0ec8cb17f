"""What a task of the suite asks of a cell's model: the identities of its answers and scores."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from eval.spec.answers import ROWS, AnswerSpec, Decoding, Reading, Shots
from eval.spec.judge import Judge, JudgeRun
from eval.spec.scores import ScoreSpec
from eval.spec.tasks import JUDGED, Task
from sweep.config.cell import Cell
from sweep.plan.files import Files
from sweep.stages.stage import File, Stage


def make(task: Task, cell: Cell) -> tuple[AnswerSpec, ScoreSpec]:
    """The specs of a task's answers by the cell's own model, and of their scores."""
    file, loss = _file(task, task.world), task.task == "loss"
    fields = () if loss else tuple(sorted(task.fields.items()))
    shots = Shots(task.shots, _file(task, task.shots_from or task.world), task.shots_seed) if task.shots else None
    answer = AnswerSpec(
        task.task, file, task.items, None, None, None if loss else decoding(task, cell.seed), cell.suite.precision,
        "" if loss or task.form == "completion" else cell.data.system, Reading(fields), task.samples, task.form, shots,
        "local" if loss else cell.suite.engine,
    )  # fmt: skip
    reading = Reading(fields, task.pattern)  # a new pattern asks nobody again
    score = ScoreSpec(
        task.task, file, task.items, task.seconds, task.memory_mib, reading, task.form,
        (cell.suite.judge or Judge()) if task.task in JUDGED else None,
    )  # fmt: skip
    return answer, score


def judged(
    name: str, task: Task, cell: Cell, score: ScoreSpec, files: Files
) -> tuple[ScoreSpec, Mapping[str, Stage | File]]:
    """The score's spec with the judge's identity, and the files that a judge is shown; a local judge is one of them."""
    if score.judge is None:
        return score, {}
    execution = cell.suite.judging or JudgeRun()
    places = {
        "references": (f"suite.tasks.{name}.references", task.references),
        "prompts": ("suite.judging.prompts", execution.prompts),
    }
    found: dict[str, Stage | File] = {
        kind: files.file(where, path, True) for kind, (where, path) in places.items() if path is not None
    }
    if execution.path is None:
        return score, found
    if score.judge.model is not None:
        raise ValueError(
            f"suite.judge.model={score.judge.model} and suite.judging.path={execution.path} "
            "exclude each other; drop one"
        )
    local = files.file("suite.judging.path", execution.path)
    named = replace(score.judge, model=local.key)
    return replace(score, judge=named, precision=cell.suite.precision), {**found, "judge": local}


def decoding(task: Task, seed: int) -> Decoding:
    """How answers are drawn; greedy ones use no randomness, so that seeds share them. MT-Bench draws by category."""
    if not task.temperature and task.task != "mtbench":
        return Decoding(task.max_new_tokens, 0.0, 0)
    return Decoding(task.max_new_tokens, task.temperature, seed, task.top_p)


def _file(task: Task, world: str | None) -> str:
    """The file inside a task's input: that of the world, that of a rows stage, or none, as the input is the file."""
    return (world or "") if task.world is not None else ROWS if task.hub is not None else ""
