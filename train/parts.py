"""The parts of the parameters that a rank's optimiser holds, and the files of a resume point that are made of them.

A resume point holds each parameter's fp32 weights and Adam moments once, in pieces, whichever rank held them. So it can
be read by any number of ranks, any ZeRO stage and the torch engine. The files are safetensors, which hold no code.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor
from torch.optim import Optimizer

from train.ranks import ProcessGroup

WEIGHT = "weight"
MOMENTS = ("exp_avg", "exp_avg_sq")
STEPS = "steps"
"""The key of a file's metadata that holds the number of updates of each parameter, as JSON."""

FILE_BYTES = 2**30
"""Size from which on a rank begins another file, which bounds the memory that writing takes beside accelerators."""


@dataclass(frozen=True)
class Part:
    """The values ``start`` to ``start + size`` of a flattened parameter, as they lie in a tensor of an optimiser.

    The fp32 tensor ``flat`` holds them from ``offset`` on; it may hold parts of several parameters.
    """

    name: str
    start: int
    size: int
    flat: Tensor
    offset: int = 0

    def of(self, tensor: Tensor) -> Tensor:
        """This part's values [size] in ``flat`` or in a moment of the same shape; writing to them changes it."""
        return tensor.detach().view(-1)[self.offset : self.offset + self.size]

    def within(self, start: int, stop: int) -> Part | None:
        """What lies between two places of the flattened parameter, None if nothing does."""
        first, last = max(start, self.start), min(stop, self.start + self.size)
        if first >= last:
            return None
        return replace(self, start=first, size=last - first, offset=self.offset + first - self.start)


def share(parts: Iterable[Part], group: ProcessGroup) -> list[Part]:
    """This rank's share of parts that every rank holds whole: the shares of all ranks are disjoint and complete."""
    cut = [
        part.within(part.size * group.rank // group.size, part.size * (group.rank + 1) // group.size) for part in parts
    ]
    return [part for part in cut if part is not None]


@dataclass
class Block:
    """What one file of a resume point holds: tensors in host memory by key, and the updates of each parameter."""

    tensors: dict[str, Tensor] = field(default_factory=dict)
    steps: dict[str, float] = field(default_factory=dict)


def blocks(parts: Sequence[Part], optimizer: Optimizer, *, copied: bool) -> Iterator[Block]:
    """The weights and moments of disjoint parts, a file's worth at a time and at least one.

    ``copied`` ones stay as they are while training goes on; others may be the tensors of the optimiser themselves.
    """
    block, yielded = Block(), False
    for part in parts:
        state = optimizer.state.get(part.flat, {})
        stored = {WEIGHT: part.flat} | {name: state[name] for name in MOMENTS if name in state}
        for name, tensor in stored.items():
            block.tensors[f"{name}:{part.start}:{part.name}"] = part.of(tensor).to("cpu", copy=copied)
        if "step" in state:  # a parameter that has had no gradient yet has no state
            block.steps[part.name] = float(state["step"])
        if sum(tensor.nbytes for tensor in block.tensors.values()) >= FILE_BYTES:
            yield block
            block, yielded = Block(), True
    if block.tensors or not yielded:
        yield block


def write(blocks: Iterable[Block], folder: Path, rank: int) -> list[Path]:
    """Write each block to a file of this rank; return the files."""
    files: list[Path] = []
    for block in blocks:
        files.append(folder / f"{rank:05d}-{len(files):05d}.safetensors")
        save_file(block.tensors, files[-1], metadata={STEPS: json.dumps(block.steps)})
        block.tensors.clear()
    return files


def read(parts: Sequence[Part], optimizer: Optimizer, folder: Path) -> None:
    """Fill the parts, and the optimiser's moments of them, from a resume point that any ranks have written.

    Raises a ValueError if the files cannot be read or lack a value of a part.
    """
    try:
        stored = _Stored(folder)
        for part in parts:
            stored.fill(part.of(part.flat), WEIGHT, part)
            if part.name in stored.steps:
                state = _state(optimizer, part.flat, stored.steps[part.name])
                for name in MOMENTS:
                    stored.fill(part.of(state[name]), name, part)
    except (OSError, SafetensorError) as problem:
        raise ValueError(f"{folder}: this resume point cannot be read ({problem}); {REMEDY}") from None


REMEDY = "nothing was deleted: put the files back, or delete this folder to start from an earlier point or step 0"


class _Stored:
    """The pieces in a resume point's files, by kind and parameter."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.steps: dict[str, float] = {}
        self.pieces: dict[str, list[tuple[int, Any]]] = {}
        """By ``KIND:PARAMETER``: where each piece begins, and its slice."""
        for file in sorted(folder.glob("*.safetensors")):
            opened = safe_open(str(file), framework="pt")
            self.steps |= json.loads((opened.metadata() or {}).get(STEPS, "{}"))
            for key in opened.keys():  # noqa: SIM118 - not a dictionary
                kind, start, name = key.split(":", 2)
                self.pieces.setdefault(f"{kind}:{name}", []).append((int(start), opened.get_slice(key)))

    def fill(self, values: Tensor, kind: str, part: Part) -> None:
        """Copy the stored values of a part to ``values``; raises a ValueError where one is missing."""
        missing = part.size
        for start, piece in self.pieces.get(f"{kind}:{part.name}", ()):
            size = piece.get_shape()[0]
            first, last = max(start, part.start), min(start + size, part.start + part.size)
            if first < last:
                values[first - part.start : last - part.start].copy_(piece[first - start : last - start])
                missing -= last - first
        if missing:
            raise ValueError(
                f"{self.folder}: this resume point lacks {missing} of {part.size} values of {part.name} ({kind}); "
                f"{REMEDY}"
            )


def _state(optimizer: Optimizer, flat: Tensor, steps: float) -> dict[str, Any]:
    """The optimiser's state of a tensor, made as AdamW makes it if the tensor has had no update."""
    state: dict[str, Any] = optimizer.state[flat]
    if not state:
        state |= {name: torch.zeros_like(flat, memory_format=torch.preserve_format) for name in MOMENTS}
    is_torch = isinstance(optimizer, torch.optim.AdamW)
    state["step"] = torch.tensor(steps, dtype=torch.float32, device=flat.device) if is_torch else int(steps)
    return state


def fill_weights(parts: Sequence[Part], sources: Mapping[str, Any]) -> None:
    """Copy weights from tensors, or slices of a file, of the parameters' shapes to the parts, in fp32."""
    for part in parts:
        weights = part.of(part.flat)
        done = 0
        for rows, skip in _rows(sources[part.name], part):
            stretch = rows.reshape(-1)[skip : skip + part.size - done]
            weights[done : done + len(stretch)].copy_(stretch)
            done += len(stretch)
        assert done == part.size, part


def _rows(source: Any, part: Part) -> Iterator[tuple[Tensor, int]]:
    """The rows of a parameter that hold a part, a few at a time, each with the number of values before the part."""
    shape = list(source.shape) if isinstance(source, Tensor) else list(source.get_shape())
    if not shape:
        yield source[...], 0
        return
    width = max(1, int(torch.Size(shape[1:]).numel()))
    first, last = part.start // width, -(-(part.start + part.size) // width)
    stride = max(1, FILE_BYTES // 16 // width)
    for row in range(first, last, stride):
        yield source[row : min(row + stride, last)], part.start - first * width if row == first else 0
