"""Right programs with their tests, as people write them: functions, classes, errors, iterators, files, threads.

In right.txt a line of three dashes parts programs, one of three equals signs a program from its tests.
"""

from __future__ import annotations

from pathlib import Path

FILE = Path(__file__).with_name("right.txt")


def programs() -> list[tuple[str, str]]:
    """Each program and its tests."""
    pairs = (part.partition("\n===\n") for part in FILE.read_text().strip("\n").split("\n---\n"))
    return [(f"{code}\n", f"{tests}\n") for code, _, tests in pairs]
