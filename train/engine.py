"""The plain torch engine: one process, one device. `zero.py` has the same interface over several."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

import torch
from torch import Tensor, nn
from transformers import PreTrainedModel

from train.model import TokenLoss
from train.ranks import Group
from train.spec import Recipe


class Trainer(Protocol):
    """What a step needs of an engine."""

    def losses(self, ids: Tensor, positions: Tensor | None, places: Tensor, labels: Tensor) -> Tensor:
        """Losses [targets] of one micro-batch."""

    def backward(self, loss: Tensor, *, last: bool) -> None:
        """Add the gradient of a micro-batch's loss; ``last`` marks the last one of the step.

        The gradient of the step is the average over the ranks of what each has added.
        """

    def update(self, learning_rate: float) -> float:
        """Clip, step, clear the gradients; return their norm before clipping."""

    def save(self, folder: Path) -> None:
        """Write everything needed to go on; called by all ranks."""

    def load(self, folder: Path) -> None:
        """Take up what `save` wrote."""

    def export(self, folder: Path) -> None:
        """Write the model as a Hugging Face folder; called by all ranks."""


def parameter_groups(module: nn.Module, recipe: Recipe) -> list[dict[str, object]]:
    """Optimiser groups: matrices decay, norms and biases do not."""
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    matrices = [parameter for parameter in trained if parameter.ndim >= 2]
    vectors = [parameter for parameter in trained if parameter.ndim < 2]
    groups = [
        {"params": matrices, "weight_decay": recipe.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    return [group for group in groups if group["params"]]


class TorchTrainer:
    """Weights and optimiser states in fp32; with precision bf16 the forward pass runs under autocast."""

    def __init__(self, module: TokenLoss, recipe: Recipe, group: Group) -> None:
        self.module = module.to(group.device)
        self.device, self.recipe = group.device, recipe
        self.optimizer = torch.optim.AdamW(
            parameter_groups(module, recipe), lr=recipe.learning_rate, betas=(recipe.beta1, recipe.beta2),
            eps=recipe.epsilon, fused=True,
        )  # fmt: skip
        self.parameters = [parameter for parameter in module.parameters() if parameter.requires_grad]

    def losses(self, ids: Tensor, positions: Tensor | None, places: Tensor, labels: Tensor) -> Tensor:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.recipe.precision == "bf16"):
            losses: Tensor = self.module(ids, positions, places, labels)
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
    """Write config and weights; the library keeps the weights to their owner, here they are as readable as the rest."""
    model.save_pretrained(str(folder))
    for file in folder.glob("*.safetensors"):
        file.chmod((folder / "config.json").stat().st_mode)
