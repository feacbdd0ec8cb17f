"""Run many programs in several sandboxes at once."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack

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

    A program that ran out of time is run once more, alone, before that counts: the machine may have been busy.
    ``on_verdict`` is called with every final verdict as soon as it is known, in any order and from any thread. Raises
    RuntimeError where no level is good enough, see `Sandbox`.
    """
    with ExitStack() as stack:
        first = stack.enter_context(Sandbox(limits, unsafe=unsafe, levels=levels))
        more = range(min(workers, len(programs)) - 1)
        others = [stack.enter_context(Sandbox(limits, unsafe=unsafe, levels=[first.level])) for _ in more]
        verdicts = _side_by_side(programs, [first, *others], on_verdict)
        # The other sandboxes are idle now, so these programs have the machine to themselves.
        for number in [number for number, verdict in enumerate(verdicts) if verdict.status == "timeout"]:
            verdicts[number] = first.run(programs[number])
            if on_verdict:
                on_verdict(number, verdicts[number])
        return verdicts, first.level


def _side_by_side(
    programs: Sequence[Program | str], sandboxes: Sequence[Sandbox], on_verdict: OnVerdict | None
) -> list[ProgramVerdict]:
    """Run every program once, with one thread per sandbox. An error of a sandbox is raised here."""
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for number in range(len(programs)):
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
    return [verdicts[number] for number in range(len(programs))]
