"""The DeepSpeed engine: ZeRO stages 0 to 3 over the ranks of a stage, with the interface `train.engine.Engine`."""

from __future__ import annotations

import contextlib
import logging
import os
import shutil
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import deepspeed
import torch
from safetensors import safe_open
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.utils.cpp_extension import get_default_build_root
from transformers import AutoConfig, AutoModelForCausalLM, PreTrainedModel

from train import export, parts
from train.engine import adam, parameter_groups
from train.model import TokenLoss, lacking
from train.parts import Block, Part
from train.ranks import ProcessGroup
from train.spec import EngineConfig, Recipe

BUCKET = 2 * 10**8
"""Values that are communicated at once: 0.4 GB in bf16, enough to fill a network and little beside 80 GB."""

BUILD_SECONDS = 600.0
"""A build of one of DeepSpeed's C++ parts takes a minute or two; one that has written nothing for longer was killed."""

log = logging.getLogger(__name__)

# On CPUs DeepSpeed would first compile a sum over shared memory, for a minute. Only its inference uses that.
deepspeed.ops.__compatible_ops__["deepspeed_shm_comm"] = False


def free_builds(folder: Path | None = None, seconds: float = BUILD_SECONDS) -> None:
    """Wait for builds of DeepSpeed's C++ parts that other processes have begun, and forget those that were killed.

    torch marks a build by a file named lock, for which others wait without end, also if its process was killed.
    ``folder`` is where torch builds by default.
    """
    root = folder or Path(os.environ.get("TORCH_EXTENSIONS_DIR") or get_default_build_root())
    for lock in root.rglob("lock"):
        with contextlib.suppress(FileNotFoundError):  # the build has ended
            while (left := _last_written(lock) + seconds - time.time()) > 0:
                time.sleep(min(left, 0.5))
            lock.unlink()
            log.warning("%s was left by a build that was killed; removed", lock)


def _last_written(lock: Path) -> float:
    """When a build last wrote a file. Raises FileNotFoundError once it has ended."""
    files = [file.stat().st_mtime for file in lock.parent.iterdir()]
    return max(lock.stat().st_mtime, *files)


def settings(recipe: Recipe, config: EngineConfig) -> dict[str, object]:
    """The DeepSpeed configuration. It states every setting whose default has changed between DeepSpeed releases."""
    zero: dict[str, object] = {
        "stage": config.zero_stage, "overlap_comm": True, "contiguous_gradients": True, "reduce_scatter": True,
        "round_robin_gradients": False, "compute_grad_norm": True,
        "reduce_bucket_size": BUCKET, "allgather_bucket_size": BUCKET, "stage3_prefetch_bucket_size": BUCKET,
        "stage3_max_live_parameters": 10**9, "stage3_max_reuse_distance": 10**9,
        "stage3_param_persistence_threshold": 10**5,
    }  # fmt: skip
    if config.offload != "none":
        zero["offload_optimizer"] = {"device": "cpu"}
    if config.offload == "all":
        zero["offload_param"] = {"device": "cpu"}
    low = recipe.precision == "bf16" and config.zero_stage > 0
    return {
        "train_micro_batch_size_per_gpu": 1,  # required, but without effect: `train.pack` makes the micro-batches
        # Steps differ in their number of micro-batches, so `ZeroEngine.backward` marks each step's last one instead.
        "gradient_accumulation_steps": 1,
        "managed_gradient_accumulation": True,
        "gradient_allreduce_op": "mean",  # "sum" is refused with stage 3
        "gradient_clipping": recipe.clip_norm,
        "bf16": {"enabled": low, "check_grad_overflow": True},
        "fp16": {"enabled": False},
        "data_types": {"grad_accum_dtype": "fp32"},  # many micro-batches added up in bf16 lose half the accuracy
        "zero_optimization": zero,
        "zero_allow_untested_optimizer": True,  # torch's AdamW, which the torch engine uses too
        "zero_force_ds_cpu_optimizer": False,
        "steps_per_print": 2**31,
        "wall_clock_breakdown": False,
    }


def empty(folder: Path, recipe: Recipe, config: EngineConfig) -> PreTrainedModel:
    """The model of a Hugging Face folder, sharded over the ranks, without its weights: `sources` has them.

    Raises a ValueError if the folder lacks a weight.
    """
    model_config = AutoConfig.from_pretrained(str(folder), trust_remote_code=False)
    # transformers would zero the pad token's row of the embedding, which may lie in another rank's shard.
    model_config.pad_token_id = None
    with deepspeed.zero.Init(config_dict_or_path=settings(recipe, config)):
        model: PreTrainedModel = AutoModelForCausalLM.from_config(model_config, dtype=torch.float32)
    stored = sources(folder)
    buffers = {name: buffer for name, buffer in model.named_buffers() if name in export.whole_shapes(model)}
    if missing := export.whole_shapes(model).keys() - stored.keys():
        raise ValueError(
            f"{lacking(folder, missing)}; where transformers loads them under other names, as of experts, or from .bin "
            "files, choose engine=zero2, which lets it load the model"
        )
    for name, buffer in buffers.items():  # whole on every rank
        buffer.copy_(stored[name][...])
    return model


def sources(folder: Path) -> dict[str, Any]:
    """Slices of all tensors in a folder's safetensors files, by name; nothing is read yet."""
    opened = [safe_open(str(file), framework="pt") for file in sorted(folder.glob("*.safetensors"))]
    return {name: file.get_slice(name) for file in opened for name in file.keys()}  # noqa: SIM118 - no dictionary


def cpu_adam(module: nn.Module, recipe: Recipe) -> Optimizer:
    """DeepSpeed's AdamW for states in the host's memory, several times as fast as torch's, which stands in for it
    where no compiler can build it. It uses OMP_NUM_THREADS threads, in a job the processors of the task."""
    if shutil.which("ninja") and (shutil.which("c++") or shutil.which("g++")):
        from deepspeed.ops.adam import DeepSpeedCPUAdam

        try:
            built: Optimizer = DeepSpeedCPUAdam(
                parameter_groups(module, recipe), lr=recipe.learning_rate, betas=(recipe.beta1, recipe.beta2),
                eps=recipe.epsilon, adamw_mode=True,
            )  # fmt: skip
            return built
        except RuntimeError as problem:
            log.warning("DeepSpeed's CPU Adam could not be built (%s); torch's is used, which is slower", problem)
    return adam(module, recipe)


class ZeroEngine:
    """Weights in the recipe's precision with fp32 master copies, sharded according to the ZeRO stage."""

    def __init__(self, module: TokenLoss, recipe: Recipe, config: EngineConfig, group: ProcessGroup) -> None:
        offloads = config.offload != "none" and group.device.type != "cpu"
        optimizer = cpu_adam(module, recipe) if offloads else adam(module, recipe)
        self.group, self.stage = group, config.zero_stage
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

    @torch.no_grad()
    def read_weights(self, sources: Mapping[str, Any]) -> None:
        parts.fill_weights(self._held(), sources)
        self._refresh()

    def blocks(self, *, copied: bool) -> Iterator[Block]:
        return parts.blocks(self._own(), self.deepspeed.basic_optimizer, copied=copied)

    def held(self) -> int:
        return sum(part.size for part in self._own())

    @torch.no_grad()
    def load(self, folder: Path) -> None:
        parts.read(self._held(), self.deepspeed.basic_optimizer, folder)
        self._refresh()

    @torch.no_grad()
    def export(self, folder: Path, dtype: torch.dtype) -> None:
        own = {part.name: part for part in self._own()}
        export.write(self.deepspeed.module.model, own, folder, dtype, self.group)

    def _held(self) -> list[Part]:
        """The parts of the fp32 weights that this rank's optimiser updates: whole parameters with stage 0."""
        weights = export.weights(self.deepspeed.module.model)
        if self.stage == 0:
            return [Part(name, 0, weight.numel(), weight) for name, weight in weights]
        find = self._part_of_stage_3 if self.stage == 3 else self._part_of_stage_1_or_2
        found = [find(name, weight) for name, weight in weights if weight.requires_grad]
        return [part for part in found if part is not None]

    def _own(self) -> Sequence[Part]:
        """The parts that this rank writes, disjoint from those of all others."""
        return parts.share(self._held(), self.group) if self.stage == 0 else self._held()

    def _part_of_stage_1_or_2(self, name: str, weight: Any) -> Part | None:
        fragment = weight._hp_mapping
        if fragment is None:  # all of it lies on other ranks
            return None
        (flat,) = self.deepspeed.basic_optimizer.param_groups[fragment.param_group_index]["params"]
        place, offset = fragment.lp_fragment_address, fragment.hp_fragment_address.start
        return Part(name, place.start, place.numel, flat, offset)

    def _part_of_stage_3(self, name: str, weight: Any) -> Part | None:
        group, offset, size = self.optimizer.grad_position[self.optimizer.get_param_id(weight)]
        start = size * self.group.rank  # the last ranks' parts are padded
        size = min(size, weight.ds_numel - start)
        return Part(name, start, size, self.optimizer.fp32_partitioned_groups_flat[group], offset) if size > 0 else None

    def _refresh(self) -> None:
        """Copy changed fp32 weights to those of the forward pass, as the optimiser does after a step."""
        if self.stage in (1, 2):
            self.optimizer.update_lp_params()
        elif self.stage == 3:
            self.optimizer.checkpoint_event_prologue()
            for group in range(len(self.optimizer.fp32_partitioned_groups_flat)):
                self.optimizer._reassign_or_swap_out_partitioned_parameters(group)
            self.optimizer.checkpoint_event_epilogue()
