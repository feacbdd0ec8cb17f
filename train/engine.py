"""The interface of a training engine, and the plain torch engine: one process, one device.

`train.zero` implements the same interface with DeepSpeed, over several processes.
"""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from train.model import TokenLoss
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

    def save(self, folder: Path) -> None:
        """Write weights and optimiser states for a resume point. Every rank must call it."""

    def load(self, folder: Path) -> None:
        """Restore what `save` wrote. Every rank must call it."""

    def export(self, folder: Path) -> None:
        """Write the model as a Hugging Face folder. Every rank must call it."""


def full_shape(parameter: nn.Parameter) -> torch.Size:
    """The shape of a parameter, also where DeepSpeed has sharded it and left an empty tensor in its place."""
    shape: torch.Size = getattr(parameter, "ds_shape", parameter.shape)
    return shape


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


class TorchEngine:
    """Weights and optimiser states in fp32; with precision bf16 the forward pass runs under autocast."""

    def __init__(self, module: TokenLoss, recipe: Recipe, group: ProcessGroup) -> None:
        self.module = module.to(group.device)
        self.device, self.recipe = group.device, recipe
        self.optimizer = torch.optim.AdamW(
            parameter_groups(module, recipe), lr=recipe.learning_rate, betas=(recipe.beta1, recipe.beta2),
            eps=recipe.epsilon, fused=True,
        )  # fmt: skip
        self.parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]

    def losses(self, ids: Tensor, position_ids: Tensor | None, logit_index: Tensor, labels: Tensor) -> Tensor:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.precision == "bf16"):
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

    def save(self, folder: Path) -> None:
        state = {"model": self.module.state_dict(), "optimizer": self.optimizer.state_dict()}
        torch.save(state, folder / "state.pt")

    def load(self, folder: Path) -> None:
        state = torch.load(folder / "state.pt", map_location=self.device, weights_only=True)
        self.module.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])

    def export(self, folder: Path) -> None:
        write_model(self.module.model, folder)


def write_model(model: PreTrainedModel, folder: Path) -> None:
    """Write config and weights to ``folder``, all with the same permissions."""
    model.save_pretrained(str(folder))
    for file in folder.glob("*.safetensors"):  # these files are written readable by their owner only
        file.chmod((folder / "config.json").stat().st_mode)
