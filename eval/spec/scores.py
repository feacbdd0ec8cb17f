"""What identifies scores and overlaps. Light: the planner reads it."""

from __future__ import annotations

from dataclasses import dataclass, field

from eval.spec.answers import AS_IS, Reading
from eval.spec.judge import Judge
from eval.spec.tasks import JUDGED


@dataclass(frozen=True)
class ScoreSpec:
    """The verdicts on a set of answers: inputs ``answers`` and, but for task ``loss``, ``data`` as in `AnswerSpec`.

    A ``judge`` reads the inputs ``references`` and ``prompts`` where there are any. A local one is the input ``judge``,
    speaks in ``precision``, and its ``model`` is the content of that folder.
    """

    task: str
    file: str
    items: int | None
    seconds: float
    memory_mib: int
    reading: Reading = field(default=AS_IS, metadata={"neutral": AS_IS})
    form: str = field(default="chat", metadata={"neutral": "chat"})
    judge: Judge | None = field(default=None, metadata={"neutral": None})
    precision: str = field(default="", metadata={"neutral": ""})

    def __post_init__(self) -> None:
        if (self.judge is not None) != (self.task in JUDGED):
            raise ValueError(f"task={self.task}: a judge is for the tasks {', '.join(JUDGED)}, and they need one")


@dataclass(frozen=True)
class OverlapSpec:
    """How much of a task's items a training source holds: inputs ``data``, as in `AnswerSpec`, and ``source``.

    The source is a file, or ``source_file`` inside a folder; every text in its rows counts, whatever its format.
    """

    task: str
    file: str
    source_file: str
    reading: Reading = AS_IS
