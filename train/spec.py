"""What identifies the training stages, and how they may be run. Imports nothing heavy: the planner reads it.

Three kinds of class live here. A *spec* is the identity of a stage and holds no path, device or cadence.
`Engine` and `Tracker` say how a stage is run and never enter an identity. `Recipe` and `Architecture`
are parts of specs that users write in YAML, so their types stay within what OmegaConf can hold.
"""

from __future__ import annotations

from dataclasses import dataclass

FORMATS = ("gsm8k", "alpaca", "sharegpt", "messages", "completion", "text")
SCHEDULES = ("cosine", "constant", "wsd")
PRECISIONS = ("fp32", "bf16")
POLICIES = ("error", "skip")
LONG_POLICIES = ("error", "skip", "truncate")


def one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    """Raise a ValueError that lists the choices unless ``value`` is one of them."""
    if value not in allowed:
        raise ValueError(f"{name}={value!r} is unknown; choose one of: {', '.join(allowed)}")


def positive(**values: float | None) -> None:
    """Raise a ValueError that names the first value which is not above zero (None is let through)."""
    for name, value in values.items():
        if value is not None and not value > 0:
            raise ValueError(f"{name}={value} must be above 0")


@dataclass(frozen=True)
class Hub:
    """A model or data set on a hub, at one revision."""

    repo: str
    revision: str


@dataclass(frozen=True)
class WorldSpec:
    """The embedded world: number of rows of each training file, of each test file and of the corpus."""

    seed: int
    math: int
    code: int
    general: int
    test: int
    corpus: int

    def __post_init__(self) -> None:
        positive(math=self.math, code=self.code, general=self.general, test=self.test, corpus=self.corpus)


@dataclass(frozen=True)
class TokenizerSpec:
    """A small byte-level BPE tokenizer trained on the texts of the ``corpus.*`` inputs."""

    vocabulary: int
    template: str
    texts: tuple[TextFile, ...]

    def __post_init__(self) -> None:
        positive(vocabulary=self.vocabulary)


@dataclass(frozen=True)
class TextFile:
    """How to read one input of a tokenizer: the input's name, the file inside it, its format and columns."""

    input: str
    file: str
    format: str
    fields: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class TokensSpec:
    """One source, tokenised.

    The rows come from the input ``data`` (a file, or ``file`` inside a folder) or from ``hub``; the tokenizer
    from the input ``tokenizer`` (a folder) or from ``tokenizer_hub``. ``fields`` maps the roles of the format to the
    columns of the file. ``held_out`` rows, the same for every seed, are set aside; ``part`` says which side this is.
    """

    format: str
    file: str
    hub: Hub | None
    split: str
    fields: tuple[tuple[str, str], ...]
    tokenizer_hub: Hub | None
    template: str
    system: str
    supervise: str
    max_length: int
    held_out: int
    part: str
    on_bad_row: str
    on_long: str

    def __post_init__(self) -> None:
        one_of("format", self.format, FORMATS)
        one_of("supervise", self.supervise, ("assistant", "all"))
        one_of("part", self.part, ("train", "held_out"))
        one_of("on_bad_row", self.on_bad_row, POLICIES)
        one_of("on_long", self.on_long, LONG_POLICIES)
        positive(max_length=self.max_length)


@dataclass(frozen=True)
class Architecture:
    """A Llama architecture built from scratch; the vocabulary comes from the tokenizer."""

    hidden_size: int
    intermediate_size: int
    num_layers: int
    num_heads: int
    num_kv_heads: int
    max_length: int
    rope_theta: float

    def __post_init__(self) -> None:
        if self.hidden_size % self.num_heads or self.num_heads % self.num_kv_heads:
            raise ValueError(
                f"hidden_size={self.hidden_size}, num_heads={self.num_heads}, num_kv_heads={self.num_kv_heads}: "
                "each must be a whole multiple of the next"
            )

    def parameters(self, vocabulary: int) -> int:
        """Number of parameters, embeddings (tied with the output) included."""
        head = self.hidden_size // self.num_heads
        attention = self.hidden_size * head * (2 * self.num_heads + 2 * self.num_kv_heads)
        layer = attention + 3 * self.hidden_size * self.intermediate_size + 2 * self.hidden_size
        return vocabulary * self.hidden_size + self.num_layers * layer + self.hidden_size


@dataclass(frozen=True)
class Recipe:
    """Optimiser, schedule, length and batch of one training stage (AdamW).

    Exactly one of ``epochs`` and ``steps``, and one of ``batch_samples`` and ``batch_tokens``, is set.
    ``warmup`` and ``decay`` are shares of all steps; ``decay`` is the last phase of the ``wsd`` schedule.
    """

    epochs: float | None
    steps: int | None
    batch_samples: int | None
    batch_tokens: int | None
    learning_rate: float
    schedule: str
    warmup: float
    decay: float
    weight_decay: float
    beta1: float
    beta2: float
    epsilon: float
    clip_norm: float
    precision: str

    def __post_init__(self) -> None:
        one_of("schedule", self.schedule, SCHEDULES)
        one_of("precision", self.precision, PRECISIONS)
        positive(
            epochs=self.epochs, steps=self.steps, batch_samples=self.batch_samples, batch_tokens=self.batch_tokens,
            learning_rate=self.learning_rate, clip_norm=self.clip_norm,
        )  # fmt: skip
        if (self.epochs is None) == (self.steps is None):
            raise ValueError(f"epochs={self.epochs}, steps={self.steps}: set exactly one, the other to null")
        if (self.batch_samples is None) == (self.batch_tokens is None):
            raise ValueError(
                f"batch_samples={self.batch_samples}, batch_tokens={self.batch_tokens}: "
                "set exactly one, the other to null"
            )
        if not (0 <= self.warmup <= 1 and 0 <= self.decay <= 1 and self.warmup + self.decay <= 1):
            raise ValueError(
                f"warmup={self.warmup}, decay={self.decay}: both are shares of all steps and add up to at most 1"
            )


@dataclass(frozen=True)
class Portion:
    """How many samples of one ability a stage sees in an epoch.

    ``sources`` name inputs of the stage. They form one pool, in this order; the portion is the first ``samples`` of the
    pool's seeded order, and more than the pool holds starts the order again.
    """

    ability: str
    sources: tuple[str, ...]
    samples: int


@dataclass(frozen=True)
class TrainSpec:
    """One training stage.

    The weights come from the input ``init`` (an earlier stage or a folder), from ``hub``, or from ``architecture`` with
    fresh weights and the tokenizer of the input ``tokenizer``.
    """

    hub: Hub | None
    architecture: Architecture | None
    portions: tuple[Portion, ...]
    recipe: Recipe
    seed: int


@dataclass(frozen=True)
class Engine:
    """How a training stage runs; changes speed and rounding, never meaning.

    ``ranks`` processes in all, ``micro_tokens`` tokens at most in one forward pass of one of them (a longer sample is a
    pass of its own), ``pack`` puts several samples in one row, ``checkpoint_steps`` between resume points.
    """

    name: str
    zero_stage: int
    offload: str
    ranks: int
    micro_tokens: int
    pack: bool
    activation_checkpointing: bool
    checkpoint_steps: int

    def __post_init__(self) -> None:
        one_of("name", self.name, ("torch", "deepspeed"))
        one_of("offload", self.offload, ("none", "optimizer", "all"))
        positive(ranks=self.ranks, micro_tokens=self.micro_tokens, checkpoint_steps=self.checkpoint_steps)
        if self.zero_stage not in (0, 1, 2, 3):
            raise ValueError(f"zero_stage={self.zero_stage} is unknown; choose one of: 0, 1, 2, 3")
        if self.offload != "none" and self.zero_stage < {"optimizer": 1, "all": 3}[self.offload]:
            raise ValueError(
                f"offload={self.offload} does not work with zero_stage={self.zero_stage}; "
                "the optimizer can be offloaded from stage 1 on, all states only in stage 3"
            )
        if self.name == "torch" and (self.ranks > 1 or self.zero_stage):
            raise ValueError(
                f"name=torch runs one process without ZeRO; for ranks={self.ranks}, "
                f"zero_stage={self.zero_stage} choose engine=zero1, zero2 or zero3"
            )


@dataclass(frozen=True)
class Tracker:
    """Where a training stage is mirrored besides its own metrics.jsonl."""

    name: str
    project: str
    entity: str | None

    def __post_init__(self) -> None:
        one_of("name", self.name, ("none", "wandb"))


@dataclass(frozen=True)
class TrainRun:
    """Everything about the execution of a training stage that is not its identity."""

    key: str
    title: str
    sweep: str
    tags: tuple[str, ...]
    engine: Engine
    tracker: Tracker
