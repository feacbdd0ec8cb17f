"""A program never holds its tests: not in its memory, objects, frames or descriptors, nor what earlier tests left."""

from __future__ import annotations

import secrets

import pytest

from eval.sandbox.client import Sandbox
from eval.sandbox.levels import LEVELS
from eval.sandbox.programs import Limits, Program
from tests.eval.sandbox.conftest import MEMORY, offered

# The search finds what follows "MARK-" in hexadecimal; no text of the search itself has that form.
SEARCH = """
import ctypes, gc, os, re, sys
FORM = re.compile(rb"MARK-[0-9a-f]{{32}}")
decoy = "MARK-" + "{decoy}"
counts = dict(pages=0, objects=0, frames=0, descriptors=0)
marks = set()
def see(data, kind):
    counts[kind] += 1
    marks.update(FORM.findall(data if isinstance(data, bytes) else repr(data).encode("utf-8", "replace")))
def search():
    frame = sys._getframe()
    while frame:
        for value in [*frame.f_locals.values(), *frame.f_code.co_consts]:
            see(value, "frames")
        frame = frame.f_back
    for one in gc.get_objects():
        for value in one.values() if type(one) is dict else one if type(one) in (list, tuple, set) else ():
            if type(value) in (str, bytes):
                see(value, "objects")
    for number in range(64):
        for read in (lambda: os.pread(number, 1 << 20, 0), lambda: os.readlink(f"/proc/self/fd/{{number}}")):
            try:
                see(read(), "descriptors")
            except (OSError, MemoryError):
                counts["descriptors"] += 1
    memory()
    raise ValueError(repr((sorted(mark.decode() for mark in marks), counts)))
"""
# Every mapped page of memory that can be read, by the kernel's own list of them.
BY_LIST = """
def memory():
    for line in open("/proc/self/maps").read().splitlines():
        span, mode = line.split()[:2]
        low, high = (int(part, 16) for part in span.split("-"))
        if mode.startswith("r") and high - low < 1 << 27 and "[v" not in line:
            see(ctypes.string_at(low, high - low), "pages")
            counts["pages"] += (high - low) // 4096
"""
# Where that list is out of reach: what the kernel can read from anywhere near an object.
BY_PROBES = """
def memory():
    reader, writer = os.pipe()
    write = ctypes.CDLL(None).write
    for block in sorted({{id(one) >> 20 for one in [*gc.get_objects(), "", *sys.modules]}}):
        for page in range(block << 20, block + 1 << 20, 4096):
            if write(writer, ctypes.c_void_p(page), 4096) == 4096:
                see(os.read(reader, 4096), "pages")
"""
TESTS = """
# {mark}
def check(candidate):
    assert len("{mark}") == 37, "{mark}"
    candidate()
check(search)
"""


def _program(decoy: str, mark: str, memory: str, *, apart: bool) -> Program:
    code = (SEARCH + memory).format(decoy=decoy)
    tests = TESTS.format(mark=f"MARK-{mark}")
    return Program(code, tests) if apart else Program(code + tests)


@pytest.mark.parametrize("apart", [True, False])
@pytest.mark.parametrize("name", [level.name for level in LEVELS])
def test_a_program_finds_no_trace_of_its_tests(name, apart):
    decoy, mark, earlier = (secrets.token_hex(16) for _ in range(3))
    memory = BY_LIST if name == "unsafe" else BY_PROBES
    with Sandbox(Limits(20, MEMORY), unsafe=True, levels=[offered(name)]) as sandbox:
        # Earlier programs with tests, whose verdicts quote them too.
        for _ in range(3):
            told = sandbox.run(Program("def f(): return 1", f"assert f() == 2, 'MARK-{earlier}'"))
            assert earlier in told.detail
        verdict = sandbox.run(_program(decoy, mark, memory, apart=apart))
    assert verdict.detail.startswith("ValueError: (["), verdict
    found, _, counts = verdict.detail.removeprefix("ValueError: (").partition("], ")
    # The decoy stands in the program's own text, so the search does find what there is.
    assert found == f"['MARK-{decoy}'"
    numbers = [int(part) for part in "".join(c if c.isdigit() else " " for c in counts).split()]
    assert numbers[0] > 500 and min(numbers[1:]) > 10, counts
