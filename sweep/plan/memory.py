"""The memory that training and answering take, part by part, before anything runs. Imports nothing heavy.

Bytes of model states by ZeRO stage as in Rajbhandari et al. 2020, with gradients accumulated in fp32. Bytes of
activations are those that autograd saves in a Llama layer of transformers 5, counted with saved-tensor hooks; without
attention scores, which no kernel for packed rows keeps.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from sweep.config.cell import Cell
from train.spec import Architecture, EngineConfig

GIB = 2**30

LIVE = 10**9
"""Weights that ZeRO stage 3 holds whole at a time: DeepSpeed's default of stage3_max_live_parameters."""

BUCKET = 2 * 10**8
"""Values that ZeRO communicates at a time, twice where communication overlaps with work, as `train.zero` sets it."""

CONTEXT_GIB = 1.5
"""CUDA's context and the buffers of NCCL, on a GPU; a published range is 1 to 3."""

PROCESS_GIB = 1.0
"""Host memory of a Python process that has imported torch and transformers."""

FRAGMENTS = 1.03
"""What the allocator of PyTorch holds over what tensors take, with expandable segments."""


@dataclass(frozen=True)
class Saved:
    """Bytes that autograd saves in one layer, a token: per hidden unit, per key or value unit, per inner unit of the
    MLP; and the bytes a token takes per entry of the vocabulary while its loss is computed."""

    hidden: float
    keys: float
    inner: float
    logits: float
    residual: float


SAVED = {
    ("zero", "bf16"): Saved(20.2, 4.0, 8.0, 10.0, 2.0),
    ("zero", "fp32"): Saved(32.1, 8.0, 16.0, 8.0, 4.0),
    ("whole", "bf16"): Saved(34.1, 8.0, 14.0, 10.0, 4.0),
    ("whole", "fp32"): Saved(32.1, 8.0, 16.0, 8.0, 4.0),
}
"""By sharding and precision: ZeRO computes in bf16 weights, an engine without it under autocast over fp32 weights."""


LARGE = 10**8
"""Parameters above which models are estimated for GPUs even on a machine without one."""

MODEL_BYTES = {"fp32": 4.0, "bf16": 2.0}
"""Bytes a parameter of a published model."""


@dataclass(frozen=True)
class Memory:
    """GiB that one rank of a training holds on its device at the peak, by part, and ``host`` in the host's memory.

    ``activations`` are those of one micro-batch, ``logits`` what its loss adds, ``buffers`` what ZeRO gathers and
    reduces at a time with the context of the device.
    """

    weights: float
    gradients: float
    optimizer: float
    activations: float
    logits: float
    buffers: float
    host: float

    @property
    def device(self) -> float:
        """GiB of the device in all."""
        return self.weights + self.gradients + self.optimizer + self.activations + self.logits + self.buffers

    def parts(self) -> str:
        """The parts in words, the largest first."""
        names = ("weights", "gradients", "optimizer", "activations", "logits", "buffers")
        sizes = sorted(((getattr(self, name), name) for name in names), reverse=True)
        return ", ".join(f"{name} {gib(size)}" for size, name in sizes if size >= 0.005)


def training(parameters: int, shape: Architecture, engine: EngineConfig, precision: str, *, gpu: bool) -> Memory:
    """The memory of one rank of a training of a Llama of that shape and number of parameters.

    All tokens of a micro-batch are taken for supervised. On a CPU there is no context, and weights in offload take no
    other place than the rest.
    """
    fp32 = engine.zero_stage == 0 or precision == "fp32"  # without ZeRO, bf16 is autocast over fp32
    shard = engine.ranks
    weights = (4.0 if fp32 else 2.0) * parameters / (shard if engine.zero_stage >= 3 else 1)
    gradients = 4.0 * parameters / (shard if engine.zero_stage >= 2 else 1)
    optimizer = (8.0 if fp32 else 12.0) * parameters / (shard if engine.zero_stage >= 1 else 1)
    activations, logits = _pass(parameters, shape, engine, precision)
    buffers = _buffers(parameters, engine, precision)
    host = 0.0
    if engine.offload != "none":  # the optimiser's states, and the gradients on their way to it
        host, optimizer, gradients = optimizer + 4.0 * parameters / shard, 0.0, 0.0
    if engine.offload == "all":
        host, weights = host + weights, 0.0
    loading = 4.0 * parameters if fp32 else 0.0  # else mapped files, one copy a node, which the kernel may drop
    if engine.zero_stage == 3:
        loading = 4.0 * largest(parameters, shape)
    context = CONTEXT_GIB if gpu else 0.0
    scale = (FRAGMENTS if gpu else 1.0) / GIB
    return Memory(
        weights * scale, gradients * scale, optimizer * scale, activations * scale, logits * scale,
        buffers * scale + context, PROCESS_GIB + (host + (loading if gpu else 0.0)) / GIB,
    )  # fmt: skip


def _pass(parameters: int, shape: Architecture, engine: EngineConfig, precision: str) -> tuple[float, float]:
    """Bytes of the activations of one micro-batch, and what its loss adds to them at the peak."""
    saved = SAVED["zero" if engine.zero_stage else "whole", precision]
    keys = shape.hidden_size * shape.num_kv_heads / shape.num_heads
    layer = saved.hidden * shape.hidden_size + saved.keys * keys + saved.inner * shape.intermediate_size
    layer *= engine.micro_tokens
    logits = saved.logits * vocabulary(parameters, shape) * engine.micro_tokens
    # On the way back: the gradient of the largest weight before it is added, and those of an MLP's inner units.
    size = 2.0 if saved.residual == 2.0 else 4.0
    back = size * (largest(parameters, shape) + 3.0 * shape.intermediate_size * engine.micro_tokens)
    if not engine.activation_checkpointing:
        return layer * shape.num_layers + back, logits
    inputs = saved.residual * shape.hidden_size * shape.num_layers * engine.micro_tokens
    # The loss is computed before the first layer is computed again, so only the larger of the two counts.
    return inputs + layer + back, max(0.0, logits - layer - back)


def _buffers(parameters: int, engine: EngineConfig, precision: str) -> float:
    """Bytes that the engine holds besides states and activations."""
    size = 4.0 if precision == "fp32" else 2.0
    if engine.zero_stage == 0:  # autocast keeps a copy of the weights in bf16
        return 2.0 * parameters if precision == "bf16" else 0.0
    reduced = 2.0 * size * min(BUCKET, parameters) if engine.ranks > 1 else 0.0
    return reduced + (size * min(LIVE, parameters) if engine.zero_stage == 3 and engine.ranks > 1 else 0.0)


def vocabulary(parameters: int, shape: Architecture) -> int:
    """The vocabulary that gives a Llama of this shape so many parameters, with an output layer of its own.

    With one that is tied to the embedding this is half the vocabulary.
    """
    return max(0, parameters - shape.parameters(0)) // (2 * shape.hidden_size)


def largest(parameters: int, shape: Architecture) -> int:
    """Parameters of the largest weight: of a projection of the MLP, or of the embedding."""
    return shape.hidden_size * max(shape.intermediate_size, vocabulary(parameters, shape))


def of_cell(cell: Cell, parameters: int, *, gpu: bool) -> Memory | None:
    """The memory of one rank of a cell's training; None where the shape or size of its model is unknown."""
    shape = cell.model.architecture
    if shape is None or not parameters:
        return None
    if cell.model.scratch:  # its output layer is tied to the embedding
        tied = cell.data.vocabulary * shape.hidden_size
        own = training(parameters, shape, cell.engine, cell.recipe.precision, gpu=gpu)
        whole = training(parameters + tied, shape, cell.engine, cell.recipe.precision, gpu=gpu)
        return replace(own, activations=whole.activations, logits=whole.logits)
    return training(parameters, shape, cell.engine, cell.recipe.precision, gpu=gpu)


def gib(size: float) -> str:
    """GiB as text, with two digits after the point below 10."""
    return f"{size:.2f}" if size < 10 else f"{size:.0f}"
