"""Generated code: programs a second beside the usual way, in one process that holds torch, and a long run."""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from eval.items.jsonl import read
from eval.sandbox.client import Limits, Sandbox
from eval.sandbox.levels import LEVELS
from eval.sandbox.programs import Program
from eval.tasks import humaneval
from tests.conftest import ROOT

LIMITS = Limits(3, 1 << 30)
WORKERS = 2
LONG = 5000
HUMANEVAL = ROOT.parent / "shared" / "data" / "code" / "HumanEval.jsonl.gz"
ISOLATED = [level for level in LEVELS if level.number == 3]

TrainRun = Callable[[list[Sandbox], Program], bool]


def sandbox() -> str:
    """Programs a second with two workers at level 3 against a process and a manager each; what 5,000 leave behind."""
    return subprocess.run(
        [sys.executable, "-m", "tests.bench.programs"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.strip()


def _measure() -> None:
    import torch  # as an evaluation's process has it: every fork of the usual way copies its tables

    torch.set_num_threads(1)
    sets: dict[str, list[Program]] = {"trivial": [Program("assert 1 + 1 == 2")] * 400}
    if HUMANEVAL.exists():
        solutions = [row["canonical_solution"] for row in read(HUMANEVAL)]
        pairs = zip(humaneval.items(HUMANEVAL), solutions, strict=True)
        sets["HumanEval's solutions"] = [humaneval.program(item, solution) for item, solution in pairs]
    for name, programs in sets.items():
        few = programs[:: max(1, len(programs) // 80)]
        usual, ours = [_timed(_usual, few)], [_timed(_ours, programs) for _ in range(3)]
        usual.append(_timed(_usual, few))
        (rate, cpu), (other, more) = ((max(r for r, _ in found), min(c for _, c in found)) for found in (ours, usual))
        print(
            f"{name}: {rate:.0f} programs/s ({1e3 * cpu:.1f} ms CPU each), the usual way {other:.1f} "
            f"({1e3 * more:.1f} ms): {rate / other:.1f} times, {more / cpu:.1f} by CPU"
        )
    print(_long())


def _timed(run: TrainRun, programs: Sequence[Program]) -> tuple[float, float]:
    """Programs a second and CPU seconds a program, the start of two sandboxes left out."""
    with ExitStack() as stack:
        idle = [stack.enter_context(Sandbox(LIMITS, levels=ISOLATED)) for _ in range(WORKERS)]
        began, cpu = time.monotonic(), _cpu()
        with ThreadPoolExecutor(WORKERS) as pool:
            passed = list(pool.map(partial(run, idle), programs))
        assert all(passed), f"{len(passed) - sum(passed)} programs did not pass"
        return len(programs) / (time.monotonic() - began), (_cpu() - cpu) / len(programs)


def _ours(idle: list[Sandbox], program: Program) -> bool:
    sandbox = idle.pop()
    try:
        return sandbox.run(program).status == "passed"
    finally:
        idle.append(sandbox)


def _usual(_: list[Sandbox], program: Program) -> bool:
    """A manager and a process, forked from here; the child takes functions away from itself and runs the program."""
    context = multiprocessing.get_context("fork")
    with context.Manager() as manager:
        told = manager.list()
        process = context.Process(target=_guarded, args=(f"{program.code}\n{program.tests or ''}", told))
        process.start()
        process.join(LIMITS.seconds + 1)
        if process.is_alive():
            process.kill()
        return list(told) == ["passed"]


def _guarded(text: str, told: list[str]) -> None:
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        kept = os.getcwd, os.chdir, os.unlink, os.rmdir
        os.chdir(folder)
        for name in ("kill", "system", "fork", "forkpty", "remove", "rename", "unlink", "rmdir", "getcwd", "chdir"):
            setattr(os, name, None)
        try:
            exec(text, {"__name__": "program"})
            told.append("passed")
        except BaseException as error:
            told.append(f"failed {error}")
        os.getcwd, os.chdir, os.unlink, os.rmdir = kept
        os.chdir("/")


def _long() -> str:
    """What thousands of programs through one sandbox leave: descriptors, processes, files, memory."""
    texts = ["assert sum([1, 2]) == 3", "assert False", "x = [0] * 100000", "raise SystemExit(0)", "open('x', 'w')"]
    began = time.monotonic()
    with Sandbox(LIMITS, levels=ISOLATED) as running:
        statuses = [running.run(text).status for text in texts]
        first = _state()
        for number in range(LONG):
            assert running.run(texts[number % 5]).status == statuses[number % 5]
        last = _state()
    names = ("descriptors", "processes", "zombies", "files", "KiB")
    grown = ", ".join(f"{b - a:+d} {name}" for name, a, b in zip(names, first, last, strict=True))
    return f"{LONG} programs through one sandbox in {time.monotonic() - began:.0f} s: {grown}"


def _state() -> tuple[int, ...]:
    """Descriptors, processes and zombies of this process and all below it, temporary files, and their memory in KiB."""
    family = {pid: fields[0] for pid, fields in _family().items()}
    descriptors = sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid, state in family.items() if state != "Z")
    sizes = [int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4 for pid in family]
    files = len(list(Path(tempfile.gettempdir()).glob("dosage-*")))
    return descriptors, len(family), list(family.values()).count("Z"), files, sum(sizes)


def _cpu() -> float:
    """CPU seconds of this process and all below it, those included that have ended and were waited for."""
    return sum(int(part) for fields in _family().values() for part in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def _family() -> dict[int, list[str]]:
    """The fields of /proc/PID/stat from the state on, of this process and all below it."""
    found: dict[int, list[str]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            found[int(path.parent.name)] = path.read_text().rpartition(")")[2].split()
    family, front = {os.getpid()}, {os.getpid()}
    while front:
        front = {pid for pid, fields in found.items() if int(fields[1]) in front}
        family |= front
    return {pid: found[pid] for pid in family}


if __name__ == "__main__":
    _measure()
