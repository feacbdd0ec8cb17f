"""Tasks and suites as the config declares them. No heavy imports: the planner reads this."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from common.restore import refuse
from eval.spec.judge import Judge, JudgeRun, object_problems


@dataclass(frozen=True)
class TaskKind:
    """What a plan must know of a kind of task; the module of its name in eval/tasks has the rest.

    ``forms`` are the ways to present an item: as a conversation in the chat template; as a plain text that the model
    continues, which needs no template and so also measures base models; or as one text per choice, of which the model
    finds one the likeliest. With ``shots`` it can show worked examples before an item. A judge grades its answers where
    it is ``judged``.
    """

    forms: tuple[str, ...] = ("chat",)
    shots: bool = False
    judged: bool = False


BOTH = ("chat", "completion")

TASKS = {
    "gsm8k": TaskKind(BOTH, shots=True),
    "humaneval": TaskKind(BOTH),
    "mbpp": TaskKind(BOTH, shots=True),
    "ifeval": TaskKind(),
    "math": TaskKind(BOTH, shots=True),
    "exact_match": TaskKind(BOTH, shots=True),
    "regex": TaskKind(BOTH, shots=True),
    "choice": TaskKind((*BOTH, "likelihood"), shots=True),
    "mtbench": TaskKind(judged=True),
    "judge": TaskKind(judged=True),
    "loss": TaskKind(),
}
"""Every kind of task. Task ``loss`` asks nothing and has no module."""

ENGINES = ("local", "vllm")

PRECISIONS = ("fp32", "bf16")
"""Of the weights that answer."""

JUDGED = tuple(name for name, kind in TASKS.items() if kind.judged)
"""Tasks whose answers a judge grades."""

OWN = ("exact_match", "regex", "choice")
"""Tasks for questions of the user's own."""

FORMS = (*BOTH, "likelihood")

SCORED_STAGES = ("every", "last")
"""Training stages of a strategy after which a sweep measures the model."""

COMPARISONS = ("auto", "text", "number")
"""How an answer is compared with an accepted one: as a number where every accepted answer is one, or as told."""

IGNORABLE = ("case", "markup", "punctuation", "accents", "articles", "width")
"""What need not count where texts are compared. White space and a final full stop never do.

``width`` is that of full-width letters and half-width kana."""


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
    judge is shown. ``stops`` are strings that end an answer, in place of the task's own. With several answers per item,
    ``majority`` names the numbers k for which ``maj@k`` is reported.

    Questions of one's own (`OWN`) take a ``template`` for the prompt, in which ``{COLUMN}`` stands for a column; they
    are compared as ``compare`` says, without what ``ignore`` names. Raises ValueError for values that do not fit
    together.
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
    template: str = ""
    stops: list[str] = field(default_factory=list)
    majority: list[int] = field(default_factory=list)
    pattern: str = ""
    compare: str = "auto"
    ignore: list[str] = field(default_factory=lambda: ["case", "markup"])
    time_limit_seconds: float = 3.0
    memory_mib: int = 1024
    references: str | None = None

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise ValueError(f"task={self.task!r} is unknown; choose one of: {', '.join(TASKS)}")
        if self.path is not None and self.hub is not None:
            for name in ("hub", "revision", "config"):
                object.__setattr__(self, name, None)
        refuse((*self._place_problems(), *self._answer_problems(), *self._reading_problems()))

    def _place_problems(self) -> Iterator[str]:
        """What is wrong with where the items, worked examples and references lie."""
        # Task loss without a place reads what the sweep holds out of its own sources.
        places = sum(place is not None for place in (self.world, self.path, self.hub))
        if places > 1 or (places == 0 and self.task != "loss"):
            yield f"task={self.task}: give exactly one of world, path and hub"
        if self.hub is not None and self.revision is None:
            yield f"hub={self.hub}: also give revision, a commit or a branch such as main"
        if (self.format is not None) != (self.task == "loss" and places == 1):
            yield f"task={self.task}, format={self.format}: task loss on a file needs a format, others none"
        if self.references is not None and self.task not in JUDGED:
            yield f"task={self.task}: only a judge reads references; drop them, or choose task judge"
        # MBPP's published file holds its own worked examples.
        if self.shots and self.shots_from is None and (self.task != "mbpp" or self.hub):
            yield (
                f"task={self.task}, shots={self.shots}: set shots_from to the place of the worked examples: a file of "
                "the world, a path, or a split of the hub data set, like the items' own"
            )

    def _answer_problems(self) -> Iterator[str]:
        """What is wrong with how, and how often, the model answers."""
        for name in ("max_items", "max_new_tokens", "answers_per_item", "time_limit_seconds", "memory_mib"):
            value = getattr(self, name)
            if value is not None and not value > 0:
                yield f"{name}={value} must be above 0"
        yield from sampling_problems(self.temperature, self.top_p)
        if self.answers_per_item > 1 and not self.temperature:
            yield f"answers_per_item={self.answers_per_item}: greedy answers are all the same; set temperature above 0"
        yield from form_problems(self.task, self.form, self.shots)
        if "" in self.stops:
            yield "stops holds an empty text, which would end every answer; remove it"
        if any(not 1 <= k <= self.answers_per_item for k in self.majority):
            yield f"majority={self.majority}: each must be from 1 to answers_per_item={self.answers_per_item}"

    def _reading_problems(self) -> Iterator[str]:
        """What is wrong with how questions are put and answers are read."""
        if self.task == "regex" and not self.pattern:
            yield "task=regex needs a pattern, such as 'Answer: (.+)'"
        try:
            re.compile(self.pattern)
        except re.error as error:
            yield f"pattern={self.pattern!r} is not a regular expression: {error}"
        if self.template and self.task not in OWN:
            yield f"task={self.task}: a template is for the tasks {', '.join(OWN)}; drop it"
        if self.template and "{" not in self.template:
            yield f"template={self.template!r} names no column, so all prompts would be the same; write {{COLUMN}}"
        if self.compare not in COMPARISONS:
            yield f"compare={self.compare!r} is unknown; choose one of: {', '.join(COMPARISONS)}"
        if unknown := sorted(set(self.ignore) - set(IGNORABLE)):
            yield f"ignore={unknown[0]!r} is unknown; choose from: {', '.join(IGNORABLE)}"

    def first(self, items: int | None) -> Task:
        """The task with the first ``items`` items; None leaves it as it is. Raises ValueError for less than one."""
        if items is not None and items < 1:
            raise ValueError(f"items={items} must be at least 1")
        return self if items is None else replace(self, max_items=items)


def sampling_problems(temperature: float, top_p: float) -> Iterator[str]:
    """What is wrong with values with which no token can be drawn."""
    if not temperature >= 0:
        yield f"temperature={temperature} must be 0 (greedy) or more"
    if not 0 < top_p <= 1:
        yield f"top_p={top_p} must be above 0 and at most 1"


def form_problems(task: str, form: str, shots: int) -> Iterator[str]:
    """What is wrong with a form that the task does not have, or with ``shots`` worked examples that it cannot show."""
    if form not in FORMS:
        yield f"form={form!r} is unknown; choose one of: {', '.join(FORMS)}"
    elif form not in TASKS[task].forms:
        having = [name for name, kind in TASKS.items() if form in kind.forms]
        yield f"form={form}: task {task} does not have it; tasks that do: {', '.join(having)}"
    if shots < 0 or (shots and not TASKS[task].shots):
        having = [name for name, kind in TASKS.items() if kind.shots]
        yield f"shots={shots}: worked examples, 0 or more, are for the tasks {', '.join(having)}"


@dataclass(frozen=True)
class Suite:
    """Tasks by name, and how they are run: the model's precision, items per forward pass, backend, and the judge.

    ``judge`` says who grades, ``judge_client`` how it is called. ``score`` says after which training stages a model is
    measured: ``every`` one of its strategy, or the ``last``. ``template_options`` is a JSON object of further variables
    of the model's chat template, such as {"enable_thinking": false}. Raises ValueError for a value out of its range.
    """

    name: str
    tasks: dict[str, Task]
    precision: str
    eval_batch_size: int = 64
    judge: Judge | None = None
    judge_client: JudgeRun | None = None
    backend: str = "local"
    score: str = "every"
    template_options: str = ""

    def __post_init__(self) -> None:
        refuse(self._problems())

    def _problems(self) -> Iterator[str]:
        if self.template_options:
            yield from object_problems("template_options", self.template_options, '{"enable_thinking": false}')
        if not self.tasks:
            yield "tasks={}: the suite measures nothing; give it a task"
        for name in self.tasks:
            if not re.fullmatch(r"\w[\w .-]*", name):
                yield f"tasks.{name}: it also names a folder, so use only letters, digits and _ . -"
        if self.eval_batch_size < 1:
            yield f"eval_batch_size={self.eval_batch_size} must be at least 1"
        for name, allowed in (("precision", PRECISIONS), ("backend", ENGINES), ("score", SCORED_STAGES)):
            if getattr(self, name) not in allowed:
                yield f"{name}={getattr(self, name)!r} is unknown; choose one of: {', '.join(allowed)}"
