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

USED_UP = 0.98
"""CPU time by limit of a program that the kernel ended: it counts in ticks, which are coarser than what it reports."""

HARDLY_WAITED = 1.1
"""Wall time by CPU time of a program that had a processor for itself, its start included."""


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

    A program that ran out of time because the machine may have been busy is run once more when all others have ended,
    before that counts. Packages such as numpy are offered where the tests of any program import them; raises
    ValueError for one that is not installed.
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
        late: list[int] = []

        def heard(number: int, verdict: ProgramVerdict) -> None:
            if is_late(verdict, limits):
                late.append(number)
            elif on_verdict:
                on_verdict(number, verdict)

        verdicts = _side_by_side(programs, range(len(programs)), [first, *others], heard)
        verdicts |= _side_by_side(programs, late, [first, *others], on_verdict)
        return [verdicts[number] for number in range(len(programs))], first.level


def is_late(verdict: ProgramVerdict, limits: Limits) -> bool:
    """Whether a program ran out of time and may need less on a quieter machine.

    One that used up its CPU seconds and hardly ever waited for a processor ends no sooner there.
    """
    used_up = verdict.cpu_seconds >= USED_UP * limits.seconds and verdict.seconds <= HARDLY_WAITED * verdict.cpu_seconds
    return verdict.status == "timeout" and not used_up


def _whole(program: Program | str) -> Program:
    return program if isinstance(program, Program) else Program(program)


def _side_by_side(
    programs: Sequence[Program | str],
    numbers: Iterable[int],
    sandboxes: Sequence[Sandbox],
    heard: OnVerdict | None,
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
                if heard:
                    heard(number, verdicts[number])
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
