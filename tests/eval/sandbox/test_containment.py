"""Generated code is contained: every test looks at what happened outside, not at what the program says."""

from __future__ import annotations

import os
import signal
import socket
from pathlib import Path

import pytest

from eval.sandbox.client import Sandbox
from eval.sandbox.programs import Limits
from tests.eval.sandbox.conftest import MEMORY

OPEN_FILES = """
import os
count = 0
for descriptor in range(64):
    try:
        os.get_inheritable(descriptor)
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


def test_files_outside_are_out_of_reach(sandbox, public_folder):
    (public_folder / "secret").write_text("swordfish")
    (public_folder / "kept").write_text("kept")
    before = sorted(public_folder.iterdir())
    for act in (
        "open('{0}/new', 'w').write('x')",
        "import os; os.mkdir('{0}/new')",
        "import os; os.symlink('/', '{0}/new')",
    ):
        assert sandbox.run(act.format(public_folder)).status == "failed"
    for act in ("import os; os.remove('{0}/kept')", "import os; os.rename('{0}/kept', '{0}/new')"):
        assert sandbox.run(act.format(public_folder)).status == "failed"
    verdict = sandbox.run(f"raise ValueError(open('{public_folder}/secret').read())")
    assert verdict.status == "failed" and "swordfish" not in verdict.detail
    assert sorted(public_folder.iterdir()) == before and (public_folder / "kept").read_text() == "kept"


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
