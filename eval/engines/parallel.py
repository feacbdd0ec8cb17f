"""Batches answered by one engine in this process, or by several, each in a process of its own."""

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
from eval.engines.request import Answer, Engine, Request
from eval.spec.answers import AnswerSpec

ENGINES = {"local": local.load, "vllm": vllm.load}
MOST = 8  # processes on the CPU that are started unasked
LEAST = 8  # batches that are worth the start of a process

Inputs = tuple[tuple[str, Path], ...]


def sensible() -> int:
    """As many workers as this machine has GPUs or, without any, cores, up to eight."""
    return torch.cuda.device_count() or min(MOST, os.cpu_count() or 1)


class EnginePool:
    """Answers batches; what it has started ends with its context.

    ``workers`` is the most processes, each with one thread, or one GPU where there are any; None means as many as
    there are GPUs, or one. What an engine answers does not depend on it. vLLM uses all GPUs from one process.
    """

    def __init__(self, spec: AnswerSpec, inputs: Mapping[str, Path], workers: int | None) -> None:
        self._spec, self._inputs = spec, tuple(sorted(inputs.items()))
        self._workers = 1 if spec.engine == "vllm" else workers or max(1, torch.cuda.device_count())
        self._engine: Engine | None = None
        self._pool: ProcessPoolExecutor | None = None

    def __enter__(self) -> EnginePool:
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        if self._pool:
            self._pool.shutdown(cancel_futures=True)

    def answers(self, batches: Sequence[Request]) -> Iterator[tuple[int, list[Answer]]]:
        """The place of each batch and its answers, in whatever order they come."""
        count = min(self._workers, len(batches) // LEAST)
        if count < 2 and not self._pool:
            for place, batch in enumerate(batches):
                self._engine = self._engine or ENGINES[self._spec.engine](self._spec, dict(self._inputs))
                yield place, self._engine(batch)
            return
        self._pool = self._pool or _started(count)
        places: dict[Future[list[Answer]], int] = {
            self._pool.submit(_answer, self._spec, self._inputs, batch): place for place, batch in enumerate(batches)
        }
        for done in as_completed(places):
            yield places[done], done.result()


def _started(count: int) -> ProcessPoolExecutor:
    # Forked from a server that has imported everything once, and has neither threads nor a CUDA context.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__])
    numbers = context.SimpleQueue()
    for number in range(count):
        numbers.put(number)
    return ProcessPoolExecutor(count, context, _begin, (numbers,))


def _begin(numbers: multiprocessing.SimpleQueue[int]) -> None:
    """Make this process one worker: one thread, a GPU of its own, and an end with its parent."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's, which lets a batch come to its end
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    number = numbers.get()
    if torch.cuda.is_available():
        torch.cuda.set_device(number % torch.cuda.device_count())


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _answer(spec: AnswerSpec, inputs: Inputs, batch: Request) -> list[Answer]:
    return _loaded(spec, inputs)(batch)


@functools.lru_cache(maxsize=1)
def _loaded(spec: AnswerSpec, inputs: Inputs) -> Engine:
    """The engine of this worker, loaded with its first batch, so that what is wrong with it comes back as its error."""
    return ENGINES[spec.engine](spec, dict(inputs))
