"""The interface of a training engine, and the plain torch engine: one process, one device.

`train.zero` implements the same interface with DeepSpeed, over several processes.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn

from train import export, parts
from train.export import full_shape
from train.model import TokenLoss
from train.parts import Block, Part
from train.ranks import ProcessGroup
from train.spec import Recipe


class Engine(Protocol):
    """A model with its optimiser, as a training step uses it."""

    def losses(self, ids: Tensor, position_ids: Tensor | None, logit_index: Tensor, labels: Tensor) -> Tensor:
        """Losses [targets] of one micro-batch, in nats; the arguments are those of `TokenLoss.forward`."""

    def evaluate(self, ids: Tensor, position_ids: Tensor | None, logit_index: Tensor, labels: Tensor) -> Tensor:
        """`losses` without dropout and without a gradient. Every rank must call it."""

    def backward(self, loss: Tensor, *, last: bool) -> None:
        """Accumulate the gradient of one micro-batch's loss; ``last`` marks the last micro-batch of the step.

        The gradient of the step is the mean over the ranks of their accumulated gradients.
        """

    def update(self, learning_rate: float) -> float:
        """Clip the gradient, take an optimiser step, clear the gradient; return its L2 norm before clipping."""

    def read_weights(self, sources: Mapping[str, Any]) -> None:
        """Set the weights to those of tensors, or slices of files, by name, without rounding them."""

    def blocks(self, *, copied: bool) -> Iterator[Block]:
        """This rank's weights and optimiser states for a resume point, as `parts.blocks` gives them."""

    def held(self) -> int:
        """Number of values of parameters in this rank's `blocks`."""

    def load(self, folder: Path) -> None:
        """Restore a resume point that any engine wrote on any number of ranks. Every rank must call it."""

    def export(self, folder: Path, dtype: torch.dtype) -> None:
        """Write the model as a Hugging Face folder. Every rank must call it."""


def count_parameters(module: nn.Module) -> int:
    """Number of weights of a module; a weight that two layers share counts once."""
    return sum(full_shape(parameter).numel() for parameter in module.parameters())


def parameter_groups(module: nn.Module, recipe: Recipe) -> list[dict[str, object]]:
    """Optimiser groups of the trained parameters: weight decay for matrices, none for norms and biases."""
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    matrices = [parameter for parameter in trained if len(full_shape(parameter)) >= 2]
    vectors = [parameter for parameter in trained if len(full_shape(parameter)) < 2]
    groups = [
        {"params": matrices, "weight_decay": recipe.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


def adam(module: nn.Module, recipe: Recipe) -> torch.optim.AdamW:
    """torch's AdamW with the recipe's settings."""
    return torch.optim.AdamW(
        parameter_groups(module, recipe), lr=recipe.learning_rate, betas=(recipe.beta1, recipe.beta2),
        eps=recipe.epsilon, fused=True,
    )  # fmt: skip


class TorchEngine:
    """Weights and optimiser states in fp32; with precision bf16 the forward pass runs under autocast."""

    def __init__(self, module: TokenLoss, recipe: Recipe, group: ProcessGroup) -> None:
        self.module = module.to(group.device)
        self.group, self.recipe = group, recipe
        self.optimizer = adam(module, recipe)
        self.parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]

    def losses(self, ids: Tensor, position_ids: Tensor | None, logit_index: Tensor, labels: Tensor) -> Tensor:
        losses: Tensor = self.module(ids, position_ids, logit_index, labels)
        return losses

    @torch.no_grad()
    def evaluate(self, ids: Tensor, position_ids: Tensor | None, logit_index: Tensor, labels: Tensor) -> Tensor:
        self.module.eval()
        losses = self.losses(ids, position_ids, logit_index, labels)
        self.module.train()
        return losses

    def backward(self, loss: Tensor, *, last: bool) -> None:
        loss.backward()

    def update(self, learning_rate: float) -> float:
        norm = nn.utils.clip_grad_norm_(self.parameters, self.recipe.clip_norm)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        self.optimizer.step()
        self.optimizer.zero_grad(set_to_none=True)
        return float(norm)

    def read_weights(self, sources: Mapping[str, Any]) -> None:
        parts.fill_weights(self._parts(), sources)

    def blocks(self, *, copied: bool) -> Iterator[Block]:
        return parts.blocks(self._parts(), self.optimizer, copied=copied)

    def held(self) -> int:
        return sum(part.size for part in self._parts())

    def load(self, folder: Path) -> None:
        parts.read(self._parts(), self.optimizer, folder)

    def export(self, folder: Path, dtype: torch.dtype) -> None:
        held = {part.name: part for part in self._parts()}
        export.write(self.module.model, held, folder, dtype, self.group)

    def _parts(self) -> Sequence[Part]:
        return [Part(name, 0, weight.numel(), weight) for name, weight in export.weights(self.module.model)]
