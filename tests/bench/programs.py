"""Generated code: programs a second of the sandbox beside a process for each program, and what a long run leaves."""

from __future__ import annotations

import contextlib
import io
import multiprocessing
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path

from eval.items.jsonl import read
from eval.sandbox.client import Sandbox
from eval.sandbox.levels import LEVELS
from eval.sandbox.programs import Limits, Program
from eval.tasks import humaneval
from tests.bench.timing import fresh_process
from tests.conftest import ROOT

LIMITS = Limits(3, 1 << 30)
WORKERS = 2
LONG_RUN = 5000  # programs
HUMANEVAL = ROOT.parent / "shared" / "data" / "code" / "HumanEval.jsonl.gz"
ISOLATED = [level for level in LEVELS if level.number == 3]

Way = Callable[[list[Sandbox], Program], bool]  # runs a program, with idle sandboxes at hand; whether it passed


def sandbox() -> str:
    """Programs a second with two workers at level 3, beside a process and a manager for each."""
    return fresh_process("-m", "tests.bench.programs")


def _measure() -> None:
    import torch  # as in the process of an evaluation: every fork of the usual way copies its page tables

    torch.set_num_threads(1)
    sets: dict[str, list[Program]] = {"trivial": [Program("assert 1 + 1 == 2")] * 400}
    if HUMANEVAL.exists():
        solutions = [row["canonical_solution"] for row in read(HUMANEVAL)]
        pairs = zip(humaneval.items(HUMANEVAL), solutions, strict=True)
        sets["HumanEval's solutions"] = [humaneval.program(item, solution) for item, solution in pairs]
    for name, programs in sets.items():
        few = programs[:: max(1, len(programs) // 80)]
        # The usual way before and after the sandbox, so that a change in the machine's load meets both.
        usual, sandboxed = [_timed(_usual, few)], [_timed(_sandboxed, programs) for _ in range(3)]
        usual.append(_timed(_usual, few))
        (rate, cpu), (usual_rate, usual_cpu) = map(_best, (sandboxed, usual))
        print(
            f"{name}: {rate:.0f} programs/s ({1e3 * cpu:.1f} ms CPU each), the usual way {usual_rate:.1f} "
            f"({1e3 * usual_cpu:.1f} ms): {rate / usual_rate:.1f} times, {usual_cpu / cpu:.1f} by CPU"
        )
    print(_numpy(sets["trivial"]))
    print(_long_run())


def _numpy(programs: Sequence[Program]) -> str:
    """What tests that import numpy cost, as those of HumanEval+ and MBPP+ do, in turns with tests that do not."""
    importing = [Program(program.code, "import numpy as np\nassert np.allclose(1 + 1, 2)") for program in programs]
    given = [Program(program.code, "assert 1 + 1 == 2") for program in programs]
    rounds = [
        (_timed(_sandboxed, given), _timed(_sandboxed, importing, replace(LIMITS, packages=("numpy",))))
        for _ in range(3)
    ]
    (rate, cpu), (numpy_rate, numpy_cpu) = _best([one for one, _ in rounds]), _best([one for _, one in rounds])
    return (
        f"with numpy: {numpy_rate:.0f} programs/s ({1e3 * numpy_cpu:.1f} ms CPU each), without {rate:.0f} "
        f"({1e3 * cpu:.1f} ms): {numpy_cpu / cpu:.2f} times the CPU time"
    )


def _best(rounds: list[tuple[float, float]]) -> tuple[float, float]:
    """The highest rate and the least CPU time of some rounds."""
    return max(rate for rate, _ in rounds), min(cpu for _, cpu in rounds)


def _timed(way: Way, programs: Sequence[Program], limits: Limits = LIMITS) -> tuple[float, float]:
    """Programs a second and CPU seconds a program, without the start of the two sandboxes."""
    with ExitStack() as stack:
        idle = [stack.enter_context(Sandbox(limits, levels=ISOLATED)) for _ in range(WORKERS)]
        began, cpu = time.monotonic(), _cpu()
        with ThreadPoolExecutor(WORKERS) as pool:
            passed = list(pool.map(partial(way, idle), programs))
        assert all(passed), f"{len(passed) - sum(passed)} programs did not pass"
        return len(programs) / (time.monotonic() - began), (_cpu() - cpu) / len(programs)


def _sandboxed(idle: list[Sandbox], program: Program) -> bool:
    sandbox = idle.pop()
    try:
        return sandbox.run(program).status == "passed"
    finally:
        idle.append(sandbox)


def _usual(_: list[Sandbox], program: Program) -> bool:
    """A manager and a process, forked from here; the child disables dangerous functions and runs the program."""
    context = multiprocessing.get_context("fork")
    with context.Manager() as manager:
        results = manager.list()
        process = context.Process(target=_guarded, args=(f"{program.code}\n{program.tests or ''}", results))
        process.start()
        process.join(LIMITS.seconds + 1)
        if process.is_alive():
            process.kill()
        return list(results) == ["passed"]


def _guarded(text: str, results: list[str]) -> None:
    """Run the program in an empty folder and append its result."""
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        # The temporary folder is removed with these functions.
        saved = os.getcwd, os.chdir, os.unlink, os.rmdir
        os.chdir(folder)
        for name in ("kill", "system", "fork", "forkpty", "remove", "rename", "unlink", "rmdir", "getcwd", "chdir"):
            setattr(os, name, None)
        try:
            exec(text, {"__name__": "program"})
            results.append("passed")
        except BaseException as error:
            results.append(f"failed {error}")
        os.getcwd, os.chdir, os.unlink, os.rmdir = saved
        os.chdir("/")


def _long_run() -> str:
    """The descriptors, processes, files and memory that thousands of programs in one sandbox leave behind."""
    texts = ["assert sum([1, 2]) == 3", "assert False", "x = [0] * 100000", "raise SystemExit(0)", "open('x', 'w')"]
    began = time.monotonic()
    with Sandbox(LIMITS, levels=ISOLATED) as running:
        statuses = [running.run(text).status for text in texts]
        first = _state()
        for number in range(LONG_RUN):
            assert running.run(texts[number % 5]).status == statuses[number % 5]
        last = _state()
    names = ("descriptors", "processes", "zombies", "files", "KiB")
    grown = ", ".join(f"{b - a:+d} {name}" for name, a, b in zip(names, first, last, strict=True))
    return f"{LONG_RUN} programs through one sandbox in {time.monotonic() - began:.0f} s: {grown}"


def _state() -> tuple[int, ...]:
    """Of this process and its descendants: descriptors, processes, zombies, temporary files, and memory in KiB."""
    family = {pid: fields[0] for pid, fields in _family().items()}
    descriptors = sum(len(list(Path(f"/proc/{pid}/fd").iterdir())) for pid, state in family.items() if state != "Z")
    sizes = [int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * 4 for pid in family]
    files = len(list(Path(tempfile.gettempdir()).glob("dosage-*")))
    return descriptors, len(family), list(family.values()).count("Z"), files, sum(sizes)


def _cpu() -> float:
    """CPU seconds of this process and its descendants, ended ones included that were waited for."""
    return sum(int(part) for fields in _family().values() for part in fields[11:15]) / os.sysconf("SC_CLK_TCK")


def _family() -> dict[int, list[str]]:
    """The fields of /proc/PID/stat from the state on, by id, of this process and its descendants."""
    stats: dict[int, list[str]] = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            stats[int(path.parent.name)] = path.read_text().rpartition(")")[2].split()
    family, front = {os.getpid()}, {os.getpid()}
    while front:
        front = {pid for pid, fields in stats.items() if int(fields[1]) in front}
        family |= front
    return {pid: stats[pid] for pid in family}


if __name__ == "__main__":
    _measure()
