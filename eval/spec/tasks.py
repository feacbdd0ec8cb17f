"""Tasks and suites as the config declares them. No heavy imports: the planner reads this."""

from __future__ import annotations

from dataclasses import dataclass, field

from eval.spec.judge import Judge, JudgeRun

TASKS = ("gsm8k", "humaneval", "mbpp", "ifeval", "exact_match", "regex", "choice", "mtbench", "judge", "loss")

ENGINES = ("local", "vllm")

JUDGED = ("mtbench", "judge")
"""Tasks whose answers a judge grades."""

FORMS = ("chat", "completion")
"""How an item is presented: as a conversation in the chat template, or as a plain text that the model continues."""

WITH_COMPLETION = ("gsm8k", "humaneval", "mbpp")
"""Tasks that have the completion form, which needs no chat template and so also measures base models."""

SCORED_STAGES = ("every", "last")
"""Training stages of a strategy after which a sweep measures the model."""

WITH_SHOTS = ("gsm8k", "mbpp")
"""Tasks that can show worked examples before an item."""


@dataclass(frozen=True)
class Task:
    """A measurement: ``task`` says how to ask and score, ``ability`` which ability the result counts for.

    The items lie in a file of the embedded world or of the user, or in a hub data set; a ``path`` beside this is that
    of a local copy and takes its place.
    Task ``loss`` reads the held-out rows of the ability's sources; with a file, it reads the answers in that file by
    ``format`` and ``columns``, as a training source is read. In any other task ``columns`` maps the field names of the
    task to the columns of the file. ``max_items`` keeps the first items (None: all). With ``answers_per_item`` above 1,
    which needs a temperature, every item is answered that many times, and each answer gets ``time_limit_seconds`` of
    CPU time where its program is run. ``shots`` worked examples stand before each item. They come from ``shots_from``,
    which names the same kind of place as the items' own: a file of the world, a path, or a split of the hub data set.
    They are the first ones there, or drawn by ``shots_seed``. ``references`` is a file of reference answers that the
    judge is shown. Raises ValueError for values that do not fit together.
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
    columns: dict[str, str] = field(default_factory=dict)
    max_items: int | None = None
    max_new_tokens: int = 256
    temperature: float = 0.0
    answers_per_item: int = 1
    top_p: float = 1.0
    form: str = "chat"
    shots: int = 0
    shots_from: str | None = None
    shots_seed: int | None = None
    pattern: str = ""
    time_limit_seconds: float = 3.0
    memory_mib: int = 1024
    references: str | None = None

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise ValueError(f"task={self.task!r} is unknown; choose one of: {', '.join(TASKS)}")
        if self.references is not None and self.task not in JUDGED:
            raise ValueError(f"task={self.task}: only a judge reads references; drop them, or choose task judge")
        if self.path is not None and self.hub is not None:
            for name in ("hub", "revision", "config"):
                object.__setattr__(self, name, None)
        # Task loss without a place reads what the sweep holds out of its own sources.
        places = sum(place is not None for place in (self.world, self.path, self.hub))
        if places > 1 or (places == 0 and self.task != "loss"):
            raise ValueError(f"task={self.task}: give exactly one of world, path and hub")
        if self.hub is not None and self.revision is None:
            raise ValueError(f"hub={self.hub}: also give revision, a commit or a branch such as main")
        if (self.format is not None) != (self.task == "loss" and places == 1):
            raise ValueError(f"task={self.task}, format={self.format}: task loss on a file needs a format, others none")
        for name in ("max_items", "max_new_tokens", "answers_per_item", "time_limit_seconds", "memory_mib"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                raise ValueError(f"{name}={value} must be above 0")
        if self.answers_per_item > 1 and not self.temperature:
            raise ValueError(
                f"answers_per_item={self.answers_per_item}: greedy answers are all the same; set temperature above 0"
            )
        # MBPP's published file holds its own worked examples.
        if self.shots and self.shots_from is None and (self.task != "mbpp" or self.hub):
            raise ValueError(
                f"task={self.task}, shots={self.shots}: set shots_from to the place of the worked examples: a file of "
                "the world, a path, or a split of the hub data set, like the items' own"
            )
        check_form(self.task, self.form, self.shots)
        if self.task == "regex" and not self.pattern:
            raise ValueError("task=regex needs a pattern, such as 'Answer: (.+)'")


def check_form(task: str, form: str, shots: int) -> None:
    """Raise ValueError unless the task has that form and, for ``shots`` above 0, can show worked examples."""
    if form not in FORMS:
        raise ValueError(f"form={form!r} is unknown; choose one of: {', '.join(FORMS)}")
    if form == "completion" and task not in WITH_COMPLETION:
        raise ValueError(f"form=completion: task {task} does not have it; {', '.join(WITH_COMPLETION)} do")
    if shots < 0 or (shots and task not in WITH_SHOTS):
        raise ValueError(f"shots={shots}: worked examples, 0 or more, are for the tasks {', '.join(WITH_SHOTS)}")


@dataclass(frozen=True)
class Suite:
    """Tasks by name, and how they are run: the model's precision, items per forward pass, backend, and the judge.

    ``judge`` says who grades, ``judge_client`` how it is called. ``score`` says after which training stages a model is
    measured: ``every`` one of its strategy, or the ``last``.
    """

    name: str
    tasks: dict[str, Task]
    precision: str
    eval_batch_size: int
    judge: Judge | None = None
    judge_client: JudgeRun | None = None
    backend: str = "local"
    score: str = "every"

    def __post_init__(self) -> None:
        if self.score not in SCORED_STAGES:
            raise ValueError(f"score={self.score!r} is unknown; choose one of: {', '.join(SCORED_STAGES)}")
