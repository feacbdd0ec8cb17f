"""Specs and execution settings of the training stages. Imports nothing heavy, since the planner reads this file.

`WorldSpec`, `TokenizerSpec`, `TokensSpec` and `TrainSpec` identify a stage: all their fields enter its key, so they
hold no path, device or cadence. `EngineConfig` and `TrainRun` describe one execution and enter no key.
`Recipe` and `Architecture` are parts of specs that users write in YAML, so OmegaConf must support their field types.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, field
from fractions import Fraction

FORMATS = ("gsm8k", "alpaca", "sharegpt", "messages", "completion", "text")
SCHEDULES = ("cosine", "constant", "wsd")
PRECISIONS = ("fp32", "bf16")
POLICIES = ("error", "skip")
LONG_POLICIES = ("error", "skip", "truncate")
CLEANING = (
    "drop_unknown_speakers", "drop_empty_turns", "drop_leading_assistant", "merge_consecutive_turns",
    "drop_unordered_conversations", "drop_empty_conversations", "drop_special_tokens",
)  # fmt: skip
"""The steps by which conversations can be cleaned; `train.cleaning` says what each does."""

RESUME_BYTES = 12
"""Bytes a parameter of a resume point: fp32 weight and two Adam moments. For a moment two points lie side by side."""


def one_of(name: str, value: str, allowed: tuple[str, ...]) -> None:
    """Raise a ValueError that lists the choices unless ``value`` is one of them."""
    if value not in allowed:
        raise ValueError(f"{name}={value!r} is unknown; choose one of: {', '.join(allowed)}")


def positive(**values: float | None) -> None:
    """Raise a ValueError that names the first value that is not above 0; None means "not set" and passes."""
    for name, value in values.items():
        if value is not None and not value > 0:
            raise ValueError(f"{name}={value} must be above 0")


@dataclass(frozen=True)
class Hub:
    """A model or data set of the Hugging Face hub, at one revision (a branch, tag or commit)."""

    repo: str
    revision: str


@dataclass(frozen=True)
class WorldSpec:
    """The embedded world: numbers of training rows, of items in each of the three test files, and of documents."""

    seed: int
    math: int
    code: int
    general: int
    test: int
    corpus: int

    def __post_init__(self) -> None:
        positive(math=self.math, code=self.code, general=self.general, test=self.test, corpus=self.corpus)

    @property
    def dialogues(self) -> int:
        """The number of the corpus's short dialogues."""
        return 1 + self.corpus // 10


@dataclass(frozen=True)
class TokenizerSpec:
    """A small byte-level BPE tokenizer: number of tokens, chat template, and the texts to train it on."""

    vocabulary: int
    template: str
    texts: tuple[TextFile, ...]

    def __post_init__(self) -> None:
        positive(vocabulary=self.vocabulary)


@dataclass(frozen=True)
class TextFile:
    """One file that a tokenizer is trained on.

    ``input`` names the stage input, ``file`` the file in it where that is a folder; ``fields`` are as in `TokensSpec`.
    """

    input: str
    file: str
    format: str
    fields: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class TokensSpec:
    """One tokenised source.

    The rows come from the input ``data``: a file, ``file`` inside a folder, or all files of a folder. The tokenizer
    comes from the input ``tokenizer`` (a folder) or from ``tokenizer_hub``. ``fields`` maps fields of the format to
    columns of the file where their names differ. ``held_out`` is the number of rows set aside for evaluation, the same
    rows for every seed; ``part`` says whether this stage tokenises those rows or all others. Samples longer than
    ``max_length`` tokens are handled as ``on_long`` says. ``clean`` names the steps of `CLEANING` in the order in which
    they are applied. With ``complete`` every row must give a sample, because the plan counts on it. ``only`` maps
    columns to the values, as text, of the rows that are used.
    """

    format: str
    file: str
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
    clean: tuple[str, ...] = field(default=(), metadata={"neutral": ()})
    complete: bool = field(default=False, metadata={"neutral": False})
    only: tuple[tuple[str, tuple[str, ...]], ...] = field(default=(), metadata={"neutral": ()})

    def __post_init__(self) -> None:
        one_of("format", self.format, FORMATS)
        for step in self.clean:
            one_of("clean", step, CLEANING)
        one_of("supervise", self.supervise, ("assistant", "all"))
        one_of("part", self.part, ("train", "held_out"))
        one_of("on_bad_row", self.on_bad_row, POLICIES)
        one_of("on_long", self.on_long, LONG_POLICIES)
        positive(max_length=self.max_length)


@dataclass(frozen=True)
class Architecture:
    """Sizes of a Llama model to build from scratch; the vocabulary size comes from the tokenizer."""

    hidden_size: int
    intermediate_size: int
    num_layers: int
    num_heads: int
    num_kv_heads: int
    max_length: int
    rope_theta: float

    def __post_init__(self) -> None:
        if self.hidden_size % self.num_heads or self.num_heads % self.num_kv_heads:
            sizes = f"hidden_size={self.hidden_size}, num_heads={self.num_heads}, num_kv_heads={self.num_kv_heads}"
            raise ValueError(f"{sizes}: each must be a whole multiple of the next")

    def parameters(self, vocabulary: int) -> int:
        """Number of parameters with ``vocabulary`` tokens. The output layer is tied to the embedding, counted once."""
        head = self.hidden_size // self.num_heads
        # Query and output projections have num_heads, key and value projections num_kv_heads.
        attention = self.hidden_size * head * (2 * self.num_heads + 2 * self.num_kv_heads)
        # Gate, up and down projections, and two norms.
        layer = attention + 3 * self.hidden_size * self.intermediate_size + 2 * self.hidden_size
        return vocabulary * self.hidden_size + self.num_layers * layer + self.hidden_size


@dataclass(frozen=True)
class Recipe:
    """AdamW settings, learning-rate schedule, length and batch size of one training stage.

    Exactly one of ``epochs`` and ``steps``, and one of ``batch_samples`` and ``batch_tokens``, is set. ``warmup`` and
    ``decay`` are fractions of all steps, rounded up; ``decay`` is the last phase of the ``wsd`` schedule
    (warmup-stable-decay). ``clip_norm`` is the largest gradient norm (L2, over all parameters). The model is published
    in ``export_precision``, but in fp32 where a later stage trains on it. It is also published, to be measured, after
    the shares ``checkpoints`` of all steps, such as 1/4.
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
    export_precision: str = field(default="fp32", metadata={"neutral": "fp32"})
    checkpoints: tuple[str, ...] = field(default=(), metadata={"neutral": ()})

    def __post_init__(self) -> None:
        one_of("schedule", self.schedule, SCHEDULES)
        one_of("precision", self.precision, PRECISIONS)
        one_of("export_precision", self.export_precision, PRECISIONS)
        positive(epochs=self.epochs, steps=self.steps, learning_rate=self.learning_rate, clip_norm=self.clip_norm)
        positive(batch_samples=self.batch_samples, batch_tokens=self.batch_tokens)
        for one, other in (("epochs", "steps"), ("batch_samples", "batch_tokens")):
            values = getattr(self, one), getattr(self, other)
            if (values[0] is None) == (values[1] is None):
                raise ValueError(f"{one}={values[0]}, {other}={values[1]}: set exactly one, the other to null")
        shares = sorted({_share(text) for text in self.checkpoints})
        object.__setattr__(self, "checkpoints", tuple(map(str, shares)))
        if not (min(self.warmup, self.decay) >= 0 and self.warmup + self.decay <= 1):
            both = f"warmup={self.warmup}, decay={self.decay}: both are fractions of all steps"
            raise ValueError(f"{both}, from 0 to 1, and their sum must not exceed 1")

    def check_steps(self, steps: int) -> None:
        """Raise a ValueError if a run of ``steps`` steps trains nothing: a warm-up's first step has learning rate 0."""
        if steps == 1 and self.warmup > 0:
            raise ValueError(
                f"recipe.warmup={self.warmup}, and there is only 1 step: a warm-up begins at learning rate 0, so "
                "nothing would be trained; set recipe.warmup=0, or give more samples or epochs or a smaller batch"
            )


def _share(text: str) -> Fraction:
    """A share of a stage's steps. Raises a ValueError for anything else."""
    with suppress(ValueError, ZeroDivisionError):
        if 0 < (share := Fraction(text.replace(" ", ""))) < 1:
            return share
    raise ValueError(f"checkpoints={text} is no share of the steps; write shares between 0 and 1, such as [1/4,1/2]")


def checkpoint_folder(share: str) -> str:
    """Where a training stage publishes the model that it has after a share of its steps, inside its own folder."""
    return f"checkpoints/{share.replace('/', 'of')}"


@dataclass(frozen=True)
class Portion:
    """The samples of one ability in each epoch of a stage: the first ``samples`` of a seeded permutation of a pool.

    The pool is the ``sources`` (names of stage inputs), one after the other. A portion may ask for more than it holds
    only with ``repeats``; the permutation then starts over."""

    ability: str
    sources: tuple[str, ...]
    samples: int
    repeats: bool = field(default=False, metadata={"neutral": False})


@dataclass(frozen=True)
class TrainSpec:
    """One training stage, from the weights of the input ``init`` (an earlier stage or a folder), from those of ``hub``,
    or from a newly initialised ``architecture`` sized for the sources' tokenizer."""

    hub: Hub | None
    architecture: Architecture | None
    portions: tuple[Portion, ...]
    recipe: Recipe
    seed: int


@dataclass(frozen=True)
class EngineConfig:
    """Backend, parallelism and memory use of a training stage; the results differ only by rounding.

    ``ranks`` is the number of processes over all nodes. ``micro_tokens`` is the largest number of tokens in one forward
    pass of a rank; a longer sample gets a pass of its own. ``pack`` puts several samples into one row.
    A resume point is saved every ``checkpoint_minutes``, and every ``checkpoint_steps`` steps unless that is None.
    The plan holds its estimate against ``gpu_gib``, the memory of one GPU; None is that of this machine's, or
    80 GiB for large models where it has none.
    """

    name: str
    zero_stage: int
    offload: str
    ranks: int
    micro_tokens: int
    pack: bool
    activation_checkpointing: bool
    checkpoint_steps: int | None
    checkpoint_minutes: float = 30.0
    gpu_gib: float | None = None

    def __post_init__(self) -> None:
        one_of("name", self.name, ("torch", "deepspeed"))
        one_of("offload", self.offload, ("none", "optimizer", "all"))
        positive(ranks=self.ranks, micro_tokens=self.micro_tokens, gpu_gib=self.gpu_gib)
        positive(checkpoint_steps=self.checkpoint_steps, checkpoint_minutes=self.checkpoint_minutes)
        if self.zero_stage not in (0, 1, 2, 3):
            raise ValueError(f"zero_stage={self.zero_stage} is unknown; choose one of: 0, 1, 2, 3")
        if self.offload != "none" and self.zero_stage < {"optimizer": 1, "all": 3}[self.offload]:
            raise ValueError(
                f"offload={self.offload} does not work with zero_stage={self.zero_stage}; "
                "offload=optimizer needs zero_stage 1, 2 or 3, and offload=all needs zero_stage=3"
            )
        if self.name == "torch" and (self.ranks > 1 or self.zero_stage):
            raise ValueError(
                f"name=torch runs one process without ZeRO; for ranks={self.ranks}, zero_stage={self.zero_stage} "
                "choose engine=zero2 or engine=zero3, or set name=deepspeed"
            )


@dataclass(frozen=True)
class TrainRun:
    """The execution of a training stage: its title in logs and trackers, and its engine."""

    title: str
    engine: EngineConfig
