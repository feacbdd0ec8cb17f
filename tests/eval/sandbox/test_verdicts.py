"""What the sandbox says of a program: every end has its verdict, and only tests that ran to their end are a pass."""

from __future__ import annotations

import pytest

from eval.items.jsonl import read
from eval.sandbox import packages
from eval.sandbox.client import Sandbox
from eval.sandbox.pool import is_late, run_all
from eval.sandbox.programs import Limits, Program, ProgramVerdict
from eval.sandbox.server import _outcome
from eval.tasks import humaneval
from tests.conftest import PUBLIC_DATA
from tests.eval.sandbox import right
from tests.eval.sandbox.conftest import MEMORY, offered


def test_verdicts(any_sandbox):
    run = any_sandbox.run
    assert run("assert 1 + 1 == 2").status == "passed"
    failed = run("assert 1 + 1 == 3, 'no'")
    assert (failed.status, failed.detail) == ("failed", "AssertionError: no")
    assert run("def (").detail.startswith("SyntaxError")
    assert run("x" * (1 << 21)).status == "refused"
    assert (
        run("import dataclasses\n@dataclasses.dataclass\nclass A:\n    b: 'int'\nassert A(1).b == 1").status == "passed"
    )


@pytest.mark.parametrize(
    "program",
    [
        "import os; os._exit(0)",
        "raise SystemExit(0)",
        "import sys; sys.exit()",
        "import os; os.close(3); os._exit(0)",
        "import os; os.write(3, b'passed\\n'); os._exit(0)",
        "import os; os.write(3, b'0' * 32 + b'passed\\n'); os._exit(0)",
        "import os; os.kill(os.getpid(), 9); raise ValueError",
        "import os; os.abort()",
        "import ctypes; ctypes.string_at(1)",
        "raise KeyboardInterrupt",
        "class E(BaseException):\n    def __str__(self): raise self\nraise E",
    ],
)
def test_an_end_without_a_check_is_no_pass(any_sandbox, program):
    assert any_sandbox.run(program).status in ("failed", "crashed")
    assert any_sandbox.run("pass").status == "passed"


@pytest.mark.parametrize(
    ("written", "status", "late", "outcome"),
    [
        (b"passed\n", 0, False, ("passed", None)),  # the detail stands in a file
        (b"passed\n", 0, True, ("passed", None)),  # it passed in time, and then went on
        (b"failed\nmore", 0, False, ("failed", None)),
        (b"passed", 0, False, ("crashed", "ended without a verdict")),  # half a line
        (b"passed", 0, True, ("timeout", "")),
        (b"perhaps\n", 0, False, ("crashed", "ended without a verdict")),
        (b"", 9, False, ("crashed", "signal 9")),
    ],
)
def test_a_verdict_is_a_whole_line(written, status, late, outcome):
    assert _outcome(written, status, late) == outcome


def test_limits_are_those_asked_for(level):
    """Read by a program from inside: processor seconds are rounded up, memory is in bytes, and no core is dumped."""
    read_limits = (
        "import resource as r\n"
        "assert [r.getrlimit(n) for n in (r.RLIMIT_CPU, r.RLIMIT_AS, r.RLIMIT_CORE)] == [(3, 3), ({0}, {0}), (0, 0)]"
    )
    with Sandbox(Limits(2.5, MEMORY), unsafe=True, levels=[level]) as running:
        assert running.run(read_limits.format(MEMORY)).status == "passed"


@pytest.mark.parametrize(
    "program",
    [
        "while True: pass",
        "while True:\n    try:\n        while True: pass\n    except BaseException: pass",
        "import signal\nfor n in (14, 24):\n    signal.signal(n, signal.SIG_IGN)\nwhile True: pass",
        "import re; re.match('(a+)+$', 'a' * 60 + 'b')",
        "import time; time.sleep(600)",
    ],
)
def test_loops_end(any_sandbox, program):
    assert any_sandbox.run(program).status == "timeout"


def test_memory_is_bounded(any_sandbox):
    # Filling memory takes a busy machine more than a second.
    with Sandbox(Limits(20, MEMORY), unsafe=True, levels=[any_sandbox.level]) as patient:
        for program in ("x = bytearray(3 << 30)", "x = []\nwhile True: x.append(bytearray(1 << 20))"):
            verdict = patient.run(program)
            assert verdict.status == "memory" and verdict.memory_bytes < MEMORY


def test_the_same_program_gets_the_same_hashes_and_numbers(level):
    draw = "import random; raise ValueError([list({'a', 'b', 'c', 'd', 'e', 'f'}), random.random()])"
    details = set()
    for _ in range(3):
        with Sandbox(Limits(1, MEMORY), unsafe=True, levels=[level]) as running:
            details |= {running.run(draw).detail, running.run(draw).detail}
    assert len(details) == 1


def test_published_solutions_pass_and_stubs_fail(level, public_data):
    path = public_data / "code" / "HumanEval.jsonl.gz"
    solutions = [row["canonical_solution"] for row in read(path)]
    with Sandbox(Limits(3, 1 << 30), unsafe=True, levels=[level]) as running:
        items = list(zip(humaneval.items(path), solutions, strict=True))
        references = [running.run(humaneval.program(item, solution)).status for item, solution in items]
        few = items if level.number == 3 else items[::8]
        stubs = [running.run(humaneval.program(item, "    return None\n")).status for item, _ in few]
    assert references == ["passed"] * (21 if public_data == PUBLIC_DATA["cut"] else 164)
    assert "passed" not in stubs


def test_programs_are_judged_from_outside(sandbox):
    for text in (
        "def f(x):\n    x.append(3)\n    return tuple(x)\ndef check(f):\n    y = [1]\n    assert f(y) == (1, 3)\n"
        "    assert y == [1, 3]\ncheck(f)",
        "class P:\n    def __init__(self, a): self.a = a\n    def __eq__(self, o): return self.a == o.a\n"
        "    def __add__(self, o): return P(self.a + o.a)\n    def __len__(self): return self.a\n"
        "p = P(1)\nassert p + P(2) == P(3) and p != P(2)\nassert p.a == 1 and len(p) == 1\np.a = 5\nassert p.a == 5\n"
        "assert isinstance(p, P) and not isinstance(p, (int, str)) and type(p) == P",
        "def f(): raise KeyError('x')\ndef check(f):\n    try:\n        f()\n    except KeyError: return\n"
        "    assert False\ncheck(f)",
        "def sum(a, b): return a + b\nassert sum(1, 2) == 3",
        "def f(n):\n    yield from range(n)\nassert list(f(3)) == [0, 1, 2]\nx = f(2)\nassert next(x) == 0",
        "import math\ndef f(x): return {x: (1, {2}, b'3', 1 << 99, 0.5, None, 2j, math.inf)}\n"
        "assert f((4,)) == {(4,): (1, {2}, b'3', 1 << 99, 0.5, None, 2j, math.inf)}",
        "import collections, decimal, fractions, datetime\n"
        "assert collections.Counter('aab') == {'a': 2, 'b': 1}\n"
        "def f(): return [decimal.Decimal('1.50'), fractions.Fraction(1, 3), datetime.date(2020, 2, 1), range(3)]\n"
        "assert [str(x) for x in f()] == ['1.50', '1/3', '2020-02-01', 'range(0, 3)']",
        "x = [2, 1]\nassert x == [2, 1]\nx.sort()\nassert x == [1, 2], 'sorted'",
        "def f(g): return g\nassert f(f)(7) == 7 and f(int)('8') == 8",
    ):
        verdict = sandbox.run(text)
        assert verdict.status == "passed", (text, verdict)


# What two processes cannot judge, by a line of the program; docs/tasks.md names them.
UNJUDGED = {"assert (Money(2) + 3).n == 5 and (Money(2) * 4).n == 8"}
UNJUDGED_APART = UNJUDGED | {"assert asyncio.run(get(2)) == 4"}


@pytest.mark.parametrize("apart", [True, False])
def test_right_programs_pass(apart):
    programs = [Program(code, tests) if apart else Program(code + tests) for code, tests in right.programs()]
    verdicts, _ = run_all(programs, Limits(10, 1 << 30), workers=2, levels=[offered("isolated")])
    failed = {
        tests.strip().split("\n")[-1]
        for (_, tests), verdict in zip(right.programs(), verdicts, strict=True)
        if verdict.status != "passed"
    }
    assert len(programs) == 100
    assert failed == (UNJUDGED_APART if apart else UNJUDGED)


def test_a_set_keeps_the_order_of_one_process(sandbox):
    code = "def to_tuple(s): return tuple(s)\n"
    for made in ("{12, 13, 14, 15, 16}", "set([12, 13, 14, 15, 16])", "{5, 99, 64} | {3, 41, 8}", "set('crane')"):
        tests = f"assert to_tuple({made}) == tuple({made})"
        assert sandbox.run(Program(code, tests)).status == "passed", made


def test_packages_are_offered_where_tests_import_them():
    code = "import numpy as np\ndef f(x): return np.array(x) * 2\ndef g(x): return np.mean(x)\n"
    tests = (
        "import numpy as np\nassert np.allclose(f([1, 2]), [2, 4]) and f([1]).shape == (1,) and g([1, 3]) == {}\n"
        "assert isinstance(f([1]), np.ndarray) and f(np.array([[1.5]])).tolist() == [[3.0]]\n"
    )
    for name in ("isolated", "confined"):
        right_and_wrong = [Program(code, tests.format("2.0")), Program(code, tests.format("2.5"))]
        verdicts, _ = run_all(right_and_wrong, Limits(10, 1 << 30), levels=[offered(name)])
        assert [verdict.status for verdict in verdicts] == ["passed", "failed"], verdicts
        refused, _ = run_all([Program(code, "assert f([1])[0] == 2")], Limits(10, 1 << 30), levels=[offered(name)])
        assert refused[0].detail.startswith("ModuleNotFoundError")


def test_a_package_that_is_missing_is_named(monkeypatch):
    monkeypatch.setattr(packages, "OFFERED", ("no_such_package",))
    with pytest.raises(ValueError, match="import no_such_package, which is not installed: pip install no_such_package"):
        run_all([Program("", "import no_such_package")], Limits(1, MEMORY))


@pytest.fixture
def runs(monkeypatch):
    """Of each program, the sandbox and the verdict of every run."""
    seen: dict[str, list[tuple[int, ProgramVerdict]]] = {}
    run = Sandbox.run

    def noted(self, program):
        verdict = run(self, program)
        seen.setdefault(program, []).append((id(self), verdict))
        return verdict

    monkeypatch.setattr(Sandbox, "run", noted)
    return seen


def test_programs_that_were_late_run_again_side_by_side(runs):
    sleepers = [f"import time\ntime.sleep(60 + {number})" for number in range(4)]
    verdicts, _ = run_all(sleepers, Limits(0.3, MEMORY), workers=2)
    assert [verdict.status for verdict in verdicts] == ["timeout"] * 4
    assert [len(own) for own in runs.values()] == [2] * 4
    assert len({own[1][0] for own in runs.values()}) == 2


def test_a_loop_that_had_its_cpu_seconds_is_run_once(runs):
    limits = Limits(1, MEMORY)
    heard: list[tuple[int, str]] = []
    for loop in ("while True: pass", "import re; re.match('(a+)+$', 'a' * 60 + 'b')"):
        run_all([loop], limits, on_verdict=lambda number, verdict: heard.append((number, verdict.status)))
        (_, first), *again = runs[loop]
        # A busy machine may take the processor from it, and then it has another try.
        assert first.cpu_seconds > 0.1 and len(again) == is_late(first, limits)
    assert heard == [(0, "timeout")] * 2


@pytest.mark.parametrize(
    ("wall", "cpu", "status", "late"),
    [
        (3.05, 3.01, "timeout", False),  # a loop
        (5.2, 3.01, "timeout", True),  # it waited for a processor, and caches were others'
        (2.0, 1.9, "timeout", True),  # the kernel ended it early
        (9.0, 0.1, "timeout", True),  # it slept, or never had a processor
        (9.0, 0.1, "failed", False),
    ],
)
def test_what_ran_out_of_time_and_may_need_less(wall, cpu, status, late):
    assert is_late(ProgramVerdict(status, wall, 0, "", cpu), Limits(3, MEMORY)) == late


def test_given_tests_stand_apart_from_the_code(sandbox):
    assert sandbox.run(Program("def f(x): return x", "assert f(1) == 1")).status == "passed"
    assert sandbox.run(Program("def f(x): return x\n, \nassert f(1) == 2")).status == "failed"
    assert sandbox.run(Program("def f(x): return x", "assert f(print.__self__)")).detail.startswith("NotJudged")
    assert sandbox.run(Program("pass", "assert f(1)")).detail.startswith("NameError")
