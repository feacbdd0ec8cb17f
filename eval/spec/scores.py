"""Specs of scores and overlaps. No heavy imports: the planner reads this."""

from __future__ import annotations

from dataclasses import dataclass, field

from eval.spec.answers import AS_IS, Reading
from eval.spec.judge import Judge
from eval.spec.tasks import JUDGED


@dataclass(frozen=True)
class ScoreSpec:
    """The verdicts on a set of answers.

    Inputs are ``answers`` and, except for task ``loss``, ``data`` as in `AnswerSpec`. A program may use ``seconds`` of
    CPU time and ``memory_mib`` MiB of address space. A ``judge`` reads the inputs ``references`` and ``prompts`` where
    they are present; a local one is the input ``judge``, runs in ``precision``, and its ``model`` is a digest of that
    folder. For each k in ``majority`` the answer that most of the first k answers give is scored too. Raises ValueError
    when the task needs a judge and has none, or the reverse.
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
    majority: tuple[int, ...] = field(default=(), metadata={"neutral": ()})

    def __post_init__(self) -> None:
        if (self.judge is not None) != (self.task in JUDGED):
            raise ValueError(f"task={self.task}: a judge is for the tasks {', '.join(JUDGED)}, and they need one")


@dataclass(frozen=True)
class OverlapSpec:
    """How much of a task's items a training source contains.

    Inputs are ``data``, as in `AnswerSpec`, and ``source``: a file, or ``source_file`` inside a folder. Every text in
    the source's rows counts, whatever its format.
    """

    task: str
    file: str
    source_file: str
    reading: Reading = AS_IS
