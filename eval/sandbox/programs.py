"""What the sandbox runs: programs with their tests, their limits and verdicts."""

from __future__ import annotations

from dataclasses import dataclass

MIN_MEMORY = 128 << 20
MAX_SECONDS = 86_400


@dataclass(frozen=True)
class Program:
    """Code under test and the tests that call it. Without ``tests`` they are looked for in ``code``, see `parts`."""

    code: str
    tests: str | None = None


@dataclass(frozen=True)
class Limits:
    """What each process of a program may use: CPU seconds, rounded up to whole ones, and bytes of address space.

    ``packages`` may be imported beside Python's own modules. By the clock a program may take three times its CPU
    seconds, since the machine may be busy. Raises ValueError for values that no program could run with.
    """

    seconds: float
    memory_bytes: int
    packages: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not 0 < self.seconds <= MAX_SECONDS:
            raise ValueError(f"seconds={self.seconds} must be above 0 and at most {MAX_SECONDS}, a day")
        if self.memory_bytes < MIN_MEMORY:
            raise ValueError(
                f"memory_mib={self.memory_bytes >> 20} must be at least {MIN_MEMORY >> 20}, which the interpreter "
                "itself needs"
            )


@dataclass(frozen=True)
class ProgramVerdict:
    """How a program ended. ``status`` is passed, failed, timeout, memory, crashed, or refused (it was never run).

    ``seconds`` is wall time, ``cpu_seconds`` the CPU time of its processes together, ``memory_bytes`` the peak resident
    memory, ``detail`` the kind and message of an error.
    """

    status: str
    seconds: float
    memory_bytes: int
    detail: str
    cpu_seconds: float = 0.0
