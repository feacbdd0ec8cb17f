"""A cell, one point of a sweep: its types and checks. The values are in conf/."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from fractions import Fraction
from functools import cached_property
from typing import Any, ClassVar

from common.options import near
from common.sweep_name import check_sweep_name
from eval.spec.tasks import Suite, Task
from sweep.config.amount import STUDY_REPLAY, WHOLE, Amount
from sweep.config.kept_models import KEEP
from sweep.config.strategy import EACH, GENERAL, SPECIALISED, WORDS, Strategy
from sweep.config.tracker import TrackerConfig
from train.spec import (
    CLEANING,
    FORMATS,
    LONG_POLICIES,
    POLICIES,
    Architecture,
    EngineConfig,
    Recipe,
    WorldSpec,
    one_of,
    positive,
)

LABELS = ("name", "data.name", "model.name", "strategy.name", "suite.name", "suite.tasks.*.ability", "ratio")
"""Config keys that only name things in tables, or matter only where another key interpolates them."""

EXECUTION = (
    "store", "upstream", "workers", "dry_run", "json", "replace", "keep", "exclude", "engine", "tracker",
    "suite.eval_batch_size", "suite.judge_client", "suite.score", "suite.tasks.*.references", "suite.tasks.*.path",
    "model.parameters", "model.resources", "model.path", "data.sources.*.path", "data.corpus.*.path",
)  # fmt: skip
"""Config keys of where and how work runs, and what is measured and kept. Of paths, the content enters stages' keys."""


@dataclass(frozen=True)
class Source:
    """Training rows for one ability: a file of the embedded world, a file of the user, or a hub data set.

    Of a hub data set, ``config`` and ``split`` or the ``file`` in its repository say which rows; a ``path`` beside it
    is that of a local copy and takes its place. ``columns`` maps the field names of the format to the columns of the
    file; only rows whose columns have one of the values in ``only`` are used, such as ``{topic: [facts]}``. ``clean``
    names the steps that clean the rows, in order. ``held_out_rows`` rows are set aside for the loss. A malformed row is
    an error or skipped (``on_bad_row``); so is one longer than the model takes, unless it is truncated
    (``on_overlong``). ``num_rows`` and ``tokens_per_sample`` let a plan be estimated without the file.
    """

    ability: str
    format: str
    world: str | None = None
    path: str | None = None
    hub: str | None = None
    revision: str | None = None
    config: str | None = None
    file: str | None = None
    split: str = "train"
    num_rows: int | None = None
    tokens_per_sample: int | None = None
    columns: dict[str, str] = field(default_factory=dict)
    only: dict[str, list[str]] = field(default_factory=dict)
    clean: list[str] = field(default_factory=list)
    held_out_rows: int = 0
    on_bad_row: str = "error"
    on_overlong: str = "truncate"

    def __post_init__(self) -> None:
        if self.path is not None and self.hub is not None:
            for name in ("hub", "revision", "config", "file"):
                object.__setattr__(self, name, None)
        places = [name for name in ("world", "path", "hub") if getattr(self, name) is not None]
        if len(places) != 1:
            raise ValueError(f"has {' and '.join(places) or 'no place'}: give exactly one of world, path and hub")
        one_of("format", self.format, FORMATS)
        one_of("on_bad_row", self.on_bad_row, POLICIES)
        one_of("on_overlong", self.on_overlong, LONG_POLICIES)
        if self.hub is not None and (self.revision is None or self.num_rows is None):
            raise ValueError(f"hub={self.hub!r}: also give revision and num_rows, for the plan")
        for name, value in (("config", self.config), ("file", self.file)):
            if value is not None and self.hub is None:
                raise ValueError(f"{name}={value!r} is about a hub data set; give hub and revision, or drop it")
        if self.config is not None and self.file is not None:
            raise ValueError(f"config={self.config!r} and file={self.file!r} exclude each other")
        for step in self.clean:
            one_of("clean", step, CLEANING)
        for column, values in self.only.items():
            if not values:
                raise ValueError(f"only.{column} is empty, so no row would be used; give the values to keep")
        if self.held_out_rows < 0:
            raise ValueError(f"held_out_rows={self.held_out_rows} must be 0 or more")

    @property
    def complete(self) -> bool:
        """Whether every row is a sample, so that a plan need not tokenise them to count: rows of the embedded world."""
        return self.world is not None and not self.only


@dataclass(frozen=True)
class Data:
    """The sources of every ability, and the corpus and tokenizer of models that are built from scratch.

    ``replay`` is how much of the specialised abilities the second stage of ``strategy=dmt`` replays unless told.
    ``general`` names the general ability; all others are specialised. Samples have up to ``max_length`` tokens, those
    of the corpus up to ``corpus_max_length``, where that is given.
    """

    IF_ABSENT: ClassVar[str] = "give a value, or begin the file of the data with defaults: [base, _self_]"

    name: str
    template: str
    system: str
    max_length: int
    world: WorldSpec | None
    vocabulary: int
    sources: dict[str, Source]
    corpus: dict[str, Source]
    replay: Amount = STUDY_REPLAY
    general: str = GENERAL
    corpus_max_length: int | None = None

    def __post_init__(self) -> None:
        positive(max_length=self.max_length, vocabulary=self.vocabulary, corpus_max_length=self.corpus_max_length)
        for name, source in self.sources.items():
            if source.ability in WORDS and source.ability != self.general:
                other = f", here {self.general}" if source.ability == GENERAL else ""
                meant = f"in strategies and amounts this word stands for {WORDS[source.ability]}{other}"
                raise ValueError(f"sources.{name}.ability={source.ability}: {meant}; give the ability another name")

    @property
    def abilities(self) -> list[str]:
        """The abilities that have a source, in the order of the sources."""
        return list(dict.fromkeys(source.ability for source in self.sources.values()))

    @property
    def specialised(self) -> list[str]:
        """The abilities that have a source, but for the general one."""
        return [ability for ability in self.abilities if ability != self.general]

    def of(self, ability: str) -> dict[str, Source]:
        """The sources of an ability by name."""
        return {name: source for name, source in self.sources.items() if source.ability == ability}


@dataclass(frozen=True)
class Pretraining(Recipe):
    """The recipe of a base model that is built from scratch, and its seed: of the weights and of the corpus's order."""

    checkpoints: tuple[str, ...] = field(default=(), metadata={"derived": True})  # only fine-tuning is measured
    seed: int = 0

    @property
    def recipe(self) -> Recipe:
        """The recipe without the seed."""
        return Recipe(**{part.name: getattr(self, part.name) for part in fields(Recipe)})


@dataclass(frozen=True)
class Model:
    """A base model: from a hub, from a folder, or built by pretraining ``architecture`` on the corpus.

    ``learning_rate`` is what ``recipe=micro`` fine-tunes with. For a model from elsewhere ``architecture`` and
    ``parameters`` only serve the estimates. Laid over a model that is built here, a hub or folder takes the place of
    its architecture and pretraining. ``resources`` holds values of one's own that say what a job of this model needs,
    for ``hydra.launcher`` and ``engine`` to read, such as ``hydra.launcher.timeout_min=${model.resources.minutes}``.
    """

    name: str
    architecture: Architecture | None = None
    pretrain: Pretraining | None = None
    learning_rate: float | None = None
    hub: str | None = None
    revision: str | None = None
    path: str | None = None
    parameters: int | None = None
    resources: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.hub is not None and self.path is not None:
            raise ValueError(f"hub={self.hub!r} and path={self.path!r} exclude each other")
        if self.hub is not None and self.revision is None:
            raise ValueError(f"hub={self.hub!r} needs a revision")
        if self.scratch and (self.architecture is None or self.pretrain is None):
            raise ValueError("give hub, path, or architecture with a pretrain recipe")
        if not self.scratch and self.pretrain is not None:
            object.__setattr__(self, "architecture", None)
            object.__setattr__(self, "pretrain", None)

    @property
    def scratch(self) -> bool:
        """Whether the model is built by pretraining."""
        return self.hub is None and self.path is None

    @property
    def place(self) -> str:
        """Where the model comes from, as the config says it."""
        if self.path is not None:
            return f"model.path={self.path}"
        return f"model.hub={self.hub} model.revision={self.revision}" if self.hub is not None else "pretraining"


@dataclass(frozen=True)
class Cell:
    """One point of a sweep. A stage trains on ``fraction`` x ``amount.<ability>`` x the fraction in the stage.

    ``amount.specialised`` and ``amount.general`` hold for abilities without an amount of their own. Up to 1 an amount
    is a fraction of the source, above 1 a number of samples; ``fraction`` is never a count. ``total_samples`` fixes the
    number of samples of the whole cell, and the three numbers then only set its proportions.
    """

    name: str | None
    store: str
    upstream: list[str]
    workers: int | None
    dry_run: bool
    json: bool
    replace: bool
    keep: str
    exclude: list[dict[str, Any]]
    ability: str
    fraction: Amount
    amount: dict[str, Amount]
    replay: Amount | None
    ratio: Any
    total_samples: int | None
    allow_repeats: bool
    sample_rounding: str
    seed: int
    data: Data
    model: Model
    strategy: Strategy
    recipe: Recipe
    suite: Suite
    engine: EngineConfig
    tracker: TrackerConfig

    def __post_init__(self) -> None:
        if self.name is not None:
            check_sweep_name(self.name)
        one_of("sample_rounding", self.sample_rounding, ("floor", "round", "ceil"))
        one_of("keep", self.keep, KEEP)
        positive(total_samples=self.total_samples, workers=self.workers)
        if self.fraction.value > 1:
            raise ValueError(f"fraction={self.fraction.text} must be between 0 (the untrained base) and 1 (everything)")
        shape = self.model.architecture
        if shape is not None and self.data.max_length > shape.max_length:
            raise ValueError(
                f"data.max_length={self.data.max_length} is more than the model's, "
                f"model.architecture.max_length={shape.max_length}; lower the one or raise the other"
            )
        if self.ability == EACH:
            raise ValueError(f"ability={EACH} stands for {WORDS[EACH]}; add -m to the command")
        for name, amount in self.amount.items():
            if amount.value != 1:
                self._check_ability(f"amount.{name}={amount.text}", name)
        for number, stage in enumerate(self.strategy.stages):
            for name in stage:
                self._check_ability(f"strategy={self.strategy.name}, stage {number + 1}", name)
        self._check_ability(f"ability={self.ability}", self.ability)
        for name, task in self.suite.tasks.items():
            self._check_task(name, task)

    def _check_task(self, name: str, task: Task) -> None:
        if task.format is not None:
            one_of(f"suite.tasks.{name}.format", task.format, FORMATS)
        elif task.task == "loss" and not any(s.held_out_rows for s in self.data.of(task.ability).values()):
            raise ValueError(
                f"suite task {name}: no source of ability {task.ability!r} has held-out rows; "
                "set held_out_rows on one of its sources, or drop the task"
            )

    def _check_ability(self, where: str, ability: str) -> None:
        """Raise a ValueError for a word of a strategy or amount that stands for no ability of the data."""
        has = ", ".join(self.data.abilities)
        if ability == GENERAL and self.data.general not in self.data.abilities:
            raise ValueError(
                f"{where}: data={self.data.name} has no source of the general ability, {self.data.general!r}, only of "
                f"{has}; say which one is the general with data.general=ABILITY, or add a source"
            )
        if ability == SPECIALISED and not self.data.specialised:
            raise ValueError(f"{where}: data={self.data.name} has no ability but the general one, {has}; add a source")
        if ability not in WORDS and ability not in self.data.abilities:
            raise ValueError(
                f"{where}: data={self.data.name} has no source of {ability!r}, only of {has}; add one under "
                f"data.sources or drop the ability{near(ability, self.data.abilities)}"
            )

    @cached_property
    def stages(self) -> list[dict[str, Fraction]]:
        """The strategy's stages as exact numbers by ability."""
        return self.strategy.expanded(self.data.abilities, self.data.general, self.ability)

    def amount_of(self, ability: str) -> Amount:
        """The amount of an ability: its own, else that of the general or of the specialised abilities, else all."""
        role = GENERAL if ability == self.data.general else SPECIALISED
        return self.amount.get(ability, self.amount.get(role, WHOLE))
