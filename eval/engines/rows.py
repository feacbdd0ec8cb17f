"""How many rows go through the model together: fewer once memory runs out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch

Row = TypeVar("Row")
Result = TypeVar("Result")

SAYS = ("can't allocate memory", "Cannot allocate memory", "CUBLAS_STATUS_ALLOC_FAILED")
"""Parts of the messages of a RuntimeError with which PyTorch says that an allocation has failed."""


@dataclass
class Rows:
    """The rows of one task that one process gives to its model at a time.

    ``most`` (None: any number) is halved whenever memory runs out and never rises again, since most batches of a task
    are alike.
    """

    model: str
    task: str
    most: int | None = None

    def run(
        self, work: Callable[[Sequence[Row]], list[Result]], rows: Sequence[Row], size: Callable[[Row], int]
    ) -> list[Result]:
        """The results of ``work`` for all rows, in as few parts as memory holds.

        A part that runs out of memory is done again from its beginning with half as many rows; a line on standard
        output says so once. Raises ValueError where a single row, of up to ``size`` tokens, is too large.
        """
        results: list[Result] = []
        failed = 0
        while len(results) < len(rows):
            part = rows[len(results) :][: self.most]
            made = _attempt(work, part)
            if made is not None:
                results += made
            elif len(part) > 1:
                failed, self.most = failed or len(part), len(part) // 2
            else:
                raise ValueError(self._problem(len(rows), size(part[0])))
        if failed:
            print(
                f"model {self.model}, task {self.task}: out of memory at {failed} rows; it goes on with "
                f"{self.most} at a time",
                flush=True,
            )
        return results

    def _problem(self, asked: int, size: int) -> str:
        device = "GPU" if torch.cuda.is_available() else "host"
        more = "more GPUs (on SLURM hydra.launcher.answer.gpus_per_node)" if device == "GPU" else "more memory"
        return (
            f"model {self.model}, task {self.task}: out of memory on the {device} with one row of up to {size} tokens "
            f"({asked} were asked for); give it {more}, precision bf16, or shorter prompts and answers"
        )


def _attempt(work: Callable[[Sequence[Row]], list[Result]], rows: Sequence[Row]) -> list[Result] | None:
    """The results, or None where memory ran out. Then nothing of the attempt is left in memory."""
    try:
        return work(rows)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
    # Only here are the tensors free that the error's traceback held.
    torch.cuda.empty_cache()
    return None


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that an allocation has failed, on a GPU or in the host's memory."""
    return isinstance(error, MemoryError | torch.OutOfMemoryError) or (
        isinstance(error, RuntimeError) and any(part in str(error) for part in SAYS)
    )
