"""The processes of a stage and their collective operations. The only file of train/ that reads RANK and the like."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor

from common.cgroup import free_memory

# torch gives NCCL 10 minutes by default, which loading or saving a large model can exceed.
TIMEOUT = timedelta(minutes=30)


@dataclass(frozen=True)
class ProcessGroup:
    """The ``size`` processes of a stage, seen from one of them: ``rank`` of all nodes, ``local_rank`` of its node."""

    rank: int
    size: int
    local_rank: int

    @property
    def first(self) -> bool:
        """Whether this is rank 0, the process that writes the files that exist once."""
        return self.rank == 0

    @property
    def device(self) -> torch.device:
        """This process's accelerator, or the CPU where there is none."""
        return torch.device("cuda", self.local_rank) if torch.cuda.is_available() else torch.device("cpu")

    def total(self, values: Sequence[float]) -> list[float]:
        """Element-wise sums of ``values`` over all ranks, in float64. Every rank must call it and gets the sums."""
        if self.size == 1:
            return list(values)
        tensor = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.all_reduce(tensor)
        return [float(value) for value in tensor.tolist()]

    def any(self, flag: bool) -> bool:
        """Whether the flag is set on at least one rank. Every rank must call it."""
        return self.total([float(flag)])[0] > 0

    def peak_memory(self) -> int:
        """Bytes that the rank with the most has held at its peak. Every rank must call it.

        On a GPU these are what PyTorch has reserved there, on a CPU the resident memory of the process.
        """
        if self.device.type == "cuda":
            own = torch.cuda.max_memory_reserved(self.device)
        else:  # Linux counts in KiB, macOS in bytes
            own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        return int(max(self.total([own * (rank == self.rank) for rank in range(self.size)])))

    def host_room(self) -> int:
        """Bytes of its host's memory that this rank may still take, if the ranks of the host share what is free."""
        return free_memory() // int(os.environ.get("LOCAL_WORLD_SIZE", "1"))

    def add_up(self, tensor: Tensor, rank: int) -> None:
        """Add the tensors of all ranks up in the one of ``rank``; the others then hold anything. All must call it."""
        if self.size > 1:
            dist.reduce(tensor, rank)

    def barrier(self) -> None:
        """Wait until every rank has called this."""
        if self.size > 1:
            dist.barrier()


@contextmanager
def join(size: int, *, always: bool) -> Iterator[ProcessGroup]:
    """Join the ``size`` processes of this stage and leave them at the end of the block.

    A single process gets a torch process group only with ``always``, since DeepSpeed needs one even then. Raises a
    ValueError if another number of processes was started.
    """
    started = int(os.environ.get("WORLD_SIZE", "1"))
    if started != size:
        raise ValueError(
            f"engine.ranks={size}, but WORLD_SIZE={started} process(es) were started; start one process per rank, each "
            "with RANK, LOCAL_RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT set"
        )
    group = ProcessGroup(int(os.environ.get("RANK", "0")), size, int(os.environ.get("LOCAL_RANK", "0")))
    if group.device.type == "cuda":
        torch.cuda.set_device(group.device)
    if dist.is_initialized() or (size == 1 and not always):  # an existing process group is ended by its creator
        yield group
        return
    backend = "nccl" if group.device.type == "cuda" else "gloo"
    store = dist.HashStore() if size == 1 else None
    dist.init_process_group(backend, store=store, rank=group.rank, world_size=size, timeout=TIMEOUT)
    try:
        yield group
        dist.barrier()
    finally:
        dist.destroy_process_group()
