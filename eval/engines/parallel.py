"""Answer batches with one in-process engine or a pool of worker processes."""

from __future__ import annotations

import functools
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from pathlib import Path
from types import TracebackType

import torch

from eval.engines import local, vllm
from eval.engines.models import placement
from eval.engines.request import Answer, Engine, Request
from eval.spec.answers import AnswerSpec

ENGINES = {"local": local.load, "vllm": vllm.load}
MAX_DEFAULT = 8  # worker processes on a CPU unless the user asks for more
MIN_BATCHES = 8  # per worker; starting a process for fewer takes longer than it saves

Inputs = tuple[tuple[str, Path], ...]


def default_workers() -> int:
    """One worker per GPU or, without any, per core, up to eight."""
    return torch.cuda.device_count() or min(MAX_DEFAULT, os.cpu_count() or 1)


class EnginePool:
    """Answers batches. The processes it has started end with its context.

    ``workers`` is the most processes, each with one thread, or one GPU if there are GPUs; None means one per GPU, or
    one. The answers do not depend on it. vLLM uses all GPUs from a single process, and so does the local engine where
    no single GPU holds the model.
    """

    def __init__(self, spec: AnswerSpec, inputs: Mapping[str, Path], workers: int | None) -> None:
        self._spec, self._inputs = spec, tuple(sorted(inputs.items()))
        alone = spec.engine == "vllm" or bool(placement(spec, inputs))
        self._workers = 1 if alone else workers or max(1, torch.cuda.device_count())
        self._engine: Engine | None = None
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> EnginePool:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._pool:
            self._pool.shutdown(cancel_futures=True)

    def answers(self, batches: Sequence[Request]) -> Iterator[tuple[int, list[Answer]]]:
        """The number of each batch and its answers, in the order in which batches finish."""
        # A pool that runs already is used for any number of batches, as its processes hold the model.
        count = min(self._workers, len(batches) // MIN_BATCHES)
        if count < 2 and not self._pool:
            for number, batch in enumerate(batches):
                self._engine = self._engine or ENGINES[self._spec.engine](self._spec, dict(self._inputs))
                yield number, self._engine(batch)
            return
        self._pool = self._pool or _start(count)
        numbers: dict[Future[list[Answer]], int] = {
            self._pool.submit(_answer, self._spec, self._inputs, batch): number for number, batch in enumerate(batches)
        }
        for done in as_completed(numbers):
            yield numbers[done], done.result()


def _start(count: int) -> ProcessPoolExecutor:
    # The fork server has imported everything once, and has neither threads nor a CUDA context, which forks break.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    numbers = context.SimpleQueue()
    for number in range(count):
        numbers.put(number)
    return ProcessPoolExecutor(count, context, _set_up_worker, (numbers,))


def _set_up_worker(numbers: multiprocessing.SimpleQueue[int]) -> None:
    """Make this process a worker with one thread and a GPU of its own, which ends with its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for the parent, which lets running batches finish
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    # Each worker takes one number, and with it one GPU.
    number = numbers.get()
    if torch.cuda.is_available():
        torch.cuda.set_device(number % torch.cuda.device_count())


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    # The parent may be killed and then cannot stop its workers.
    parent.join()
    os._exit(1)


def _answer(spec: AnswerSpec, inputs: Inputs, batch: Request) -> list[Answer]:
    return _loaded(spec, inputs)(batch)


@functools.lru_cache(maxsize=1)
def _loaded(spec: AnswerSpec, inputs: Inputs) -> Engine:
    """The engine of this worker. It is loaded with the first batch, so that an error reaches the parent."""
    return ENGINES[spec.engine](spec, dict(inputs))
