"""What a task of the suite asks of a cell's model: the identities of its answers and scores."""

from __future__ import annotations

from eval.spec import ROWS, AnswerSpec, Decoding, Reading, ScoreSpec, Shots, Task
from sweep.cell import Cell


def make(task: Task, cell: Cell) -> tuple[AnswerSpec, ScoreSpec]:
    """The specs of a task's answers by the cell's own model, and of their scores."""
    file, loss = _file(task, task.world), task.task == "loss"
    fields = () if loss else tuple(sorted(task.fields.items()))
    shots = Shots(task.shots, _file(task, task.shots_from or task.world), task.shots_seed) if task.shots else None
    answer = AnswerSpec(
        task.task, file, task.items, None, None, None if loss else decoding(task, cell.seed), cell.suite.precision,
        "" if loss or task.form == "completion" else cell.data.system, Reading(fields), task.samples, task.form, shots,
    )  # fmt: skip
    reading = Reading(fields, task.pattern)  # a new pattern asks nobody again
    return answer, ScoreSpec(task.task, file, task.items, task.seconds, task.memory_mib, reading, task.form)


def decoding(task: Task, seed: int) -> Decoding:
    """How answers are drawn; greedy ones use no randomness, so that seeds share them."""
    if not task.temperature:
        return Decoding(task.max_new_tokens, 0.0, 0)
    return Decoding(task.max_new_tokens, task.temperature, seed, task.top_p)


def _file(task: Task, world: str | None) -> str:
    """The file inside a task's input: that of the world, that of a rows stage, or none, as the input is the file."""
    return (world or "") if task.world is not None else ROWS if task.hub is not None else ""
