"""The DeepSpeed engine: ZeRO stages 0 to 3 over the ranks of a stage, with the interface `train.engine.Engine`."""

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
from train.model import TokenLoss, lacking
from train.ranks import ProcessGroup
from train.spec import EngineConfig, Recipe


def settings(recipe: Recipe, config: EngineConfig) -> dict[str, object]:
    """The DeepSpeed configuration. It states every setting whose default has changed between DeepSpeed releases."""
    zero: dict[str, object] = {
        # DeepSpeed issue 5545 reports a data race with overlapping communication.
        "stage": config.zero_stage, "overlap_comm": False, "contiguous_gradients": True, "reduce_scatter": True,
        "round_robin_gradients": False, "compute_grad_norm": True,
    }  # fmt: skip
    if config.offload != "none":
        zero["offload_optimizer"] = {"device": "cpu"}
    if config.offload == "all":
        zero["offload_param"] = {"device": "cpu"}
    return {
        "train_micro_batch_size_per_gpu": 1,  # required, but without effect: `train.pack` makes the micro-batches
        # Steps differ in their number of micro-batches, so `ZeroEngine.backward` marks each step's last one instead.
        "gradient_accumulation_steps": 1,
        "managed_gradient_accumulation": True,
        "gradient_allreduce_op": "mean",  # "sum" is refused with stage 3
        "gradient_clipping": recipe.clip_norm,
        "bf16": {"enabled": recipe.precision == "bf16", "check_grad_overflow": True},
        "fp16": {"enabled": False},
        "zero_optimization": zero,
        # Both allow torch's AdamW, which the torch engine uses too; DeepSpeed's own CPU Adam needs a compiler.
        "zero_allow_untested_optimizer": True,
        "zero_force_ds_cpu_optimizer": False,
        "steps_per_print": 2**31,
        "wall_clock_breakdown": False,
    }


def read_sharded(folder: Path, recipe: Recipe, config: EngineConfig) -> PreTrainedModel:
    """Read the model of a Hugging Face folder, in fp32, sharding each weight over the ranks as soon as it is read.

    Raises a ValueError if the folder lacks a weight, which would otherwise keep its random initial values.
    """
    model_config = AutoConfig.from_pretrained(str(folder), trust_remote_code=False)
    # transformers would zero the pad token's row of the embedding, which may lie in another rank's shard.
    model_config.pad_token_id = None
    with deepspeed.zero.Init(config_dict_or_path=settings(recipe, config)):
        model: PreTrainedModel = AutoModelForCausalLM.from_config(model_config, dtype=torch.float32)
    missing: dict[str, Tensor] = dict(model.named_parameters())
    buffers = dict(model.named_buffers())
    missing |= {
        name: buffers[name] for name in model.state_dict().keys() & buffers.keys()
    }  # not those of the code alone
    for file in sorted(folder.glob("*.safetensors")):
        with safe_open(str(file), framework="pt") as stored:
            for name in sorted(set(stored.keys()) & set(missing)):
                weight = missing.pop(name)
                if name in buffers:  # whole on every rank
                    weight.copy_(stored.get_tensor(name))
                    continue
                with GatheredParameters([weight], modifier_rank=0):
                    if dist.get_rank() == 0:
                        weight.data.copy_(stored.get_tensor(name))
    if missing:
        raise ValueError(
            f"{lacking(folder, missing)}; where transformers loads them under other names, as of experts, or from .bin "
            "files, choose engine=zero2, which lets it load the model"
        )
    return model


class ZeroEngine:
    """Weights in the recipe's precision with fp32 master copies, sharded according to the ZeRO stage."""

    def __init__(self, module: TokenLoss, recipe: Recipe, config: EngineConfig, group: ProcessGroup) -> None:
        optimizer = torch.optim.AdamW(
            parameter_groups(module, recipe), lr=recipe.learning_rate, betas=(recipe.beta1, recipe.beta2),
            eps=recipe.epsilon, fused=True,
        )  # fmt: skip
        self.group, self.sharded = group, config.zero_stage == 3
        self.deepspeed, self.optimizer, _, _ = deepspeed.initialize(
            model=module, optimizer=optimizer, config=settings(recipe, config)
        )

    def losses(self, ids: Tensor, position_ids: Tensor | None, logit_index: Tensor, labels: Tensor) -> Tensor:
        losses: Tensor = self.deepspeed(ids, position_ids, logit_index, labels)
        return losses

    @torch.no_grad()
    def evaluate(self, ids: Tensor, position_ids: Tensor | None, logit_index: Tensor, labels: Tensor) -> Tensor:
        self.deepspeed.eval()
        losses = self.losses(ids, position_ids, logit_index, labels)
        self.deepspeed.train()
        return losses

    def backward(self, loss: Tensor, *, last: bool) -> None:
        self.deepspeed.set_gradient_accumulation_boundary(last)
        # The loss is already divided by the supervised tokens of the whole step.
        self.deepspeed.backward(loss, scale_wrt_gas=False)

    def update(self, learning_rate: float) -> float:
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate
        # With stage 0 in fp32, get_global_grad_norm() returns None, though DeepSpeed clips by that norm.
        unsharded_norm = nn.utils.get_total_norm(
            [p.grad for p in self.deepspeed.module.parameters() if p.grad is not None]
        )
        self.deepspeed.step()
        norm = self.deepspeed.get_global_grad_norm()
        return float(unsharded_norm if norm is None else norm)

    def save(self, folder: Path) -> None:
        self.deepspeed.save_checkpoint(str(folder), tag="state", save_latest=False)

    def load(self, folder: Path) -> None:
        loaded, _ = self.deepspeed.load_checkpoint(str(folder), tag="state")
        if loaded is None:
            raise RuntimeError(f"{folder}: DeepSpeed could not read the resume point; delete this folder to start over")

    def export(self, folder: Path) -> None:
        model = self.deepspeed.module.model
        with GatheredParameters(list(model.parameters()), modifier_rank=None, enabled=self.sharded):
            if self.group.first:
                write_model(model.to(torch.float32), folder)
