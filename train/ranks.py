"""The processes of one stage: their numbers and what they agree on. The only reader of the rank variables."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta

import torch
import torch.distributed as dist

TIMEOUT = timedelta(minutes=30)


@dataclass(frozen=True)
class Group:
    """One of ``size`` processes; ``rank`` counts over all nodes, ``local`` on this one."""

    rank: int
    size: int
    local: int

    @property
    def first(self) -> bool:
        """Whether this process writes what is written once."""
        return self.rank == 0

    @property
    def device(self) -> torch.device:
        """This process's accelerator, or the CPU."""
        return torch.device("cuda", self.local) if torch.cuda.is_available() else torch.device("cpu")

    def total(self, values: Sequence[float]) -> list[float]:
        """Element-wise sums over all processes, in float64; every process gets them."""
        if self.size == 1:
            return list(values)
        tensor = torch.tensor(values, dtype=torch.float64, device=self.device)
        dist.all_reduce(tensor)
        return [float(value) for value in tensor.tolist()]

    def any(self, flag: bool) -> bool:
        """Whether the flag is set in at least one process."""
        return self.total([float(flag)])[0] > 0

    def barrier(self) -> None:
        """Wait until every process has come here."""
        if self.size > 1:
            dist.barrier()


@contextmanager
def group(size: int, *, always: bool) -> Iterator[Group]:
    """Join the ``size`` processes of this stage; raise a ValueError if that many were not started.

    A single process has no process group unless ``always`` asks for one, which DeepSpeed needs.
    """
    started = int(os.environ.get("WORLD_SIZE", "1"))
    if started != size:
        raise ValueError(
            f"engine.ranks={size}, but WORLD_SIZE={started} process(es) were started; start one process per rank, each "
            "with RANK, LOCAL_RANK, WORLD_SIZE, MASTER_ADDR and MASTER_PORT set"
        )
    me = Group(int(os.environ.get("RANK", "0")), size, int(os.environ.get("LOCAL_RANK", "0")))
    if me.device.type == "cuda":
        torch.cuda.set_device(me.device)
    if dist.is_initialized() or (size == 1 and not always):  # whoever made the group of processes also ends it
        yield me
        return
    backend = "nccl" if me.device.type == "cuda" else "gloo"
    store = dist.HashStore() if size == 1 else None
    dist.init_process_group(backend, store=store, rank=me.rank, world_size=size, timeout=TIMEOUT)
    try:
        yield me
        dist.barrier()
    finally:
        dist.destroy_process_group()
