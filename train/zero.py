"""The DeepSpeed engine: ZeRO stages 0 to 3 over the ranks of a stage. Same interface as the plain torch engine."""

from __future__ import annotations

from pathlib import Path

import deepspeed
import torch
import torch.distributed as dist
from deepspeed.runtime.zero import GatheredParameters
from safetensors import safe_open
from torch import Tensor, nn
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from train.engine import parameter_groups, write_model
from train.model import TokenLoss
from train.ranks import Group
from train.spec import EngineConfig, Recipe


def settings(recipe: Recipe, engine: EngineConfig) -> dict[str, object]:
    """The whole DeepSpeed configuration; defaults that have moved between its releases are written out."""
    zero: dict[str, object] = {
        "stage": engine.zero_stage, "overlap_comm": False, "contiguous_gradients": True, "reduce_scatter": True,
        "round_robin_gradients": False, "compute_grad_norm": True,
    }  # fmt: skip
    if engine.offload != "none":
        zero["offload_optimizer"] = {"device": "cpu"}
    if engine.offload == "all":
        zero["offload_param"] = {"device": "cpu"}
    return {
        "train_micro_batch_size_per_gpu": 1,
        "gradient_accumulation_steps": 1,  # the loop marks the boundary, since steps differ in their micro-batches
        "managed_gradient_accumulation": True,
        "gradient_allreduce_op": "mean",
        "gradient_clipping": recipe.clip_norm,
        "bf16": {"enabled": recipe.precision == "bf16", "check_grad_overflow": True},
        "fp16": {"enabled": False},
        "zero_optimization": zero,
        "zero_allow_untested_optimizer": True,
        "zero_force_ds_cpu_optimizer": False,
        "steps_per_print": 2**31,
        "wall_clock_breakdown": False,
    }


def read_sharded(folder: Path, recipe: Recipe, engine: EngineConfig) -> PreTrainedModel:
    """The model of a Hugging Face folder, each weight sharded over the ranks as soon as it is read.

    Raises a RuntimeError if the folder lacks a weight, so that none is left at its random start.
    """
    config = AutoConfig.from_pretrained(str(folder))
    config.pad_token_id = None  # the library would zero this row of an embedding that this rank does not hold
    with deepspeed.zero.Init(config_dict_or_path=settings(recipe, engine)):
        model: PreTrainedModel = AutoModelForCausalLM.from_config(config, dtype=torch.float32)
    missing = dict(model.named_parameters())
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(str(file), framework="pt") as stored:
            for name in sorted(set(stored.keys()) & set(missing)):
                weight = missing.pop(name)
                with GatheredParameters([weight], modifier_rank=0):
                    if dist.get_rank() == 0:
                        weight.data.copy_(stored.get_tensor(name))
    if missing:
        raise RuntimeError(f"{folder}: the safetensors files lack {', '.join(sorted(missing)[:3])}")
    return model


class ZeroTrainer:
    """Weights in the recipe's precision with fp32 masters, sharded as the ZeRO stage says."""

    def __init__(self, module: TokenLoss, recipe: Recipe, engine: EngineConfig, group: Group) -> None:
        optimizer = torch.optim.AdamW(
            parameter_groups(module, recipe), lr=recipe.learning_rate, betas=(recipe.beta1, recipe.beta2),
            eps=recipe.epsilon, fused=True,
        )  # fmt: skip
        self.group, self.sharded = group, engine.zero_stage == 3
        self.engine, self.optimizer, _, _ = deepspeed.initialize(
            model=module, optimizer=optimizer, config=settings(recipe, engine)
        )

    def losses(self, ids: Tensor, positions: Tensor | None, places: Tensor, labels: Tensor) -> Tensor:
        losses: Tensor = self.engine(ids, positions, places, labels)
        return losses

    def backward(self, loss: Tensor, *, last: bool) -> None:
        self.engine.set_gradient_accumulation_boundary(last)
        self.engine.backward(loss, scale_wrt_gas=False)

    def update(self, learning_rate: float) -> float:
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        # Without ZeRO in fp32 DeepSpeed computes the norm for clipping but keeps it to itself.
        own = nn.utils.get_total_norm([p.grad for p in self.engine.module.parameters() if p.grad is not None])
        self.engine.step()
        norm = self.engine.get_global_grad_norm()
        return float(own if norm is None else norm)

    def save(self, folder: Path) -> None:
        self.engine.save_checkpoint(str(folder), tag="state", save_latest=False)

    def load(self, folder: Path) -> None:
        loaded, _ = self.engine.load_checkpoint(str(folder), tag="state")
        if loaded is None:
            raise RuntimeError(f"{folder}: DeepSpeed could not read the resume point; delete it to start over")

    def export(self, folder: Path) -> None:
        model = self.engine.module.model
        with GatheredParameters(list(model.parameters()), modifier_rank=None, enabled=self.sharded):
            if self.group.first:
                write_model(model.to(torch.float32), folder)
