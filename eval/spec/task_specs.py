"""Build the specs of a suite task: of its answers, of their scores, and of its overlap with training data.

The sweep's planner and `python -m eval` both build them here, so the same task means the same measurement in both.
"""

from __future__ import annotations

from typing import NamedTuple

from eval.spec.answers import AnswerSpec, Decoding, Reading, Shots
from eval.spec.judge import Judge
from eval.spec.scores import OverlapSpec, ScoreSpec
from eval.spec.tasks import JUDGED, Suite, Task


class TaskSpecs(NamedTuple):
    """What identifies the answers to one task, and the scores of those answers."""

    answer: AnswerSpec
    score: ScoreSpec


def task_specs(
    task: Task, suite: Suite, *, seed: int, system: str, items_file: str = "", shots_file: str = ""
) -> TaskSpecs:
    """The specs of a task that the model in the input ``model`` answers.

    ``items_file`` and ``shots_file`` are the files inside the inputs ``data`` and ``shots``, '' where the input is
    itself a file. ``system`` is the system turn of the chat form; ``seed`` feeds drawn answers. A judge is that of the
    suite. For a model of the hub, or a local judge, replace the fields that name it.
    """
    loss = task.task == "loss"
    columns = () if loss else _columns(task)
    answer = AnswerSpec(
        task=task.task,
        file=items_file,
        items=task.max_items,
        model_repo=None,
        model_revision=None,
        decoding=None if loss or task.form == "likelihood" else decoding(task, seed),
        precision=suite.precision,
        system="" if loss or task.form != "chat" else system,
        reading=Reading(columns, template=task.template),
        samples=task.answers_per_item,
        form=task.form,
        shots=Shots(task.shots, shots_file, task.shots_seed) if task.shots else None,
        engine="local" if loss else suite.backend,
        stops=tuple(task.stops),
        template_options=suite.template_options if task.form == "chat" and not loss else "",
    )
    score = ScoreSpec(
        task=task.task,
        file=items_file,
        items=task.max_items,
        seconds=task.time_limit_seconds,
        memory_mib=task.memory_mib,
        # Only scoring reads the pattern and how texts are compared: others keep the answers.
        reading=Reading(columns, task.pattern, task.template, task.compare, tuple(task.ignore)),
        form=task.form,
        judge=(suite.judge or Judge()) if task.task in JUDGED else None,
        majority=tuple(task.majority),
    )
    return TaskSpecs(answer, score)


def decoding(task: Task, seed: int) -> Decoding:
    """How answers are drawn.

    Greedy answers use no randomness and get seed 0, so that cells of all seeds share them. MT-Bench sets a temperature
    per category, so its seed always counts.
    """
    if not task.temperature and task.task != "mtbench":
        return Decoding(task.max_new_tokens, 0.0, 0)
    return Decoding(task.max_new_tokens, task.temperature, seed, task.top_p)


def overlap_spec(task: Task, *, items_file: str = "", source_file: str = "") -> OverlapSpec:
    """The spec of a task's overlap with a training source; files as in `task_specs`, ``source_file`` the source's."""
    return OverlapSpec(task.task, items_file, source_file, Reading(_columns(task), template=task.template))


def _columns(task: Task) -> tuple[tuple[str, str], ...]:
    return tuple(sorted(task.columns.items()))
