"""Ctrl-C at moments that a test of a whole command meets by chance only."""

import os
import signal
from pathlib import Path

import pytest
from rich.console import Console

from sweep.launch.local import Pool
from sweep.launch.progress import Progress
from sweep.launch.workers import Server
from sweep.stages.store import Store
from sweep.stages.worker import Job
from tests.sweep.stages.processes import world


def test_ctrl_c_while_the_processes_of_a_finished_run_are_ended_is_not_lost(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    """Sources are tokenised by a run of their own before the sweep's: after this Ctrl-C it would train all the same."""
    store, stage = Store(tmp_path), world(0)
    job = Job(stage, None, store.root, 1.0)
    close, servers = Server.close, []

    def pressed(server: Server) -> None:
        servers.append(server)
        os.kill(os.getpid(), signal.SIGINT)
        close(server)

    monkeypatch.setattr(Server, "close", pressed)
    with Progress([job], store, Console()) as progress:
        outcome = Pool({stage.key: job}, store, 1).run(progress)
    assert outcome.stopped and outcome.built == [job]
    assert servers[0].process.returncode is not None
