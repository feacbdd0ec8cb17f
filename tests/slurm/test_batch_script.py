"""The batch script without a SLURM: programs of SLURM's names that record, refuse or run what they are given."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sweep.launch import slurm, step
from sweep.launch.step import Step
from sweep.results.saved_sweep import save
from sweep.stages.claims import TRY_AGAIN
from sweep.stages.store import Store
from sweep.stages.worker import Job
from tests.conftest import HANG_SECONDS, TINY
from tests.package.environment import PACKAGES, fill_with_strangers
from tests.sweep.composing import cell, plan
from tests.sweep.launch.test_slurm_tasks import launcher
from tests.sweep.stages.processes import build, world


@pytest.fixture
def programs(tmp_path: Path, monkeypatch) -> Path:
    """A folder of programs, first on PATH. What scontrol is asked is kept in the file ``asked`` there."""
    folder = tmp_path / "bin"
    folder.mkdir()
    write(folder / "squeue", "exit 0")
    write(folder / "scontrol", f'echo "$@" >> "{folder}/asked"\necho "MaxArraySize = 1001"')
    monkeypatch.setenv("PATH", f"{folder}:{os.environ['PATH']}")
    return folder


def write(program: Path, body: str) -> None:
    program.write_text(f"#!/bin/bash\n{body}\n")
    program.chmod(0o755)


def asked(programs: Path) -> list[str]:
    file = programs / "asked"
    return file.read_text().splitlines() if file.exists() else []


def test_the_script_runs_the_copy_of_the_code_from_a_store_with_spaces_and_quotes(programs: Path, tmp_path: Path):
    """Packages of the same names elsewhere on PYTHONPATH would be imported if the path of the copy were cut."""
    pytest.importorskip("submitit")
    strangers = tmp_path / "strangers"
    strangers.mkdir()
    fill_with_strangers(strangers, *PACKAGES)
    scripts = tmp_path / "scripts"
    scripts.mkdir()
    write(programs / "sbatch", f'cp "$1" "{scripts}/$$.sh"\necho "Submitted batch job $$"')
    write(programs / "srun", 'while [[ "$1" == -* ]]; do shift; done\nexec "$@"')
    store = Store(tmp_path / "it's $HOME in my store")
    saved = save(plan(cell(*TINY), store=store.root), store)
    assert slurm.submit(saved, store, launcher(name="two words", additional_parameters={})).submitted > 2
    (script,) = [path for path in scripts.iterdir() if "-data" in path.read_text()]
    number = script.stem
    ran = subprocess.run(
        ["bash", script], capture_output=True, text=True, timeout=HANG_SECONDS, cwd=tmp_path,
        env={
            **os.environ, "PYTHONPATH": str(strangers), "SLURM_JOB_ID": number, "SLURM_NTASKS": "1",
            "SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_NODEID": "0", "SLURM_JOB_NUM_NODES": "1",
            "SLURM_JOB_NODELIST": "n1",
        },
    )  # fmt: skip
    logs = sorted((store.sweep(saved.name) / "slurm").rglob("*.err"))
    assert store.root.joinpath("world").is_dir(), (ran, [path.read_text() for path in logs])
    (copy,) = store.code.iterdir()
    records = [json.loads(path.read_bytes()) for path in store.root.glob("*/*/record.json")]
    assert {record["code"] for record in records} == {copy.name}


@pytest.fixture
def task(store_path: Path, monkeypatch) -> Path:
    """The file of one task that builds `world(0)`, as its SLURM job 7 finds it; two restarts are allowed."""
    file = store_path / "tasks.json"
    store_path.mkdir()
    step.freeze(file, Step(1, 1, 1, (), 2), [(Job(world(0), None, store_path, 1.0),)])
    monkeypatch.setenv("SLURM_JOB_ID", "7")
    monkeypatch.delenv("SLURM_RESTART_COUNT", raising=False)
    return file


@pytest.mark.parametrize(
    ("ended", "requeued"),
    [("exit 0", False), ("exit 1", False), ("exit 127", False), (f"exit {TRY_AGAIN}", True),
     ("exit 137", True), ("kill -9 $$", True)],
)  # fmt: skip
def test_a_task_that_was_killed_or_stopped_goes_back_into_the_queue(programs: Path, task: Path, ended, requeued: bool):
    write(programs / "srun", ended)
    write(programs / "squeue", "echo RUNNING")
    with pytest.raises(SystemExit) as stop:
        step.run(str(task), 0)
    assert stop.value.code == (TRY_AGAIN if requeued else 1)
    assert asked(programs) == (["requeue 7"] if requeued else [])


@pytest.mark.parametrize(("restarts", "requeued"), [("0", True), ("1", True), ("2", False), ("3", False)])
def test_a_task_is_restarted_as_often_as_allowed(programs: Path, task: Path, monkeypatch, restarts: str, requeued):
    monkeypatch.setenv("SLURM_RESTART_COUNT", restarts)
    write(programs / "srun", f"exit {TRY_AGAIN}")
    write(programs / "squeue", "echo RUNNING")
    with pytest.raises(SystemExit) as stop:
        step.run(str(task), 0)
    assert asked(programs) == (["requeue 7"] if requeued else [])
    if not requeued:
        assert f"restarted {restarts} times already; raise hydra.launcher.max_num_timeout" in str(stop.value.code)


def test_a_task_that_is_being_cancelled_does_not_come_back(programs: Path, task: Path):
    write(programs / "srun", f"exit {TRY_AGAIN}")
    write(programs / "squeue", "echo COMPLETING")
    with pytest.raises(SystemExit) as stop:
        step.run(str(task), 0)
    assert (stop.value.code, asked(programs)) == (TRY_AGAIN, [])


RANK = """
import os, signal, sys
from sweep.stages import claims
from tests.slurm.test_batch_script import Store, world
claims.HEARTBEAT_SECONDS = 0.05
with Store(sys.argv[1]).build(world(0), "slurm7-0") as out:
    {act}
"""
"""What srun starts: a rank that claims the stage and then acts."""


def rank(programs: Path, store: Path, act: str) -> None:
    script = programs / "rank.py"
    script.write_text(RANK.format(act=act))
    write(programs / "srun", f"exec {sys.executable} {script} '{store}'")


def test_a_rank_that_hangs_is_named_and_its_task_goes_back_into_the_queue(
    programs: Path, task: Path, store_path: Path, monkeypatch, capfd
):
    monkeypatch.setattr(step, "HEARTBEAT_SECONDS", 0.2)
    monkeypatch.setattr(step, "EXPIRY_SECONDS", 2.0)
    rank(programs, store_path, "os.kill(os.getpid(), signal.SIGSTOP)")
    write(programs / "squeue", "echo RUNNING")
    with pytest.raises(SystemExit) as stop:
        step.run(str(task), 0)
    assert (stop.value.code, asked(programs)) == (TRY_AGAIN, ["requeue 7"])
    assert f"{world(0).name}: rank 0 hangs, silent for 2 s; killed" in capfd.readouterr().err


def test_a_rank_that_works_longer_than_a_claim_lives_does_not_hang(
    programs: Path, task: Path, store_path: Path, monkeypatch
):
    monkeypatch.setattr(step, "HEARTBEAT_SECONDS", 0.5)
    monkeypatch.setattr(step, "EXPIRY_SECONDS", 2.0)
    rank(programs, store_path, '__import__("time").sleep(5); (out / "rows.txt").write_text("whole")')
    step.run(str(task), 0)
    assert Store(store_path).has(world(0))
    assert asked(programs) == []


def test_a_task_whose_stages_are_stored_is_done_whatever_srun_says(programs: Path, task: Path, store_path: Path):
    once = f"{sys.executable} -c 'import sys; from tests.slurm.test_batch_script import finish; finish(sys.argv[1])'"
    write(programs / "srun", f'{once} "{store_path}"\nexit 134')
    step.run(str(task), 0)
    assert asked(programs) == []
    write(programs / "srun", f'echo again >> "{programs}/asked"')
    step.run(str(task), 0)
    assert asked(programs) == []


def finish(root: str) -> None:
    """Publish the only stage of the task."""
    build(Store(root), world(0), "whole")
