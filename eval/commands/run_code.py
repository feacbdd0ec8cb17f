"""Verb run-code: programs of a JSON-lines file through the sandbox, for anyone who wants to see what it holds."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path

from common.options import option
from common.rows import write_jsonl
from eval.items.jsonl import field, read
from eval.sandbox.client import Limits
from eval.sandbox.levels import LEVELS
from eval.sandbox.pool import verdicts
from eval.sandbox.programs import Program

ALLOW_UNSAFE = "DOSAGE_UNSAFE_CODE"  # the environment variable that lets generated code run where little contains it


@dataclass(frozen=True)
class RunCode:
    """Options of ``python -m eval run-code``."""

    programs: str = option(
        'JSON lines {"id", "program"}, optionally with "tests", which then judge the program from another process'
    )
    out: str = option(
        'a file for JSON lines {"id", "status", "seconds", "memory_bytes", "detail"} in the same order; status is '
        "passed, failed, timeout, memory, refused or crashed"
    )
    seconds: float = option("CPU seconds of a program; three times as much by the clock", 3.0)
    memory_mib: int = option("address space of a program, in MiB", 1024)
    workers: int = option("programs at a time", 1)
    level: int | None = option(
        "sandbox level: 3 isolated, 2 confined, 1 no-open, 0 unsafe; below 2 only with DOSAGE_UNSAFE_CODE=1",
        None,
        default_text="the best of this machine from 2 on",
    )

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise ValueError(f"workers={self.workers} must be at least 1")
        if self.level is not None and self.level not in {level.number for level in LEVELS}:
            raise ValueError(f"level={self.level} is unknown; choose one of: 3, 2, 1, 0")


def unsafe_allowed() -> bool:
    return os.environ.get(ALLOW_UNSAFE) == "1"


def run(asked: RunCode) -> str:
    """Write {"id", "status", "seconds", "memory_bytes", "detail"} for each program, in order; return a summary."""
    source = Path(asked.programs)
    rows = read(source)
    names = [field(source, number, row, "id", (str, int)) for number, row in enumerate(rows)]
    programs = [_program(source, number, row) for number, row in enumerate(rows)]
    levels = [level for level in LEVELS if asked.level in (None, level.number)]
    limits = Limits(asked.seconds, asked.memory_mib << 20)
    found, level = verdicts(programs, limits, workers=asked.workers, unsafe=unsafe_allowed(), levels=levels)
    write_jsonl(Path(asked.out), ({"id": name, **asdict(verdict)} for name, verdict in zip(names, found, strict=True)))
    statuses = [verdict.status for verdict in found]
    counts = ", ".join(f"{statuses.count(status)} {status}" for status in sorted(set(statuses)))
    return f"{len(found)} programs at level {level.number} ({level.name}): {counts or 'none'}"


def _program(source: Path, number: int, row: dict[str, object]) -> Program:
    tests = field(source, number, row, "tests", str) if "tests" in row else None
    return Program(field(source, number, row, "program", str), tests)
