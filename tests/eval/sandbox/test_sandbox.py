"""Generated code is contained: every test looks at what happened outside, not at what the program says."""

from __future__ import annotations

import json
import os
import signal
import socket
import struct
import subprocess
import sys
from pathlib import Path

import pytest

from eval.__main__ import main
from eval.items.jsonl import read
from eval.sandbox import seccomp
from eval.sandbox.client import Limits, Sandbox
from eval.sandbox.levels import LEVELS
from eval.sandbox.pool import verdicts
from eval.sandbox.programs import Program
from eval.tasks import humaneval

MEMORY = 512 << 20
OPEN_FILES = """
import os
count = 0
for descriptor in range(64):
    try:
        os.fstat(descriptor)
        count += 1
    except OSError:
        pass
assert count == 5, count  # standard input, output and error, orders and answers
"""
FORK_STORM = """
import os
for _ in range(30):
    try:
        if os.fork() == 0:
            while True:
                pass
    except OSError:
        pass
"""


def offered(name):
    """That level alone, or a skip where this host does not offer it."""
    level = next(level for level in LEVELS if level.name == name)
    try:
        with Sandbox(Limits(1, MEMORY), unsafe=True, levels=[level]):
            return level
    except RuntimeError as error:
        return pytest.skip(str(error))


@pytest.fixture(scope="module", params=[level.name for level in LEVELS if level.filters])
def level(request):
    return offered(request.param)


@pytest.fixture(scope="module")
def sandbox(level):
    with Sandbox(Limits(1, MEMORY), unsafe=True, levels=[level]) as running:
        yield running


@pytest.fixture(scope="module", params=[level.name for level in LEVELS])
def any_sandbox(request):
    with Sandbox(Limits(1, MEMORY), unsafe=True, levels=[offered(request.param)]) as running:
        yield running


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


def test_output_goes_nowhere_and_messages_are_short(any_sandbox, capfd):
    flood = "import os, sys\nfor _ in range(64): os.write(1, b'x' * (1 << 20)); sys.stderr.write('y' * (1 << 20))"
    assert any_sandbox.run(flood).status == "passed"
    assert len(any_sandbox.run("raise ValueError('z' * (50 << 20))").detail) < 400
    assert capfd.readouterr() == ("", "")


def test_programs_know_nothing_of_us(any_sandbox, monkeypatch):
    monkeypatch.setenv("SECRET", "x")  # the server was started without it, as without everything else
    assert any_sandbox.run("import os; assert not os.environ, dict(os.environ)").status == "passed"
    assert any_sandbox.run(OPEN_FILES).status == "passed"


def test_the_network_is_out_of_reach(sandbox):
    with socket.socket() as tcp, socket.socket(type=socket.SOCK_DGRAM) as udp:
        abstract = socket.socket(socket.AF_UNIX)
        for listener, address in (
            (tcp, ("127.0.0.1", 0)),
            (udp, ("127.0.0.1", 0)),
            (abstract, f"\0dosage-{os.getpid()}"),
        ):
            listener.bind(address)
            listener.setblocking(False)
        tcp.listen()
        abstract.listen()
        for kind, to in (("SOCK_STREAM", tcp), ("SOCK_DGRAM", udp)):
            port = to.getsockname()[1]
            sandbox.run(
                f"import socket; s = socket.socket(type=socket.{kind}); s.connect(('127.0.0.1', {port})); s.send(b'x')"
            )
        sandbox.run(
            f"import socket; s = socket.socket(socket.AF_UNIX); s.connect({abstract.getsockname()!r}); s.send(b'x')"
        )
        for listen in (tcp.accept, lambda: udp.recv(9), abstract.accept):
            with pytest.raises(BlockingIOError):
                listen()
        abstract.close()


def test_files_outside_are_out_of_reach(sandbox, tmp_path):
    (tmp_path / "secret").write_text("swordfish")
    for folder in (tmp_path, *tmp_path.parents[:-1]):
        folder.chmod(folder.stat().st_mode | 0o005)
    tmp_path.chmod(0o777)
    (tmp_path / "kept").write_text("kept")
    before = sorted(tmp_path.iterdir())
    for act in (
        "open('{0}/new', 'w').write('x')",
        "import os; os.mkdir('{0}/new')",
        "import os; os.symlink('/', '{0}/new')",
    ):
        assert sandbox.run(act.format(tmp_path)).status == "failed"
    for act in ("import os; os.remove('{0}/kept')", "import os; os.rename('{0}/kept', '{0}/new')"):
        assert sandbox.run(act.format(tmp_path)).status == "failed"
    verdict = sandbox.run(f"raise ValueError(open('{tmp_path}/secret').read())")
    assert verdict.status == "failed" and "swordfish" not in verdict.detail
    assert sorted(tmp_path.iterdir()) == before and (tmp_path / "kept").read_text() == "kept"


def test_no_process_outlives_its_program(sandbox, living):
    before = living()
    sandbox.run(FORK_STORM)
    daemon = "import os\nif os.fork() == 0:\n    os.setsid()\n    while True: pass\n"
    sandbox.run(daemon)
    threads = (
        "import threading, time\nfor _ in range(3000):\n    threading.Thread(target=time.sleep, args=(60,)).start()\n"
    )
    assert sandbox.run(threads).status != "passed"
    assert living() == before
    for act in (
        "os.system('true') == 0",
        "os.posix_spawn('/bin/true', ['true'], {})",
        "os.execv('/bin/true', ['true'])",
    ):
        assert sandbox.run(f"import os; assert {act}").status in ("failed", "crashed")


def test_others_stay_alive(sandbox):
    sleeper = os.fork()
    if sleeper == 0:
        signal.pause()
        os._exit(0)
    try:
        sandbox.run(f"import os; os.kill({sleeper}, 9)")
        sandbox.run(f"import os; os.kill({os.getpid()}, 9)")
        for target in ("os.getppid()", "-1", "0"):
            sandbox.run(f"import os; os.kill({target}, 9)")
        assert os.waitpid(sleeper, os.WNOHANG) == (0, 0)
        assert sandbox.run("pass").status == "passed"
    finally:
        os.kill(sleeper, signal.SIGKILL)
        os.waitpid(sleeper, 0)


def test_many_programs_leave_nothing_behind(level, living):
    with Sandbox(Limits(1, MEMORY), unsafe=True, levels=[level]) as running:
        running.run("pass")
        processes, descriptors = living(), len(list(Path("/proc/self/fd").iterdir()))
        statuses = [running.run("assert True" if number % 2 else "assert False").status for number in range(100)]
        assert statuses == ["failed", "passed"] * 50
        assert living() == processes and len(list(Path("/proc/self/fd").iterdir())) == descriptors


def test_the_end_of_a_sandbox_ends_its_tree(level, living):
    before = living()
    with Sandbox(Limits(1, MEMORY), unsafe=True, levels=[level]):
        assert living() > before
    assert living() == before


def test_the_same_program_gets_the_same_hashes_and_numbers(level):
    draw = "import random; raise ValueError([list({'a', 'b', 'c', 'd', 'e', 'f'}), random.random()])"
    details = set()
    for _ in range(3):
        with Sandbox(Limits(1, MEMORY), unsafe=True, levels=[level]) as running:
            details |= {running.run(draw).detail, running.run(draw).detail}
    assert len(details) == 1


def test_published_solutions_pass_and_stubs_fail(level, shared):
    path = shared / "code" / "HumanEval.jsonl.gz"
    solutions = [row["canonical_solution"] for row in read(path)]
    with Sandbox(Limits(3, 1 << 30), unsafe=True, levels=[level]) as running:
        items = list(zip(humaneval.items(path), solutions, strict=True))
        references = [running.run(humaneval.program(item, solution)).status for item, solution in items]
        few = items if level.number == 3 else items[::8]
        stubs = [running.run(humaneval.program(item, "    return None\n")).status for item, _ in few]
    assert references == ["passed"] * 164
    assert "passed" not in stubs


@pytest.mark.parametrize("number", [0, 1])
def test_low_levels_are_refused_unless_allowed(number):
    last = [level for level in LEVELS if level.number == number]
    with (
        pytest.raises(RuntimeError, match=r"from sandbox level 2 on.*DOSAGE_UNSAFE_CODE=1"),
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
        assert "1 programs at level 1 (no-open): 1 passed" in ended.stdout
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
    with pytest.raises(ValueError, match="memory_bytes=1 "):
        Limits(1, 1)


@pytest.mark.parametrize("machine", seccomp.ARCHITECTURES)
def test_filters_name_no_number_twice(machine):
    column = list(seccomp.ARCHITECTURES).index(machine)
    single = [seccomp.CLONE, seccomp.CLONE3, seccomp.FCNTL, seccomp.PRLIMIT, seccomp.IOCTL]
    tables = [*seccomp.ALLOWED.values(), *seccomp.WRITES.values(), *seccomp.SIGNALS.values(), *single]
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


def test_given_tests_stand_apart_from_the_code(sandbox):
    assert sandbox.run(Program("def f(x): return x", "assert f(1) == 1")).status == "passed"
    assert sandbox.run(Program("def f(x): return x\n, \nassert f(1) == 2")).status == "failed"
    assert sandbox.run(Program("def f(x): return x", "assert f(lambda: 1)")).detail.startswith("TypeError")
    assert sandbox.run(Program("pass", "assert f(1)")).detail.startswith("NameError")


def test_timeouts_are_run_again_alone_and_order_is_kept():
    programs = ["pass", "while True: pass", "assert False", "pass", "raise MemoryError"]
    heard = []
    found, used = verdicts(programs, Limits(1, MEMORY), workers=2, told=lambda *one: heard.append(one))
    statuses = ["passed", "timeout", "failed", "passed", "memory"]
    assert [verdict.status for verdict in found] == statuses and used.number >= 2
    assert sorted((place, verdict.status) for place, verdict in heard) == list(enumerate(statuses))
    assert heard[-1][0] == 1  # the timeout was told of last, after its second run


def test_run_code(tmp_path, capsys):
    rows = [
        {"id": "a", "program": "assert 1 + 1 == 2"},
        {"id": 7, "program": "def f(): return 1", "tests": "assert f()"},
    ]
    rows += [{"id": "b", "program": "import os; os._exit(0)"}, {"id": "c", "program": "x = bytearray(3 << 30)"}]
    rows += [{"id": "d", "program": "while True: pass"}, {"id": "e", "program": "#" * (1 << 21)}]
    rows += [{"id": "f", "program": "assert 1 + 1 == 3"}]
    source, out = tmp_path / "p.jsonl", tmp_path / "out.jsonl"
    source.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert main(["run-code", f"programs={source}", f"out={out}", "seconds=1", "workers=2"]) == 0
    assert "7 programs at level" in capsys.readouterr().out
    found = read(out)
    assert [(row["id"], row["status"]) for row in found] == [
        ("a", "passed"), (7, "passed"), ("b", "crashed"), ("c", "memory"), ("d", "timeout"), ("e", "refused"),
        ("f", "failed"),
    ]  # fmt: skip
    assert all(set(row) == {"id", "status", "seconds", "memory_bytes", "detail"} for row in found)
    for words, said in (
        (["run-cod", "x=1"], "did you mean 'run-code'"),
        (["run-code", f"program={source}", f"out={out}"], "did you mean 'programs'"),
        (["run-code", f"programs={source}"], "out= is missing"),
        (["run-code", f"programs={source}", f"out={out}", "seconds=x"], "seconds=x is no number"),
        (["run-code", f"programs={source}", f"out={out}", "level=7"], "level=7 is unknown"),
        (["run-code", f"programs={tmp_path}/absent", f"out={out}"], "does not exist"),
    ):
        assert main(words) == 2 and said in capsys.readouterr().err
