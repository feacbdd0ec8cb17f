"""Run a training stage in processes of its own, with rank variables set, so that tests can stop and kill it.

They are forked from a process that has imported torch and DeepSpeed: importing them takes as long as a small training.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from multiprocessing.context import ForkServerProcess
from pathlib import Path

from train.spec import TrainRun, TrainSpec

Ranks = dict[ForkServerProcess, Path]
"""The process of each rank, with the file of what it prints."""


FORKING = multiprocessing.get_context("forkserver")
FORKING.set_forkserver_preload(["torch", "transformers.models.llama.modeling_llama", "train.loop", "train.zero"])


def start(task: str, arguments: tuple[object, ...], folder: Path, *, ranks: int = 1) -> Ranks:
    """Start a task of this file in ``ranks`` processes."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shared = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(ranks)}
    started: Ranks = {}
    for rank in range(ranks):
        log, own = folder / f"{task}-{rank}.txt", {"RANK": str(rank), "LOCAL_RANK": str(rank)}
        process = FORKING.Process(target=_run, args=(shared | own, log, task, arguments), daemon=True)
        process.start()
        started[process] = log
    return started


def _run(environment: Mapping[str, str], log: Path, task: str, arguments: tuple[object, ...]) -> None:
    """Run a task in this new process."""
    os.environ.update(environment)
    with log.open("w") as file:
        for stream in (1, 2):
            os.dup2(file.fileno(), stream)
    import torch

    torch.set_num_threads(1)
    TASKS[task](*arguments)


def finish(started: Ranks, *, code: int = 0, seconds: float = 600) -> None:
    """Wait for all processes. Fails, showing what they printed, unless each ended with ``code``."""
    for process in started:
        process.join(seconds)
    codes = [process.exitcode for process in started]
    assert codes == [code] * len(codes), f"exit codes {codes}\n{_printed(started)}"


def kill_at(started: Ranks, path: Path, lines: int, *, seconds: float = 300) -> None:
    """Kill all processes, as a node that fails does, once a file has so many lines."""
    end = time.monotonic() + seconds
    while not path.is_file() or path.read_bytes().count(b"\n") < lines:
        if time.monotonic() > end or any(process.exitcode is not None for process in started):
            break
        time.sleep(0.005)
    for process in started:
        process.kill()
    for process in started:
        process.join()
    assert path.is_file() and path.read_bytes().count(b"\n") >= lines, _printed(started)


def _printed(started: Ranks) -> str:
    return "\n".join(log.read_text()[-3000:] for log in started.values())


def train(spec: TrainSpec, inputs: Mapping[str, Path], out: Path, execution: TrainRun) -> None:
    """train.loop.run."""
    from train.loop import run

    run(spec, inputs, out, execution)


def stopped(spec: TrainSpec, inputs: Mapping[str, Path], out: Path, execution: TrainRun, rank: int, step: int) -> None:
    """Train, and send SIGTERM to the process of one rank when metrics.jsonl has ``step`` lines."""
    if int(os.environ["RANK"]) == rank:
        threading.Thread(target=_terminate_at, args=(out / "metrics.jsonl", step), daemon=True).start()
    train(spec, inputs, out, execution)


def _terminate_at(path: Path, step: int) -> None:
    while not path.is_file() or path.read_bytes().count(b"\n") < step:
        time.sleep(0.002)
    os.kill(os.getpid(), signal.SIGTERM)


def gradients(spec: TrainSpec, inputs: Mapping[str, Path], out: Path, executions: Sequence[TrainRun]) -> None:
    """Save the gradient of the first step under each execution as OUT/STAGE.pt, all in the same process group."""
    import torch
    from deepspeed.utils import safe_get_full_grad

    from train import ranks, step
    from train.loop import make_engine, prepare
    from train.zero import ZeroEngine

    with ranks.join(2, always=True) as group:
        for execution in executions:
            setup, tokenizer = prepare(spec, inputs, execution, group)
            engine, _ = make_engine(setup, inputs, tokenizer)
            assert isinstance(engine, ZeroEngine)
            step.accumulate(setup, engine, setup.plan.batch(0))
            stage = execution.engine.zero_stage
            weights = engine.deepspeed.module.named_parameters()
            full = {name: (safe_get_full_grad(w) if stage else w.grad).clone() for name, w in weights}
            if group.first:
                torch.save(full, out / f"{stage}.pt")


def export_peaks(out: Path, depths: Sequence[int]) -> None:
    """Export ZeRO-3 models of so many small layers; add the peak of each to OUT/peak-RANK.txt.

    A line holds the bytes of the model in fp32, and by how many bytes this rank's memory grew at its peak.
    """
    import deepspeed
    import torch
    from transformers import AutoModelForCausalLM, LlamaConfig

    from tests.train.tiny import execution, train_spec
    from train import export, ranks, zero
    from train.model import TokenLoss

    export.SHARD_BYTES, export.CHUNK = 2**22, 2**18
    recipe, config = train_spec().recipe, execution(name="deepspeed", zero_stage=3, ranks=4).engine
    with ranks.join(4, always=True) as group:
        for depth in depths:
            shape = LlamaConfig(
                hidden_size=256, intermediate_size=512, num_attention_heads=4, num_hidden_layers=depth, vocab_size=400
            )
            with deepspeed.zero.Init(config_dict_or_path=zero.settings(recipe, config)):
                model = AutoModelForCausalLM.from_config(shape, dtype=torch.float32)
            engine = zero.ZeroEngine(TokenLoss(model, autocast=False), recipe, config, group)
            size = 4 * sum(shape.numel() for shape in export.whole_shapes(model).values())
            folder = out / f"depth-{depth}"
            folder.mkdir(exist_ok=True)
            before = _memory("VmRSS", reset=True)
            engine.export(folder, torch.float32)
            with (out / f"peak-{group.rank}.txt").open("a") as file:
                file.write(f"{size} {_memory('VmHWM') - before}\n")


def _memory(name: str, *, reset: bool = False) -> int:
    """Bytes of memory of this process: VmRSS now, VmHWM at the peak since the last reset."""
    if reset:
        Path("/proc/self/clear_refs").write_text("5")
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith(f"{name}:"))


def several(*calls: tuple[str, tuple[object, ...]]) -> None:
    """Run tasks one after the other in one process group, since DeepSpeed cannot join a second one."""
    from train import ranks

    with ranks.join(int(os.environ["WORLD_SIZE"]), always=True):
        for task, arguments in calls:
            TASKS[task](*arguments)


TASKS: dict[str, Callable[..., None]] = {"train": train, "stopped": stopped, "gradients": gradients,
                                         "export_peaks": export_peaks, "several": several}  # fmt: skip
