"""CPU times, and measures in a process of their own."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable
from typing import TypeVar

from tests.conftest import ROOT

Result = TypeVar("Result")


def cpu_seconds(action: Callable[[], Result], repeats: int) -> tuple[float, Result]:
    """CPU seconds of the fastest of ``repeats`` calls, and what the last one returned."""
    assert repeats > 0
    best = float("inf")
    for _ in range(repeats):
        start = time.process_time()
        result = action()
        best = min(best, time.process_time() - start)
    return best, result


def fresh_process(*words: str) -> str:
    """What ``python WORDS`` prints, without the line break at its end: a measure that nothing imported here disturbs.

    Raises RuntimeError with what it said where it fails.
    """
    ended = subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True)
    if ended.returncode:
        raise RuntimeError(f"python {' '.join(words)} ended with {ended.returncode}:\n{ended.stderr}")
    return ended.stdout.strip()
