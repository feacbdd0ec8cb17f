"""Nothing waits for ever: stopped and killed workers and servers, hosts that are gone; and what is no hang."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rich.console import Console

from sweep.launch import local
from sweep.launch.progress import Progress
from sweep.launch.workers import Server
from sweep.stages import process
from sweep.stages.store import Store
from sweep.stages.worker import Job
from tests.conftest import HANG_SECONDS, MATH_ALONE, ROOT, TINY, sweep
from tests.sweep.stages.processes import age, family, leave_claim, send, world

pytestmark = pytest.mark.slow

GRID = ["-m", "name=s", "ability=math", "fraction=1/4,1", "engine.checkpoint_steps=5", *TINY, *MATH_ALONE]
STARTED: list[subprocess.Popen[str]] = []
SILENT = 10.0
DRIVER = """
import sys
from sweep.launch import local, workers
workers.SILENT_SECONDS, local.SAVE_SECONDS = {silent}, 1e6
from sweep.__main__ import main
sys.exit(main(sys.argv[1:]))
"""
"""Hangs are noticed after ``silent`` seconds; who waits for a hanging worker to save its state after Ctrl-C hangs."""


@pytest.fixture(autouse=True)
def nothing_is_left() -> Iterator[None]:
    """Kill what a failed test leaves."""
    yield
    while STARTED:
        launcher = STARTED.pop()
        if launcher.poll() is None:
            send(signal.SIGKILL, family(launcher.pid))


def start(store: Path, silent: float = SILENT) -> subprocess.Popen[str]:
    launcher = subprocess.Popen(
        [sys.executable, "-c", DRIVER.format(silent=silent), *GRID, f"store={store}"], cwd=ROOT, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True, preexec_fn=_heed_ctrl_c,
    )  # fmt: skip
    STARTED.append(launcher)
    return launcher


def _heed_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def wait_for(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + HANG_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "what was waited for never came"
        time.sleep(0.02)


def worker(store: Path, kind: str = "train") -> int | None:
    """The process that builds a stage of this kind; claims of killed ones may still lie there."""
    for claim in store.glob(f"claims/{kind}-????????????????"):
        with contextlib.suppress(FileNotFoundError, ValueError):
            pid = int(json.loads(claim.read_bytes())["pid"])
            if process.started(pid):
                return pid
    return None


def server(launcher: subprocess.Popen[str]) -> int | None:
    """The worker server, a child of the launcher; its workers look alike."""
    for pid in process.descendants(launcher.pid):
        try:
            parent = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[process.PARENT])
            command = Path(f"/proc/{pid}/cmdline").read_bytes()
        except (FileNotFoundError, ProcessLookupError):
            continue
        if parent == launcher.pid and b"sweep.launch.server" in command and process.started(pid):
            return pid
    return None


def stop_worker(store: Path) -> int:
    """Stop the process that builds a training; the next one where that had just ended."""
    while True:
        wait_for(lambda: worker(store) is not None)
        if pid := worker(store):
            send(signal.SIGSTOP, [pid])
            wait_for(lambda pid=pid: process.is_stopped(pid) or process.started(pid) is None)
            if process.is_stopped(pid):
                return pid


def ended(launcher: subprocess.Popen[str]) -> tuple[int, str, str]:
    out, err = launcher.communicate(timeout=HANG_SECONDS)
    return launcher.returncode, out, err


def test_a_stopped_worker_and_a_stopped_server_are_named_and_replaced(store_path: Path):
    launcher = start(store_path)
    pid = stop_worker(store_path)
    wait_for(lambda: process.started(pid) is None and worker(store_path))
    os.kill(server(launcher), signal.SIGSTOP)
    code, out, err = ended(launcher)
    assert code == 0, out + err
    assert f"process {pid} hangs, silent for {SILENT:.0f} s; killed" in out
    assert f"hangs: silent for {SILENT:.0f} s; starting another one" in out


def test_who_was_stopped_as_a_whole_or_alone_goes_on_and_suspects_nobody(store_path: Path):
    """As by Ctrl-Z and fg, by a scheduler that suspends jobs, or by ``docker pause``; then the launcher alone."""
    launcher = start(store_path)
    wait_for(lambda: worker(store_path))
    for pids in (family(launcher.pid), [launcher.pid]):
        send(signal.SIGSTOP, pids)
        time.sleep(SILENT + 2)
        send(signal.SIGCONT, pids)
        wait_for(lambda: launcher.poll() is not None or worker(store_path))
    code, out, err = ended(launcher)
    assert code == 0, out + err
    assert "hangs" not in out + err


def test_a_sweep_that_was_ended_in_many_ways_goes_on_with_the_same_command(store_path: Path):
    """Servers that are killed, Ctrl-C with a stopped worker and with a stopped server, a host that is lost."""
    end_by_killed_servers(store_path)
    for with_server in (False, True):
        end_by_ctrl_c(store_path, with_server)
    assert sweep(*GRID, store=store_path).returncode == 0
    go_on_after_a_lost_host(store_path)


def end_by_killed_servers(store: Path) -> None:
    """The first is replaced; with the second the sweep ends in one line."""
    launcher = start(store)
    wait_for(lambda: worker(store, "world"))
    first = server(launcher)
    os.kill(first, signal.SIGKILL)
    wait_for(lambda: server(launcher) not in (None, first))
    second = server(launcher)
    wait_for(lambda: worker(store))
    others = process.descendants(launcher.pid)
    os.kill(second, signal.SIGKILL)
    code, out, err = ended(launcher)
    assert code == 1
    assert out.count("the worker server ended (status -9); its log: ") == 1 and "starting another one" in out
    assert err.count("\n") == 1 and err.startswith("error: the worker server ended (status -9)")
    assert not [pid for pid in others if process.started(pid)]


def end_by_ctrl_c(store: Path, with_server: bool) -> None:
    """While a worker is stopped, and perhaps the server too."""
    launcher = start(store, silent=1e6)
    stop_worker(store)
    if with_server:
        os.kill(server(launcher), signal.SIGSTOP)
    others = process.descendants(launcher.pid)
    launcher.send_signal(signal.SIGINT)
    code, out, _ = ended(launcher)
    assert code == 130
    assert "the same command continues" in out
    assert not [pid for pid in others if process.started(pid)]


def go_on_after_a_lost_host(store: Path) -> None:
    """A stage that a process of another host was building is named, and built here once its claim has expired."""
    stage = sorted(store.glob("score/*"))[0]
    claim = leave_claim(store / "claims" / f"score-{stage.name}", host="elsewhere", pid=77)
    Store(store).discard(stage)
    launcher = start(store)
    lines: list[str] = []
    while not lines or "waiting" not in lines[-1]:
        lines.append(launcher.stdout.readline())
        assert lines[-1], lines
    assert "waiting for process 77 on elsewhere, which builds it for another command" in lines[-1]
    age(claim)
    code, out, err = ended(launcher)
    assert code == 0, out + err
    assert "process 77 on elsewhere has stopped building it; it goes on here" in out


def test_ranks_do_not_outlive_one_that_has_failed(store_path: Path, monkeypatch):
    """The first rank fails before it claims the stage, for which the second would wait two minutes."""
    monkeypatch.setattr(local, "GRACE_SECONDS", 1.0)
    store = Store(store_path)
    job = Job(world(0), None, store_path, 1.0)
    pool = local.Pool({job.stage.key: job}, store, 1)
    running = local.Running(job, [1, 2], ["cpu0"])
    pool.running = {1: running, 2: running}
    server = Server(store_path / "server.log", ROOT)
    try:
        for number in running.numbers:
            planned = job.to_json() | ({"kind": "no such kind"} if number == 1 else {})
            server.send(
                {
                    "id": number,
                    "job": planned,
                    "owner": "me",
                    "rank": number - 1,
                    "log": str(store_path / "log"),
                    "env": {},
                }
            )
        with Progress([job], store, Console()) as progress:
            while pool.running:
                for number, status in server.ended_within(0.2):
                    pool._ended(number, status, progress)
                pool._kill_hanging(server, progress)
    finally:
        server.close()
    assert running.statuses == [1, -signal.SIGKILL]


def test_a_server_is_abandoned_with_a_worker_that_was_stopped_after_it(store_path: Path):
    """The server is found to hang first. A worker that is stopped cannot save its state, so nobody waits for it."""
    job = Job(world(0), None, store_path, 1.0)
    server = Server(store_path / "server.log", ROOT)
    try:
        waiting = {"job": job.to_json(), "owner": "me", "rank": 1, "log": str(store_path / "log"), "env": {}}
        server.send({"id": 1, **waiting})  # rank 0 never comes, for which it would wait two minutes
        while 1 not in server.workers:
            server.ended_within(0.2)
        pid = server.workers[1].pid
        os.kill(pid, signal.SIGSTOP)
        wait_for(lambda: process.is_stopped(pid))
        server.process.send_signal(signal.SIGSTOP)
        server.abandon(HANG_SECONDS)
        assert server.workers == {}
        wait_for(lambda: process.started(pid) is None)
    finally:
        server.close()
