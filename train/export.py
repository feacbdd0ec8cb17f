"""The published model: a Hugging Face folder, gathered from all ranks one parameter at a time."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from huggingface_hub import split_state_dict_into_shards_factory
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn
from transformers import PreTrainedModel
from transformers.core_model_loading import revert_weight_conversion

from train.parts import Part
from train.ranks import ProcessGroup

SHARD_BYTES = 2**30
"""Size of a file of weights: about a layer of a 33B model. A rank holds one such file in memory while it writes it."""

CHUNK = 2**25
"""Values of a parameter that are gathered at once, which is what the gathering takes on each rank's device."""


def write(
    model: PreTrainedModel, parts: Mapping[str, Part], folder: Path, dtype: torch.dtype, group: ProcessGroup
) -> None:
    """Write config and weights in ``dtype``. Every rank must call it, with the disjoint parts that it holds, by name.

    The ranks write the files in turn, as transformers loads them: under the names of the family's checkpoints, tied
    weights once. Raises a RuntimeError if the parts are not the whole model.
    """
    shapes = whole_shapes(model)
    buffers = dict(model.named_buffers())
    lacking = sum(shape.numel() for name, shape in shapes.items() if name not in buffers)
    lacking -= int(group.total([sum(part.size for part in parts.values())])[0])
    if lacking:
        raise RuntimeError(f"the ranks lack {lacking} of the model's weights, which would be published as zeros")
    split = split_state_dict_into_shards_factory(
        shapes, get_storage_size=lambda shape: shape.numel() * dtype.itemsize, max_shard_size=SHARD_BYTES,
        filename_pattern="model{suffix}.safetensors",
    )  # fmt: skip
    if group.first:
        for left in folder.glob("model*.safetensors*"):  # by an attempt that was killed
            left.unlink()
    group.barrier()
    for number, (file, names) in enumerate(split.filename_to_tensors.items()):
        writer = number % group.size
        content: dict[str, Tensor] = {}
        for name in names:
            if name in buffers:  # whole on every rank
                tensor = buffers[name].detach().cpu()
                content[name] = tensor.to(dtype) if tensor.is_floating_point() else tensor
            else:
                gathered = gather(parts.get(name), shapes[name], dtype, writer, group)
                if gathered is not None:
                    content[name] = gathered
        if group.rank == writer:
            save_file(revert_weight_conversion(model, content), folder / file, metadata={"format": "pt"})
    group.barrier()
    if group.first:
        _write_configs(model, folder, dtype)
        if split.is_sharded:
            _write_index(folder, list(split.filename_to_tensors))
        for file in split.filename_to_tensors:  # these files are written readable by their owner only
            (folder / file).chmod((folder / "config.json").stat().st_mode)


def weights(model: PreTrainedModel) -> Iterator[tuple[str, nn.Parameter]]:
    """The parameters by the names under which they are stored; tied ones once."""
    tied = getattr(model, "all_tied_weights_keys", None) or {}
    for name, weight in model.named_parameters():
        yield tied.get(name, name), weight


def whole_shapes(model: PreTrainedModel) -> dict[str, torch.Size]:
    """The shape of each weight and stored buffer that a folder of the model holds, by name."""
    shapes = {name: full_shape(weight) for name, weight in weights(model)}
    stored = model.state_dict().keys()
    shapes |= {name: buffer.shape for name, buffer in model.named_buffers() if name in stored}
    return {name: shape for name, shape in shapes.items() if name not in (model._keys_to_ignore_on_save or ())}


def full_shape(parameter: Tensor) -> torch.Size:
    """The shape of a parameter, also where DeepSpeed has sharded it and left an empty tensor in its place."""
    shape: torch.Size = getattr(parameter, "ds_shape", parameter.shape)
    return shape


def gather(part: Part | None, shape: torch.Size, dtype: torch.dtype, writer: int, group: ProcessGroup) -> Tensor | None:
    """A whole parameter in the memory of the rank ``writer``, None on all others. Every rank must call it."""
    whole = torch.empty(shape.numel(), dtype=dtype) if group.rank == writer else None
    for start in range(0, shape.numel(), CHUNK):
        stop = min(start + CHUNK, shape.numel())
        chunk = torch.zeros(stop - start, device=group.device)
        held = None if part is None else part.within(start, stop)
        if held is not None:
            chunk[held.start - start : held.start - start + held.size].copy_(held.of(held.flat))
        group.add_up(chunk.view(torch.int32), writer)  # sums of integers keep every bit where one rank has a value
        if whole is not None:
            whole[start:stop].copy_(chunk)
    return None if whole is None else whole.view(shape)


def _write_configs(model: PreTrainedModel, folder: Path, dtype: torch.dtype) -> None:
    model.config.dtype = str(dtype).removeprefix("torch.")
    model.config.architectures = [type(model).__name__]
    model.config.save_pretrained(str(folder))
    if model.can_generate():
        model.generation_config.save_pretrained(str(folder))


def _write_index(folder: Path, files: list[str]) -> None:
    """The file that says which weight lies where, from the headers of the files themselves."""
    places: dict[str, str] = {}
    for file in files:
        with safe_open(str(folder / file), framework="pt") as stored:
            places |= dict.fromkeys(stored.keys(), file)
    size = sum((folder / file).stat().st_size for file in files)
    index = {"metadata": {"total_size": size}, "weight_map": dict(sorted(places.items()))}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
