"""What suites ask for, what identifies answers and scores, and how they may be run. Light: the planner reads it."""

from __future__ import annotations

from dataclasses import dataclass, field

from eval.judge.spec import Judge, JudgeRun

TASKS = ("gsm8k", "humaneval", "mbpp", "ifeval", "exact_match", "regex", "choice", "mtbench", "judge", "loss")

ENGINES = ("local", "vllm")

ENGINES = ("local", "vllm")

JUDGED = ("mtbench", "judge")
"""Tasks whose verdicts a judge gives."""


FORMS = ("chat", "completion")
"""How an item is put: as a conversation in the chat template, or as a plain text to go on with."""

COMPLETED = ("gsm8k", "humaneval", "mbpp")
"""Tasks with a completion form, which needs no chat template, so that base models can be measured too."""

SHOWN = ("gsm8k", "mbpp")
"""Tasks that can show worked examples."""


@dataclass(frozen=True)
class Task:
    """A measurement: ``task`` says how to ask and score, ``ability`` where the result counts.

    Task ``loss`` without a place reads the held-out rows of the ability's sources; with one, the answers in that file,
    read by ``format`` and ``fields`` as a source is. For any other task ``fields`` gives a name of ours to a column of
    the file. With ``samples`` above 1, which needs a temperature, every item is answered so many times. Before each
    item stand ``shots`` worked examples of ``shots_from``, which lies where the items lie: a file of the world, a path,
    or a split of the hub data set. They are the first ones, or drawn by ``shots_seed``. ``references``
    is a file of reference answers that the judge is shown.
    """

    ability: str
    task: str
    world: str | None = None
    path: str | None = None
    hub: str | None = None
    revision: str | None = None
    config: str | None = None
    split: str = "test"
    format: str | None = None
    fields: dict[str, str] = field(default_factory=dict)
    items: int | None = None
    max_new_tokens: int = 256
    temperature: float = 0.0
    samples: int = 1
    top_p: float = 1.0
    form: str = "chat"
    shots: int = 0
    shots_from: str | None = None
    shots_seed: int | None = None
    pattern: str = ""
    seconds: float = 3.0
    memory_mib: int = 1024
    references: str | None = None

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise ValueError(f"task={self.task!r} is unknown; choose one of: {', '.join(TASKS)}")
        if self.references is not None and self.task not in JUDGED:
            raise ValueError(f"task={self.task}: only a judge reads references; drop them, or choose task judge")
        places = sum(place is not None for place in (self.world, self.path, self.hub))
        if places > 1 or (places == 0 and self.task != "loss"):
            raise ValueError(f"task={self.task}: give exactly one of world, path and hub")
        if self.hub is not None and self.revision is None:
            raise ValueError(f"hub={self.hub}: also give revision, a commit or a branch such as main")
        if (self.format is not None) != (self.task == "loss" and places == 1):
            raise ValueError(f"task={self.task}, format={self.format}: task loss on a file needs a format, others none")
        for name in ("items", "max_new_tokens", "samples", "seconds", "memory_mib"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name}={value} must be above 0")
        if self.samples > 1 and not self.temperature:
            raise ValueError(f"samples={self.samples}: greedy answers are all the same; set temperature above 0")
        if self.shots and self.shots_from is None and (self.task != "mbpp" or self.hub):
            raise ValueError(
                f"task={self.task}, shots={self.shots}: say with shots_from where the worked examples lie: a file of "
                "the world, a path, or a split of the hub data set, whichever the items have"
            )
        asked(self.task, self.form, self.shots)
        if self.task == "regex" and not self.pattern:
            raise ValueError("task=regex needs a pattern, such as 'Answer: (.+)'")


def asked(task: str, form: str, shots: int) -> None:
    """Raise a ValueError unless the task has that form and can show examples where any are asked for."""
    if form not in FORMS:
        raise ValueError(f"form={form!r} is unknown; choose one of: {', '.join(FORMS)}")
    if form == "completion" and task not in COMPLETED:
        raise ValueError(f"form=completion: task {task} has none; {', '.join(COMPLETED)} have one")
    if shots < 0 or (shots and task not in SHOWN):
        raise ValueError(f"shots={shots}: worked examples, 0 or more, are for the tasks {', '.join(SHOWN)}")


@dataclass(frozen=True)
class Suite:
    """The tasks by name, precision and engine of the model while it answers, rows in one forward pass, who judges."""

    name: str
    tasks: dict[str, Task]
    precision: str
    batch_rows: int
    judge: Judge | None = None
    judging: JudgeRun | None = None
    engine: str = "local"


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
class OverlapSpec:
    """How much of a task's items a training source holds: inputs ``data``, as in `AnswerSpec`, and ``source``.

    The source is a file, or ``source_file`` inside a folder; every text in its rows counts, whatever its format.
    """

    task: str
    file: str
    source_file: str
    reading: Reading = AS_IS


@dataclass(frozen=True)
class EvalRun:
    """How answers are made, never what: rows in one forward pass, and the most processes (None: one a GPU, or one)."""

    key: str
    batch_rows: int
    workers: int | None = None

    def __post_init__(self) -> None:
        if self.workers is not None and self.workers < 1:
            raise ValueError(f"workers={self.workers} must be at least 1")
