"""What identifies answers and scores, and how they may be run. Imports nothing heavy: the planner reads it."""

from __future__ import annotations

from dataclasses import dataclass, field

TASKS = ("gsm8k", "humaneval", "ifeval", "loss")


@dataclass(frozen=True)
class Decoding:
    """Greedy when ``temperature`` is 0; ``seed`` feeds one generator per item, so order and batch never matter."""

    max_new_tokens: int
    temperature: float
    seed: int

    def __post_init__(self) -> None:
        if self.max_new_tokens < 1:
            raise ValueError(f"max_new_tokens={self.max_new_tokens} must be at least 1")
        if self.temperature < 0:
            raise ValueError(f"temperature={self.temperature} must be 0 (greedy) or more")


@dataclass(frozen=True)
class AnswerSpec:
    """A model's answers to the items of one task.

    The weights come from the input ``model`` (a Hugging Face folder) or from ``model_repo`` at ``model_revision``. The
    items come from the input ``data``: a file, or ``file`` inside a folder; ``items`` keeps the first so many (None:
    all). ``system`` is the system turn that training used, if any. The input ``tokenizer``, tokenised samples with
    their tokenizer, gives the chat template where the model's own folder has none. Task ``loss`` reads the tokenised
    samples of the input(s) named ``data`` or ``data.*``, generates nothing and has no decoding.
    """

    task: str
    file: str
    items: int | None
    model_repo: str | None
    model_revision: str | None
    decoding: Decoding | None
    precision: str
    system: str = field(default="", metadata={"neutral": ""})

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise ValueError(f"task={self.task!r} is unknown; choose one of: {', '.join(TASKS)}")
        if (self.decoding is None) != (self.task == "loss"):
            raise ValueError(f"task={self.task!r}: every task but 'loss' needs a decoding, 'loss' takes none")


@dataclass(frozen=True)
class ScoreSpec:
    """The verdicts on a set of answers: inputs ``answers`` and, but for task ``loss``, ``data`` as in `AnswerSpec`."""

    task: str
    file: str
    items: int | None
    seconds: float
    memory_mib: int


@dataclass(frozen=True)
class EvalRun:
    """How answers are made, never what: rows in one forward pass."""

    key: str
    batch_rows: int
