"""What suites ask for, what identifies answers and scores, and how they may be run. Light: the planner reads it."""

from __future__ import annotations

from dataclasses import dataclass, field

TASKS = ("gsm8k", "humaneval", "mbpp", "ifeval", "exact_match", "regex", "choice", "loss")


@dataclass(frozen=True)
class Task:
    """A measurement: ``task`` says how to ask and score, ``ability`` where the result counts.

    Task ``loss`` without a place reads the held-out rows of the ability's sources; with one, the answers in that file,
    read by ``format`` and ``fields`` as a source is. For any other task ``fields`` gives a name of ours to a column of
    the file. With ``samples`` above 1, which needs a temperature, every item is answered so many times.
    """

    ability: str
    task: str
    world: str | None = None
    path: str | None = None
    format: str | None = None
    fields: dict[str, str] = field(default_factory=dict)
    items: int | None = None
    max_new_tokens: int = 256
    temperature: float = 0.0
    samples: int = 1
    pattern: str = ""
    seconds: float = 3.0
    memory_mib: int = 1024

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise ValueError(f"task={self.task!r} is unknown; choose one of: {', '.join(TASKS)}")
        places = (self.world is not None) + (self.path is not None)
        if places > 1 or (places == 0 and self.task != "loss"):
            raise ValueError(f"task={self.task}: give exactly one of world and path")
        if (self.format is not None) != (self.task == "loss" and places == 1):
            raise ValueError(f"task={self.task}, format={self.format}: task loss on a file needs a format, others none")
        for name in ("items", "max_new_tokens", "samples", "seconds", "memory_mib"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name}={value} must be above 0")
        if self.samples > 1 and not self.temperature:
            raise ValueError(f"samples={self.samples}: greedy answers are all the same; set temperature above 0")
        if self.task == "regex" and not self.pattern:
            raise ValueError("task=regex needs a pattern, such as 'Answer: (.+)'")


@dataclass(frozen=True)
class Suite:
    """The tasks by name, the precision of the model while it answers, and rows in one forward pass."""

    name: str
    tasks: dict[str, Task]
    precision: str
    batch_rows: int


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
class Reading:
    """How items are read: ``fields`` gives a name of ours to a column of the user's; ``pattern`` is that of a regex."""

    fields: tuple[tuple[str, str], ...] = ()
    pattern: str = ""


AS_IS = Reading()


@dataclass(frozen=True)
class AnswerSpec:
    """A model's answers to the items of one task.

    The weights come from the input ``model`` (a Hugging Face folder) or from ``model_repo`` at ``model_revision``. The
    items come from the input ``data``: a file, or ``file`` inside a folder; ``items`` keeps the first so many (None:
    all). ``system`` is the system turn that training used, if any. The input ``tokenizer``, tokenised samples with
    their tokenizer, gives the chat template where the model's own folder has none. Task ``loss`` reads the tokenised
    samples of the input(s) named ``data`` or ``data.*``, generates nothing and has no decoding. With ``samples`` above
    1 every item is answered so many times, each time by random numbers of its own.
    """

    task: str
    file: str
    items: int | None
    model_repo: str | None
    model_revision: str | None
    decoding: Decoding | None
    precision: str
    system: str = field(default="", metadata={"neutral": ""})
    reading: Reading = field(default=AS_IS, metadata={"neutral": AS_IS})
    samples: int = field(default=1, metadata={"neutral": 1})

    def __post_init__(self) -> None:
        if self.samples < 1:
            raise ValueError(f"samples={self.samples} must be at least 1")
        if self.samples > 1 and (self.decoding is None or not self.decoding.temperature):
            raise ValueError(f"samples={self.samples}: greedy answers are all the same; set a temperature above 0")
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
    reading: Reading = field(default=AS_IS, metadata={"neutral": AS_IS})


@dataclass(frozen=True)
class EvalRun:
    """How answers are made, never what: rows in one forward pass."""

    key: str
    batch_rows: int
