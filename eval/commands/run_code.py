"""Verb run-code: run the programs of a JSON-lines file in the sandbox that scores generated code."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from common.options import AsJson, Result, option
from common.restore import refuse
from common.rows import write_jsonl
from common.wording import plural
from eval.items.jsonl import field, read
from eval.sandbox.client import unsafe_allowed
from eval.sandbox.levels import LEVELS
from eval.sandbox.pool import run_all
from eval.sandbox.programs import Limits, Program


@dataclass(frozen=True)
class RunCode(AsJson):
    """Options of ``python -m eval run-code``."""

    programs: str = option(
        'JSON lines {"id", "program"}, optionally with "tests", which then judge the program from another process'
    )
    out: str = option(
        'a file for JSON lines {"id", "status", "seconds", "memory_bytes", "detail", "cpu_seconds"} in the same order; '
        "status is passed, failed, timeout, memory, refused or crashed"
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
        refuse(self._problems())

    def _problems(self) -> Iterator[str]:
        if self.workers < 1:
            yield f"workers={self.workers} must be at least 1"
        if self.level is not None and self.level not in {level.number for level in LEVELS}:
            yield f"level={self.level} is unknown; choose one of: 3, 2, 1, 0"
        if Path(self.out).is_dir():
            yield f"out={self.out} is a folder; name a file in it"


def run(options: RunCode) -> Result:
    """Write the id and the `ProgramVerdict` of each program, in order; return a summary.

    Raises ValueError for a malformed row, RuntimeError where no sandbox level is good enough.
    """
    source, limits = Path(options.programs), Limits(options.seconds, options.memory_mib << 20)
    Path(options.out).parent.mkdir(parents=True, exist_ok=True)
    rows = read(source)
    names = [field(source, number, row, "id", (str, int)) for number, row in enumerate(rows)]
    programs = [_program(source, number, row) for number, row in enumerate(rows)]
    levels = [level for level in LEVELS if options.level in (None, level.number)]
    verdicts, level = run_all(programs, limits, workers=options.workers, unsafe=unsafe_allowed(), levels=levels)
    write_jsonl(
        Path(options.out), ({"id": name, **asdict(verdict)} for name, verdict in zip(names, verdicts, strict=True))
    )
    statuses = [verdict.status for verdict in verdicts]
    counts = {status: statuses.count(status) for status in sorted(set(statuses))}
    told = ", ".join(f"{count} {status}" for status, count in counts.items())
    return Result(
        f"{plural(len(verdicts), 'program')} at level {level.number} ({level.name}): {told or 'none'}",
        {"programs": len(verdicts), "level": level.number, "statuses": counts, "out": options.out},
    )


def _program(source: Path, number: int, row: dict[str, object]) -> Program:
    tests = field(source, number, row, "tests", str) if "tests" in row else None
    return Program(field(source, number, row, "program", str), tests)
