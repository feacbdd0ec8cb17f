"""What hostile programs do to the world outside, and to their own verdicts, at every level from 2 on."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from eval.sandbox.client import Sandbox
from eval.sandbox.levels import LEVELS
from eval.sandbox.programs import Limits, Program
from tests.conftest import ROOT
from tests.eval.sandbox import weakened
from tests.eval.sandbox.forgeries import EXHAUSTION, FORGERIES, LEARNER, REACHING
from tests.eval.sandbox.hostile import ESCAPES

pytestmark = pytest.mark.slow

LIMITS = Limits(1, 512 << 20)
GOOD = [level for level in LEVELS if level.number >= 2]


@pytest.fixture(scope="module", params=GOOD, ids=lambda level: level.name)
def sandbox(request):
    try:
        with Sandbox(LIMITS, levels=[request.param]) as running:
            yield running
    except RuntimeError as error:
        pytest.skip(str(error))


@pytest.fixture
def outside(public_folder):
    """A world to harm, and afterwards the proof that nobody has."""
    (public_folder / "kept").write_text("swordfish")
    (public_folder / "kept").chmod(0o666)
    kinds = {"tcp": socket.AF_INET, "abstract": socket.AF_UNIX, "door": socket.AF_UNIX, "udp": socket.AF_INET}
    places = {"abstract": f"\0dosage-{os.getpid()}", "door": str(public_folder / "door")}
    open_doors = {}
    for name, family in kinds.items():
        door = socket.socket(family, socket.SOCK_DGRAM if name == "udp" else socket.SOCK_STREAM)
        door.bind(places.get(name, ("127.0.0.1", 0)))
        door.setblocking(False)
        if name != "udp":
            door.listen()
        open_doors[name] = door
    (public_folder / "door").chmod(0o777)
    sibling = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    before = {path.name: (path.stat().st_mtime_ns, path.stat().st_mode) for path in public_folder.iterdir()}
    yield {
        "folder": public_folder, "tcp": open_doors["tcp"].getsockname()[1], "udp": open_doors["udp"].getsockname()[1],
        "abstract": places["abstract"][1:], "sibling": sibling.pid, "evaluator": os.getpid(),
    }  # fmt: skip
    assert sibling.poll() is None
    assert os.getpriority(os.PRIO_PROCESS, sibling.pid) == os.getpriority(os.PRIO_PROCESS, 0)
    sibling.kill()
    sibling.wait()
    assert before == {path.name: (path.stat().st_mtime_ns, path.stat().st_mode) for path in public_folder.iterdir()}
    assert (public_folder / "kept").read_text() == "swordfish"
    for name, door in open_doors.items():
        with pytest.raises(BlockingIOError):
            door.recv(1) if name == "udp" else door.accept()
        door.close()


def test_no_program_escapes(sandbox, outside, living):
    before, escaped = living(), {}
    for name, text in ESCAPES.items():
        code = text.format(**outside)
        for program in (Program(code, ""), Program(code)):
            verdict = sandbox.run(program)
            if verdict.status not in ("failed", "crashed", "timeout") or "swordfish" in verdict.detail:
                escaped[name] = verdict
    assert escaped == {}
    assert living() == before
    assert sandbox.run("assert True").status == "passed"


def test_no_program_forges_its_verdict(sandbox):
    passed = [name for name, program in _forgeries().items() if sandbox.run(program).status == "passed"]
    assert passed == []
    assert sandbox.run("assert True").status == "passed"


@pytest.mark.parametrize("name", FORGERIES)
def test_a_forgery_passes_on_a_weakened_judge(name):
    """Otherwise it would prove nothing of the real one."""
    program = Program(FORGERIES[name].code, FORGERIES[name].tests)
    assert weakened.in_one_process(program) or weakened.trusting(program)


def test_there_are_enough_of_them():
    assert len(ESCAPES) + len(FORGERIES) + len(EXHAUSTION) + len(REACHING) >= 250


def _forgeries() -> dict[str, Program]:
    """Each with its tests apart, and as one text."""
    apart = {name: Program(one.code, one.tests) for name, one in FORGERIES.items()}
    apart |= {name: Program(code, "assert solve(20) == 21\n") for name, code in EXHAUSTION.items()}
    joined = {f"{name}, in one text": Program(f"{one.code}\n{one.tests}") for name, one in apart.items()}
    joined |= {name: Program(f"{LEARNER}{text}\nassert abs(solve(20) - 21) < 1\n") for name, text in REACHING.items()}
    return apart | joined


def test_an_ordinary_user_is_contained_as_well(public_folder):
    """The command of anyone, run as nobody where the tests run as root."""
    python = next((p for p in (sys.executable, "/usr/bin/python3") if _usable(p)), None)
    if os.getuid() != 0 or not shutil.which("setpriv") or python is None:
        pytest.skip("needs root, setpriv, and a Python that nobody may run")
    given = {**dict.fromkeys(("folder", "abstract"), public_folder), "tcp": 9, "udp": 9, "sibling": 1, "evaluator": 1}
    escapes = {name: text.format(**given) for name, text in ESCAPES.items()}
    hostile = {name: Program(code, "") for name, code in escapes.items()} | _forgeries()
    hostile |= {f"{name}, in one text": Program(code) for name, code in escapes.items()}
    programs = [
        {"id": name, "program": one.code, **({} if one.tests is None else {"tests": one.tests})}
        for name, one in hostile.items()
    ]
    programs += [{"id": "good", "program": "def f(x): return x\nassert f([1]) == [1]"}]
    (public_folder / "programs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in programs))
    for level in (3, 2):
        out = public_folder / f"verdicts-{level}.jsonl"
        # Not the command itself: its options need a library that the Python of the system may lack.
        code = (
            "from eval.commands.run_code import RunCode, run\n"
            f"run(RunCode('{public_folder}/programs.jsonl', '{out}', 1.0, 512, 2, {level}))"
        )
        command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", python, "-c", code]
        environment = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
        ended = subprocess.run(command, cwd="/", env=environment, capture_output=True, text=True)
        if "which this machine does not offer" in ended.stderr:
            continue
        assert ended.returncode == 0, ended.stderr
        passed = [row["id"] for row in map(json.loads, out.read_text().splitlines()) if row["status"] == "passed"]
        assert passed == ["good"]


def _usable(python: str) -> bool:
    """Whether any user may run it, and it is new enough."""
    path = Path(python).resolve()
    reachable = path.exists() and all(folder.stat().st_mode & 0o001 for folder in [path, *path.parents])
    check = "import sys; sys.exit(sys.version_info < (3, 11))"
    return reachable and subprocess.run([python, "-c", check]).returncode == 0


def test_a_killed_server_is_replaced(sandbox):
    os.kill(sandbox._server.pid, signal.SIGKILL)
    assert sandbox.run("pass").status == "crashed"
    assert sandbox.run("pass").status == "passed"
