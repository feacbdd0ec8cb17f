"""The memory that a process may still take, by its host and its control groups."""

from __future__ import annotations

from pathlib import Path

import pytest

from common.cgroup import free_memory

GIB = 2**30


@pytest.mark.parametrize(
    ("cgroup", "files", "expected"),
    [
        ("", {}, 8 * GIB),
        ("0::/job/step", {"job/step/memory.max": "max", "job/step/memory.current": 7}, 8 * GIB),
        (  # the outer group bounds it; a third of what that holds are files in the page cache
            "0::/job/step",
            {"job/memory.max": 4 * GIB, "job/memory.current": 3 * GIB, "job/memory.stat": f"a 5\ninactive_file {GIB}",
             "job/step/memory.max": 6 * GIB, "job/step/memory.current": GIB, "job/step/memory.stat": "anon 5"},
            2 * GIB,
        ),
        (
            "5:cpu:/x\n4:memory:/y",
            {"memory/y/memory.limit_in_bytes": 3 * GIB, "memory/y/memory.usage_in_bytes": 2 * GIB,
             "memory/y/memory.stat": "total_inactive_file 10"},
            GIB + 10,
        ),
        ("0::/over", {"over/memory.max": GIB, "over/memory.current": 2 * GIB, "over/memory.stat": ""}, 0),
    ],
    ids=["no group", "no limit", "outer group", "version 1", "over its limit"],
)  # fmt: skip
def test_what_is_free_is_the_least_of_host_and_groups(tmp_path: Path, cgroup: str, files: dict, expected: int):
    (tmp_path / "self").mkdir()
    (tmp_path / "self" / "cgroup").write_text(cgroup)
    (tmp_path / "meminfo").write_text(f"MemTotal: 1 kB\nMemAvailable:   {8 * GIB // 1024} kB\n")
    for name, content in files.items():
        file = tmp_path / "groups" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"{content}\n")
    assert free_memory(tmp_path, tmp_path / "groups") == expected
    assert free_memory(tmp_path / "elsewhere", tmp_path) == 0
