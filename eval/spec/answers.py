"""Specs of answers and of hub rows, and how answers are made. No heavy imports: the planner reads this."""

from __future__ import annotations

from dataclasses import dataclass, field

from common.restore import refuse
from eval.spec.judge import object_problems
from eval.spec.tasks import ENGINES, TASKS, form_problems, sampling_problems


@dataclass(frozen=True)
class Decoding:
    """How tokens are chosen: greedily at temperature 0, else drawn at ``temperature``.

    ``seed`` and an item's name seed a generator for that item alone, so order and batch do not matter. With ``top_p``
    below 1 a token is drawn from the smallest set of likeliest tokens that together reach it. Raises ValueError for a
    value outside its range.
    """

    max_new_tokens: int
    temperature: float
    seed: int
    top_p: float = field(default=1.0, metadata={"neutral": 1.0})

    def __post_init__(self) -> None:
        if self.max_new_tokens < 1:
            raise ValueError(f"max_new_tokens={self.max_new_tokens} must be at least 1")
        refuse(sampling_problems(self.temperature, self.top_p))


@dataclass(frozen=True)
class Reading:
    """How items are read and compared: ``fields`` maps a field of the task to a column of the file.

    ``template`` is the prompt of one's own questions, ``pattern`` that of task regex; ``compare`` and ``ignore`` as in
    `Task`.
    """

    fields: tuple[tuple[str, str], ...] = ()
    pattern: str = ""
    template: str = field(default="", metadata={"neutral": ""})
    compare: str = field(default="auto", metadata={"neutral": "auto"})
    ignore: tuple[str, ...] = field(default=("case", "markup"), metadata={"neutral": ("case", "markup")})


AS_IS = Reading()


@dataclass(frozen=True)
class Shots:
    """Worked examples before each item: the first ``number`` of the input ``shots``, or as many drawn by ``seed``.

    The input is a file, or ``file`` inside a folder. Drawn examples are shown in the order drawn.
    """

    number: int
    file: str
    seed: int | None = None


@dataclass(frozen=True)
class AnswerSpec:
    """A model's answers to the items of one task.

    The weights come from the input ``model`` (a Hugging Face folder, or one that holds it as ``model_folder``), or from
    ``model_repo`` at ``model_revision``. The items come from the input ``data``, a file or ``file`` inside a folder;
    ``items`` is how many of them are answered, from the first (None: all). ``system`` is the system turn used in
    training, if any. The input ``tokenizer`` (a folder of tokenised samples) supplies tokenizer and chat template where
    the model's own folder has no template. With ``samples`` above 1 every item is answered that many times, each time
    with random numbers of its own. In the completion ``form`` the model continues a plain text, without template and
    system turn; in the form ``likelihood`` it finds the likeliest of several continuations. Without ``stops`` an answer
    ends at those of the task. ``template_options`` is a JSON object of further variables of the chat template. Task
    ``loss`` reads tokenised samples from the inputs ``data`` or ``data.NAME``, generates nothing, and has no decoding.
    Engines may differ where two tokens are almost equally likely, so ``engine`` is part of the identity. Raises
    ValueError for values that do not fit together.
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
    stops: tuple[str, ...] = field(default=(), metadata={"neutral": ()})
    template_options: str = field(default="", metadata={"neutral": ""})
    model_folder: str = field(default="", metadata={"neutral": ""})

    def __post_init__(self) -> None:
        if self.engine not in ENGINES:
            raise ValueError(f"engine={self.engine!r} is unknown; choose one of: {', '.join(ENGINES)}")
        if self.template_options:
            refuse(object_problems("template_options", self.template_options, '{"enable_thinking": false}'))
        if self.samples < 1:
            raise ValueError(f"samples={self.samples} must be at least 1")
        # The same answer many times would look like a precise measurement.
        if self.samples > 1 and (self.decoding is None or not self.decoding.temperature):
            raise ValueError(f"samples={self.samples}: greedy answers are all the same; set a temperature above 0")
        if self.task not in TASKS:
            raise ValueError(f"task={self.task!r} is unknown; choose one of: {', '.join(TASKS)}")
        refuse(form_problems(self.task, self.form, self.shots.number if self.shots else 0))
        if (self.decoding is None) != (self.task == "loss" or self.form == "likelihood"):
            raise ValueError(
                f"task={self.task!r}, form={self.form!r}: task 'loss' and form 'likelihood' take no decoding, all "
                "others need one"
            )
        if self.form == "likelihood" and self.engine != "local":
            raise ValueError(f"form=likelihood: engine {self.engine} gives no likelihoods; set backend=local")


ROWS = "rows.jsonl"
"""The file that a rows stage writes for a split."""


@dataclass(frozen=True)
class HubRows:
    """The rows of a hub data set at one revision: of one ``split`` of its ``config``, or of ``file`` in its repository.

    Only this stage reads a data set from the hub.
    """

    repo: str
    revision: str
    config: str | None
    split: str
    file: str = field(default="", metadata={"neutral": ""})

    @property
    def result(self) -> str:
        """The name of the file that holds the rows: that of ``file`` if there is one."""
        return self.file.rpartition("/")[2] or ROWS


@dataclass(frozen=True)
class EvalRun:
    """How answers are made. Nothing here changes them.

    ``key`` identifies the run whose partial answers may be continued, ``batch_rows`` is the number of items in one
    forward pass, ``workers`` the most processes (None: one per GPU, or one).
    """

    key: str
    batch_rows: int
    workers: int | None = None

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise ValueError(f"workers={self.workers} must be at least 1")
