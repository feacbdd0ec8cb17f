"""Verb run-code: programs of a JSON-lines file through the sandbox, for anyone who wants to see what it holds."""

from __future__ import annotations

import os
from dataclasses import asdict, dataclass
from pathlib import Path

from common.rows import write_jsonl
from eval.items.jsonl import field, read
from eval.sandbox.client import Limits
from eval.sandbox.levels import LEVELS
from eval.sandbox.pool import verdicts
from eval.sandbox.programs import Program

ALLOW_UNSAFE = "DOSAGE_UNSAFE_CODE"  # the environment variable that lets generated code run where little contains it


@dataclass(frozen=True)
class RunCode:
    """``programs``: a file of {"id", "program"} lines, a program optionally with "tests"; ``out``: where verdicts go.

    ``level`` runs at that sandbox level instead of the best one.
    """

    programs: str
    out: str
    seconds: float = 3.0
    memory_mib: int = 1024
    workers: int = 1
    level: int | None = None

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
