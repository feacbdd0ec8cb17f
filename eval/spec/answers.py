"""What identifies answers, and how they may be made. Light: the planner reads it."""

from __future__ import annotations

from dataclasses import dataclass, field

from eval.spec.tasks import ENGINES, TASKS, asked


@dataclass(frozen=True)
class Decoding:
    """Greedy when ``temperature`` is 0; ``seed`` feeds one generator per item, so order and batch never matter.

    With ``top_p`` below 1 only the likeliest tokens that together reach it are drawn from.
    """

    max_new_tokens: int
    temperature: float
    seed: int
    top_p: float = field(default=1.0, metadata={"neutral": 1.0})

    def __post_init__(self) -> None:
        if self.max_new_tokens < 1:
            raise ValueError(f"max_new_tokens={self.max_new_tokens} must be at least 1")
        if self.temperature < 0:
            raise ValueError(f"temperature={self.temperature} must be 0 (greedy) or more")
        if not 0 < self.top_p <= 1:
            raise ValueError(f"top_p={self.top_p} must be above 0 and at most 1")


@dataclass(frozen=True)
class Reading:
    """How items are read: ``fields`` gives a name of ours to a column of the user's; ``pattern`` is that of a regex."""

    fields: tuple[tuple[str, str], ...] = ()
    pattern: str = ""


AS_IS = Reading()


@dataclass(frozen=True)
class Shots:
    """Worked examples before each item: the first ``number`` of the input ``shots`` (a file, or ``file`` inside a
    folder), or as many drawn from it by ``seed``, in the order drawn."""

    number: int
    file: str
    seed: int | None = None


@dataclass(frozen=True)
class AnswerSpec:
    """A model's answers to the items of one task.

    The weights come from the input ``model`` (a Hugging Face folder) or from ``model_repo`` at ``model_revision``. The
    items come from the input ``data``: a file, or ``file`` inside a folder; ``items`` keeps the first so many (None:
    all). ``system`` is the system turn that training used, if any. The input ``tokenizer``, tokenised samples with
    their tokenizer, gives the chat template where the model's own folder has none. Task ``loss`` reads the tokenised
    samples of the input(s) named ``data`` or ``data.*``, generates nothing and has no decoding. With ``samples`` above
    1 every item is answered so many times, each time by random numbers of its own. In the ``form`` completion the model
    goes on with a plain text, without template and system turn. Engines agree but for tokens that are all but equally
    likely, so the ``engine`` is part of what names the answers.
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
    form: str = field(default="chat", metadata={"neutral": "chat"})
    shots: Shots | None = field(default=None, metadata={"neutral": None})
    engine: str = field(default="local", metadata={"neutral": "local"})

    def __post_init__(self) -> None:
        if self.engine not in ENGINES:
            raise ValueError(f"engine={self.engine!r} is unknown; choose one of: {', '.join(ENGINES)}")
        if self.samples < 1:
            raise ValueError(f"samples={self.samples} must be at least 1")
        if self.samples > 1 and (self.decoding is None or not self.decoding.temperature):
            raise ValueError(f"samples={self.samples}: greedy answers are all the same; set a temperature above 0")
        if self.task not in TASKS:
            raise ValueError(f"task={self.task!r} is unknown; choose one of: {', '.join(TASKS)}")
        asked(self.task, self.form, self.shots.number if self.shots else 0)
        if (self.decoding is None) != (self.task == "loss"):
            raise ValueError(f"task={self.task!r}: every task but 'loss' needs a decoding, 'loss' takes none")


ROWS = "rows.jsonl"
"""The file of a rows stage."""


@dataclass(frozen=True)
class HubRows:
    """The rows of one split of a hub data set at one revision: the stage that everything else reads them from."""

    repo: str
    revision: str
    config: str | None
    split: str


@dataclass(frozen=True)
class EvalRun:
    """How answers are made, never what: rows in one forward pass, and the most processes (None: one a GPU, or one)."""

    key: str
    batch_rows: int
    workers: int | None = None

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise ValueError(f"workers={self.workers} must be at least 1")
