"""Run a training stage in processes of its own, with rank variables set, so that tests can stop and kill it.

As a program: ``python processes.py TASK FILE``, where FILE is a pickle of the task's arguments.
"""

from __future__ import annotations

import os
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from tests.conftest import ROOT
from train.spec import TrainRun, TrainSpec


def start(task: str, arguments: tuple[object, ...], folder: Path, *, ranks: int = 1) -> list[subprocess.Popen[str]]:
    """Start a task of this file in ``ranks`` processes."""
    file = folder / f"{task}.pickle"
    file.write_bytes(pickle.dumps(arguments))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    shared = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "DS_ACCELERATOR": "cpu",
              "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": str(ranks)}  # fmt: skip
    return [
        subprocess.Popen(
            [sys.executable, __file__, task, str(file)], env={**shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        )
        for rank in range(ranks)
    ]  # fmt: skip


def finish(processes: list[subprocess.Popen[str]], *, code: int = 0, seconds: float = 600) -> None:
    """Wait for all processes. Fails, showing their stderr, unless each ended with ``code``."""
    errors = [process.communicate(timeout=seconds)[1] for process in processes]
    codes = [process.returncode for process in processes]
    assert codes == [code] * len(codes), f"exit codes {codes}\n" + "\n".join(text[-3000:] for text in errors)


def kill_at(processes: list[subprocess.Popen[str]], path: Path, lines: int, *, seconds: float = 300) -> None:
    """Kill all processes, as a node that fails does, once a file has so many lines."""
    end = time.monotonic() + seconds
    while not path.is_file() or path.read_bytes().count(b"\n") < lines:
        if time.monotonic() > end or any(process.poll() is not None for process in processes):
            break
        time.sleep(0.005)
    for process in processes:
        process.kill()
    errors = [process.communicate()[1] for process in processes]
    assert path.is_file() and path.read_bytes().count(b"\n") >= lines, "\n".join(text[-3000:] for text in errors)


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

if __name__ == "__main__":
    import torch

    torch.set_num_threads(1)
    TASKS[sys.argv[1]](*pickle.loads(Path(sys.argv[2]).read_bytes()))
