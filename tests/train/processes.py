"""Training in processes of its own: started with rank variables, killed, stopped.

As a program: ``python processes.py TASK FILE`` where FILE is a pickle of the task's arguments.
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
from collections.abc import Callable, Mapping
from pathlib import Path

ROOT = Path(__file__).parents[2]


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


def finish(processes: list[subprocess.Popen[str]], *, code: int = 0, seconds: float = 600) -> str:
    """Wait for all, on a busy machine too; what they wrote to stderr. Fails unless each ended with ``code``."""
    said = [process.communicate(timeout=seconds)[1] for process in processes]
    codes = [process.returncode for process in processes]
    assert codes == [code] * len(codes), f"exit codes {codes}\n" + "\n".join(text[-3000:] for text in said)
    return "\n".join(said)


def train(*arguments: object) -> None:
    """train.loop.run."""
    from train.loop import run

    run(*arguments)  # type: ignore[arg-type]


def stopped(spec: object, inputs: object, out: Path, execution: object, rank: int, step: int) -> None:
    """Train, and send SIGTERM to the process of one rank when metrics.jsonl has ``step`` lines."""
    if int(os.environ["RANK"]) == rank:
        threading.Thread(target=_terminate_at, args=(out / "metrics.jsonl", step), daemon=True).start()
    train(spec, inputs, out, execution)


def _terminate_at(path: Path, step: int) -> None:
    while not path.is_file() or path.read_bytes().count(b"\n") < step:
        time.sleep(0.002)
    os.kill(os.getpid(), signal.SIGTERM)


def gradients(spec: object, inputs: Mapping[str, Path], out: Path, hows: list[object]) -> None:
    """Save the gradient of the first step under each ``how`` as OUT/STAGE.pt, one process group for all."""
    import torch
    from deepspeed.utils import safe_get_full_grad

    from tests.train.whole import job_of
    from train import ranks, step
    from train.loop import make_trainer

    with ranks.group(2, always=True) as group:
        for execution in hows:
            job, tokenizer = job_of(spec, inputs, execution, group)
            trainer, _ = make_trainer(job, inputs, tokenizer)
            step._accumulate(job, trainer, job.plan.batch(0))
            zero = job.engine.zero_stage
            weights = trainer.engine.module.named_parameters()  # type: ignore[attr-defined]
            found = {n: (safe_get_full_grad(p) if zero else p.grad).clone() for n, p in weights}
            if group.first:
                torch.save(found, out / f"{zero}.pt")


def several(*calls: tuple[str, tuple[object, ...]]) -> None:
    """Tasks one after the other in the same two processes and one group of them: DeepSpeed cannot join a second one."""
    from train import ranks

    with ranks.group(2, always=True):
        for task, arguments in calls:
            TASKS[task](*arguments)


TASKS: dict[str, Callable[..., None]] = {"train": train, "stopped": stopped, "gradients": gradients,
                                         "several": several}  # fmt: skip

if __name__ == "__main__":
    import torch

    torch.set_num_threads(1)
    TASKS[sys.argv[1]](*pickle.loads(Path(sys.argv[2]).read_bytes()))
