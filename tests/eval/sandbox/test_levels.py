"""Which level contains generated code, what happens where none can, and the filter of system calls."""

from __future__ import annotations

import os
import struct
import subprocess
import sys

import pytest

from eval.sandbox import seccomp
from eval.sandbox.client import Sandbox
from eval.sandbox.levels import LEVELS
from eval.sandbox.programs import Limits
from tests.eval.sandbox.conftest import MEMORY


@pytest.mark.parametrize("number", [0, 1])
def test_low_levels_are_refused_unless_allowed(number):
    last = [level for level in LEVELS if level.number == number]
    with (
        pytest.raises(RuntimeError, match=r"needs sandbox level 2 or better.*DOSAGE_UNSAFE_CODE=1"),
        Sandbox(Limits(1, MEMORY), levels=last),
    ):
        pass


OLD_KERNEL = """
import ctypes, struct, sys
from eval.sandbox import linux
LOAD, EQUAL, RETURN, MISSING = 0x20, 0x15, 0x06, 0x50000 | 38
steps = [(LOAD, 0, 0, 0), (EQUAL, 2, 0, 444), (EQUAL, 1, 0, {unshare})]
steps += [(RETURN, 0, 0, 0x7FFF0000), (RETURN, 0, 0, MISSING)]
code = b"".join(struct.pack("HBBI", *step) for step in steps)
class Filter(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("code", ctypes.c_char_p)]
linux.prctl(linux.PR_SET_NO_NEW_PRIVS, 1)()
linux.prctl(linux.PR_SET_SECCOMP, linux.SECCOMP_MODE_FILTER, ctypes.byref(Filter(len(steps), code)))()
from eval.__main__ import main
sys.exit(main(sys.argv[1:]))
"""


@pytest.mark.parametrize(("allowed", "ends"), [("", 2), ("1", 0)])
def test_an_old_kernel_is_told(tmp_path, allowed, ends):
    """A filter takes Landlock and namespaces from the kernel: nothing runs but by consent, and then at level 1."""
    (tmp_path / "p.jsonl").write_text('{"id": 1, "program": "assert True"}\n')
    words = ["run-code", f"programs={tmp_path}/p.jsonl", f"out={tmp_path}/out.jsonl"]
    program = OLD_KERNEL.format(unshare={"x86_64": 272, "aarch64": 97}[os.uname().machine])
    environment = {**os.environ, "DOSAGE_UNSAFE_CODE": allowed}
    ended = subprocess.run([sys.executable, "-c", program, *words], env=environment, capture_output=True, text=True)
    assert ended.returncode == ends, ended.stderr
    if allowed:
        assert "1 program at level 1 (no-open): 1 passed" in ended.stdout
    else:
        assert "level 3 (isolated): [Errno 38] unshare" in ended.stderr
        assert "level 2 (confined): [Errno 38] Landlock" in ended.stderr
        assert "Use Linux with Landlock or user namespaces, or set DOSAGE_UNSAFE_CODE=1" in ended.stderr


def test_another_system_is_told(monkeypatch):
    monkeypatch.setattr("eval.sandbox.client.sys.platform", "darwin")
    with (
        pytest.raises(RuntimeError, match=r"needs Linux, this is darwin.*DOSAGE_UNSAFE_CODE=1"),
        Sandbox(Limits(1, MEMORY)),
    ):
        pass


def test_limits_are_checked():
    with pytest.raises(ValueError, match="seconds=0"):
        Limits(0, MEMORY)
    with pytest.raises(ValueError, match="memory_mib=0 "):
        Limits(1, 1)


@pytest.mark.parametrize("machine", seccomp.ARCHITECTURES)
def test_filters_name_no_number_twice(machine):
    column = list(seccomp.ARCHITECTURES).index(machine)
    single = [seccomp.CLONE, seccomp.CLONE3, seccomp.FCNTL, seccomp.PRLIMIT, seccomp.IOCTL, seccomp.SOCKETPAIR]
    tables = [*seccomp.ALLOWED.values(), *seccomp.PATHS.values(), *seccomp.SIGNALS.values(), *single]
    numbers = [row[column] for row in tables if row[column] is not None]
    assert len(numbers) == len(set(numbers)) and max(numbers) < seccomp.UNKNOWN_FROM


def test_the_search_of_a_filter_finds_what_is_allowed():
    numbers = {0, 1, 2, 5, 9, 10, 300}
    steps = [struct.unpack("HBBI", step) for step in seccomp._search(seccomp._edges(numbers), allowed=False)]

    def allowed(number):
        place = 0
        while place < len(steps):
            operation, true, false, operand = steps[place]
            if operation == seccomp.RETURN:
                return True
            place += 1 + (operand if operation == seccomp.JUMP else true if number >= operand else false)
        return False

    assert {number for number in range(400) if allowed(number)} == numbers
