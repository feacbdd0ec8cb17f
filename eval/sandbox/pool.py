"""Run many programs in several sandboxes at once."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import replace

from eval.sandbox import packages
from eval.sandbox.client import Sandbox
from eval.sandbox.levels import LEVELS, Level
from eval.sandbox.programs import Limits, Program, ProgramVerdict

OnVerdict = Callable[[int, ProgramVerdict], None]
"""Called with the number of a program and its verdict."""


def run_all(
    programs: Sequence[Program | str],
    limits: Limits,
    *,
    workers: int = 1,
    unsafe: bool = False,
    levels: Sequence[Level] = LEVELS,
    on_verdict: OnVerdict | None = None,
) -> tuple[list[ProgramVerdict], Level]:
    """Run every program; their verdicts, in their order, and the level that contained them all.

    A program that ran out of time is run once more when all others have ended, before that counts: the machine may have
    been busy. Packages such as numpy are offered where the tests of any program import them; raises ValueError for one
    that is not installed.
    ``on_verdict`` is called with every final verdict as soon as it is known, in any order and from any thread. Raises
    RuntimeError where no level is good enough, see `Sandbox`.
    """
    named = packages.named(program.tests or program.code for program in map(_whole, programs))
    packages.check(named)
    limits = replace(limits, packages=named)
    with ExitStack() as stack:
        first = stack.enter_context(Sandbox(limits, unsafe=unsafe, levels=levels))
        more = range(min(workers, len(programs)) - 1)
        others = [stack.enter_context(Sandbox(limits, unsafe=unsafe, levels=[first.level])) for _ in more]
        verdicts = _side_by_side(programs, range(len(programs)), [first, *others], on_verdict)
        late = [number for number, verdict in verdicts.items() if verdict.status == "timeout"]
        verdicts |= _side_by_side(programs, late, [first, *others], None)
        if on_verdict:
            for number in late:
                on_verdict(number, verdicts[number])
        return [verdicts[number] for number in range(len(programs))], first.level


def _whole(program: Program | str) -> Program:
    return program if isinstance(program, Program) else Program(program)


def _side_by_side(
    programs: Sequence[Program | str],
    numbers: Iterable[int],
    sandboxes: Sequence[Sandbox],
    on_verdict: OnVerdict | None,
) -> dict[int, ProgramVerdict]:
    """Run the programs of these numbers, with one thread per sandbox. An error of a sandbox is raised here."""
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in numbers:
        waiting.put(number)
    verdicts: dict[int, ProgramVerdict] = {}
    problems: list[Exception] = []

    def work(sandbox: Sandbox) -> None:
        try:
            # A sandbox that cannot work stops the others too, rather than let them run programs for nothing.
            while not problems:
                number = waiting.get_nowait()
                verdicts[number] = sandbox.run(programs[number])
                if on_verdict and verdicts[number].status != "timeout":
                    on_verdict(number, verdicts[number])
        except queue.Empty:
            return
        except Exception as problem:
            problems.append(problem)

    threads = [threading.Thread(target=work, args=(sandbox,)) for sandbox in sandboxes]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if problems:
        raise problems[0]
    return verdicts
