"""Many programs through several sandboxes at once."""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack

from eval.sandbox.client import Limits, Sandbox, Verdict
from eval.sandbox.levels import LEVELS, Level
from eval.sandbox.programs import Program

Told = Callable[[int, Verdict], None]


def verdicts(
    programs: Sequence[Program | str],
    limits: Limits,
    *,
    workers: int = 1,
    unsafe: bool = False,
    levels: Sequence[Level] = LEVELS,
    told: Told | None = None,
) -> tuple[list[Verdict], Level]:
    """How each program ended, in their order, and the level that contained them all.

    A program that ran out of time is run once more, alone, before that counts: the machine may have been busy. ``told``
    hears of every verdict as it falls, in whatever order. RuntimeError where no level is good enough, see `Sandbox`.
    """
    with ExitStack() as stack:
        first = stack.enter_context(Sandbox(limits, unsafe=unsafe, levels=levels))
        more = range(min(workers, len(programs)) - 1)
        others = [stack.enter_context(Sandbox(limits, unsafe=unsafe, levels=[first.level])) for _ in more]
        found = _side_by_side(programs, [first, *others], told)
        for place in [place for place, verdict in enumerate(found) if verdict.status == "timeout"]:
            found[place] = first.run(programs[place])
            if told:
                told(place, found[place])
        return found, first.level


def _side_by_side(programs: Sequence[Program | str], sandboxes: Sequence[Sandbox], told: Told | None) -> list[Verdict]:
    """Every program once; one thread a sandbox. What stops a sandbox from working is raised here."""
    waiting: queue.SimpleQueue[int] = queue.SimpleQueue()
    for place in range(len(programs)):
        waiting.put(place)
    found: dict[int, Verdict] = {}
    problems: list[Exception] = []

    def work(sandbox: Sandbox) -> None:
        try:
            while not problems:
                place = waiting.get_nowait()
                found[place] = sandbox.run(programs[place])
                if told and found[place].status != "timeout":
                    told(place, found[place])
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
    return [found[place] for place in range(len(programs))]
