"""The worker server: a process that forks a worker for every stage, and imports once what workers need, such as torch.

It reads requests as JSON lines from standard input and writes reports to standard output:

    {"id": 7, "job": {...}, "owner": "...", "rank": 0, "log": "...", "env": {...}}   request: fork a worker
    {"id": 7, "status": 0}      report: a worker has ended (a status below 0 is the signal that killed it)
    {"id": 7, "pid": 1234}      report: a worker lives, every second from the fork on; 0 is the server itself

When its input ends, because the launcher closed it or died, the server stops its workers and ends.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import json
import os
import selectors
import signal
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from common.start import ROOT, importing
from sweep.stages.claims import HEARTBEAT_SECONDS

GRACE_SECONDS = 20.0
"""Time that workers have to save a resume point after the launcher has gone."""

BEAT_SECONDS = 1.0
"""Time between two reports that a process lives."""

MODELS = ("torch", "transformers", "train.loop", "eval.stages.answer")
"""Modules that workers with a model need; to import them takes seconds. All come from the copy of the code."""

PR_SET_PDEATHSIG = 1
"""Option of prctl(2): the signal a process gets when its parent dies."""


def serve() -> None:
    """Answer requests until the input ends."""
    report = os.dup(1)
    os.dup2(2, 1)  # what libraries print while they are imported must not mix with the reports
    for name in ("SIGINT", "SIGTERM"):
        signal.signal(getattr(signal, name), signal.SIG_IGN)  # Ctrl-C reaches the launcher, which tells us what to stop
    children: dict[int, int] = {}
    wakeup, wake = os.pipe()
    os.set_blocking(wake, False)
    os.set_blocking(wakeup, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(wake)
    reader = selectors.DefaultSelector()
    reader.register(sys.stdin.fileno(), selectors.EVENT_READ)
    reader.register(wakeup, selectors.EVENT_READ)
    buffer = b""
    touched = time.monotonic()
    while True:
        _beat(report, 0)
        if time.monotonic() - touched > HEARTBEAT_SECONDS:
            touched = time.monotonic()
            _touch_code()
        for key, _ in reader.select(BEAT_SECONDS):
            if key.fd == wakeup:
                with contextlib.suppress(BlockingIOError):
                    os.read(wakeup, 4096)
                continue
            block = os.read(key.fd, 1 << 16)
            if not block:
                return _stop(children, report)
            *lines, buffer = (buffer + block).split(b"\n")
            for line in lines:
                _fork(json.loads(line), children, report)
        _reap(children, report)


def _touch_code() -> None:
    """Tell ``gc`` that this copy of the code is in use."""
    with contextlib.suppress(OSError):
        os.utime(ROOT)


def _preload(job: Mapping[str, Any], report: int) -> None:
    """Import what the worker of a job needs, unless an earlier one needed it too; meanwhile report being alive."""
    from sweep.stages import snapshot
    from sweep.stages.worker import MODEL_KINDS, STAGE_TYPES

    own = [STAGE_TYPES[job["kind"]].module] if job["kind"] in STAGE_TYPES else []
    models = MODELS if job["kind"] in MODEL_KINDS or "judge" in job["inputs"] else ()
    names = [name for name in (*models, *own) if name not in sys.modules]
    if not names:
        return
    with _beating(report, 0), importing(), _without_scipy() if models else contextlib.nullcontext():
        for name in names:
            importlib.import_module(name)
        if models:
            _warm_lazy_modules()
        snapshot.digest()  # kept for the workers' records
        gc.freeze()  # else the collector would write to every object, and workers would copy the pages they share


@contextlib.contextmanager
def _without_scipy() -> Iterator[None]:
    """Let transformers believe in the block that scipy is missing.

    It imports scipy.optimize with every model, which takes half a second, for the losses of object detection alone.
    """
    from transformers import utils

    library: Any = utils
    answer = library.is_scipy_available
    library.is_scipy_available = lambda: False
    try:
        yield
    finally:
        library.is_scipy_available = answer


def _warm_lazy_modules() -> None:
    """Build a tiny model, so that the modules transformers imports on first use are there before workers fork."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig

    assert AutoTokenizer is not None
    torch.set_num_threads(1)
    AutoModelForCausalLM.from_config(
        LlamaConfig(vocab_size=8, hidden_size=8, intermediate_size=8, num_hidden_layers=1, num_attention_heads=1)
    )


def _beat(report: int, number: int, pid: int | None = None) -> None:
    """Report that a process lives, this one by default."""
    with contextlib.suppress(BrokenPipeError):
        os.write(report, json.dumps({"id": number, "pid": pid or os.getpid()}).encode() + b"\n")


@contextlib.contextmanager
def _beating(report: int, number: int) -> Iterator[None]:
    """Report every second from a thread of its own that this process lives."""
    stop = threading.Event()

    def beat() -> None:
        while not stop.wait(BEAT_SECONDS):
            _beat(report, number)

    thread = threading.Thread(target=beat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def _fork(request: dict[str, Any], children: dict[int, int], report: int) -> None:
    """Fork the worker of a request. It gets the signals sent to it since its birth once it no longer ignores them."""
    _preload(request["job"], report)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])
    pid = os.fork()
    if pid == 0:
        _work(request, report)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
    children[pid] = request["id"]
    _beat(report, request["id"], pid)


def _work(request: dict[str, Any], report: int) -> None:
    """Build the requested stage in this new process, then end the process."""
    status = 1
    try:
        signal.set_wakeup_fd(-1)
        for name in ("SIGINT", "SIGTERM", "SIGCHLD"):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
        os.setsid()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGTERM])
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
        log = Path(request["log"])
        log.parent.mkdir(parents=True, exist_ok=True)
        stream = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        os.dup2(stream, 1)
        os.dup2(stream, 2)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.environ.update(request["env"])

        from sweep.stages.worker import Job, build_stage

        with _beating(report, request["id"]):
            status = build_stage(Job.from_json(request["job"]), request["owner"], request["rank"])
    finally:
        with contextlib.suppress(OSError):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)


def _reap(children: dict[int, int], report: int) -> None:
    while children:
        try:
            pid, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return
        if pid == 0:
            return
        if pid in children:
            line = json.dumps({"id": children.pop(pid), "status": os.waitstatus_to_exitcode(status)})
            with contextlib.suppress(BrokenPipeError):
                os.write(report, line.encode() + b"\n")


def _stop(children: dict[int, int], report: int) -> None:
    deadline = time.monotonic() + GRACE_SECONDS
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in children:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(pid, number)
        while children and time.monotonic() < deadline:
            _reap(children, report)
            time.sleep(0.05)
        deadline = time.monotonic() + 5.0


if __name__ == "__main__":
    serve()
