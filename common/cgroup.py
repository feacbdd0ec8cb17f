"""The control groups that bound this process's memory: of a SLURM job, of a container, of a service."""

from __future__ import annotations

import contextlib
from pathlib import Path

PROC, MOUNTED = Path("/proc"), Path("/sys/fs/cgroup")


def memory_folders(proc: Path = PROC, mounted: Path = MOUNTED) -> list[Path]:
    """The folders of these control groups, the innermost first, in version 2 or 1; none where there are none.

    In a container the folders outside are not there, and the outermost is the container's own.
    """
    folders: list[Path] = []
    with contextlib.suppress(OSError):
        for line in (proc / "self" / "cgroup").read_text().splitlines():
            _, controllers, path = line.split(":", 2)
            if controllers in ("", "memory"):
                base = mounted / controllers
                own = base / path.lstrip("/")
                folders += [folder for folder in (own, *own.parents) if folder.is_relative_to(base) and folder.is_dir()]
    return folders


def free_memory(proc: Path = PROC, mounted: Path = MOUNTED) -> int:
    """Bytes that this process may still take of the host's memory, and of its control groups'; 0 where none is known.

    What files in the page cache take counts as free.
    """
    free = []
    with contextlib.suppress(OSError, KeyError):
        free.append(1024 * _numbers(proc / "meminfo")["MemAvailable:"])
    for folder in memory_folders(proc, mounted):
        for most, used, cached in (
            ("memory.max", "memory.current", "inactive_file"),
            ("memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"),
        ):
            with contextlib.suppress(OSError, ValueError):  # no such file, or "max"
                limit, taken = (int((folder / name).read_text()) for name in (most, used))
                free.append(limit - taken + _numbers(folder / "memory.stat").get(cached, 0))
    return max(0, min(free, default=0))


def _numbers(file: Path) -> dict[str, int]:
    """The numbers of a file with a name and a number a line."""
    words = (line.split() for line in file.read_text().splitlines())
    return {word[0]: int(word[1]) for word in words if len(word) > 1}
