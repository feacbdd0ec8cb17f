"""The batch script without a SLURM: programs of SLURM's names that record, refuse or run what they are given."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from sweep.launch import slurm, slurm_logs, squeue, step
from sweep.launch.step import Step
from sweep.results.saved_sweep import save
from sweep.stages.claims import TRY_AGAIN
from sweep.stages.store import Store
from sweep.stages.worker import Job
from tests.conftest import HANG_SECONDS, TINY
from tests.package.environment import PACKAGES, fill_with_strangers
from tests.sweep.composing import cell, plan
from tests.sweep.launch.test_slurm_tasks import request
from tests.sweep.stages.processes import build, world


@pytest.fixture
def programs(tmp_path: Path, monkeypatch) -> Path:
    """A folder of programs, first on PATH. What scontrol is asked is kept in the file ``asked`` there."""
    folder = tmp_path / "bin"
    folder.mkdir()
    write(folder / "squeue", "exit 0")
    write(folder / "sinfo", 'echo "here*|infinite|4|16|4000|(null)"')
    (folder / "facts").write_text("JobId=7 JobState=RUNNING")
    parts = [f'requeue*) echo "$@" >> "{folder}/asked"', f'*job*) cat "{folder}/facts"', "*) echo MaxArraySize=9"]
    shown = f'case "$*" in {" ;; ".join(parts)} ;; esac'
    write(folder / "scontrol", shown)
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
    write(programs / "sbatch", f'cp "$2" "{scripts}/$$.sh"\necho $$')
    write(programs / "srun", 'while [[ "$1" == -* ]]; do shift; done\nexec "$@"')
    store = Store(tmp_path / "it's $HOME in my store")
    saved = save(plan(cell(*TINY), store=store.root), store)
    assert slurm.submit(saved, store, request(saved.jobs, name="two words", additional_parameters={})).submitted > 2
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


def submitted(programs: Path, store: Store, **settings: object) -> tuple[slurm.Submission, list[str]]:
    """What a command submits of a small sweep, and the batch scripts; squeue then tells of these jobs."""
    scripts = programs.parent / "scripts"
    scripts.mkdir(exist_ok=True)
    comment = "$(sed -n 's/.*--comment=//p' \"$2\" | head -1)"
    write(
        programs / "sbatch", f'cp "$2" "{scripts}/$$"\necho "$$|PENDING|None|{comment}" >> "{programs}/queue"\necho $$'
    )
    write(programs / "squeue", f'cat "{programs}/queue" 2> /dev/null || true')
    saved = save(plan(cell(*TINY), store=store.root), store)
    made = slurm.submit(saved, store, request(saved.jobs, **settings))
    return made, [path.read_text() for path in scripts.iterdir()]


def test_a_store_reached_by_another_path_is_the_same(programs: Path, tmp_path: Path):
    """As where a home folder is a link: what is in flight is not submitted a second time, and can be cancelled."""
    pytest.importorskip("submitit")
    store = Store(tmp_path / "scratch" / "store")
    (tmp_path / "home").symlink_to(tmp_path / "scratch")
    first, _ = submitted(programs, store)
    again, scripts = submitted(programs, Store(tmp_path / "home" / "store"))
    assert (again.submitted, again.attached) == (0, first.submitted) and len(scripts) == first.calls
    assert {job.file.parent for job in squeue.jobs_for(store)} == {store.sweep("test") / "jobs"}


def test_logs_go_to_folders_that_exist_also_where_their_path_has_the_number_of_the_job(programs: Path, tmp_path: Path):
    """A ``%j`` in it, as in Hydra's own default, would be a folder that nobody creates, and SLURM fails the job."""
    pytest.importorskip("submitit")
    store = Store(tmp_path / "store")
    made, scripts = submitted(programs, store, submitit_folder=str(tmp_path / "logs" / "%j"))
    outputs = [line.partition("=")[2] for text in scripts for line in text.splitlines() if "--output=" in line]
    assert len(outputs) == made.calls and all(Path(path.strip("'")).parent.is_dir() for path in outputs)
    places = slurm_logs.submitted(store, "test").values()
    assert {place.folder for place in places} == {Path(path.strip("'")).parent for path in outputs}


@pytest.mark.filterwarnings("error")
def test_processors_by_gpu_are_asked_for_without_a_warning(programs: Path, tmp_path: Path):
    pytest.importorskip("submitit")
    write(programs / "sinfo", 'echo "here*|infinite|4|16|4000|gpu:8"')
    _, scripts = submitted(programs, Store(tmp_path / "store"), gpus_per_node=1, cpus_per_gpu=12)
    found = {text.partition("--job-name=")[2].split()[0]: text for text in scripts}
    assert {name.rpartition("-")[2] for name, text in found.items() if "--cpus-per-gpu=12\n" in text} == {
        "train", "answer"
    }  # fmt: skip
    assert not any("--cpus-per-gpu" in text and "--cpus-per-task" in text for text in scripts)


@pytest.fixture
def task(store_path: Path, monkeypatch) -> Path:
    """The file of one task that builds `world(0)`, as its SLURM job 7 finds it; two restarts are allowed."""
    file = store_path / "tasks.json"
    store_path.mkdir()
    step.freeze(file, Step(1, 1, 1, (), 2, 120), [(Job(world(0), None, store_path, 1.0),)])
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
    with pytest.raises(SystemExit) as stop:
        step.run(str(task), 0)
    assert stop.value.code == (TRY_AGAIN if requeued else 1)
    assert asked(programs) == (["requeue 7"] if requeued else [])


def stop(task: Path, monkeypatch, restart: int) -> object:
    """Start the task once more; what its process exits with."""
    monkeypatch.setenv("SLURM_RESTART_COUNT", str(restart))
    with pytest.raises(SystemExit) as ended:
        step.run(str(task), 0)
    return ended.value.code


@pytest.mark.parametrize(("cpus", "threads"), [(4, "4"), (None, "12")])
def test_ranks_use_the_processors_of_their_task(programs: Path, task: Path, monkeypatch, capfd, cpus, threads: str):
    """Where GPUs bring processors, the tasks of a node share what SLURM gave the job there."""
    step.freeze(task, Step(1, 2, cpus, (), 2, 120), [(Job(world(0), None, task.parent, 1.0),)])
    monkeypatch.setenv("SLURM_CPUS_ON_NODE", "24")
    write(programs / "srun", 'echo "threads=$OMP_NUM_THREADS $*"')
    with pytest.raises(SystemExit):
        step.run(str(task), 0)
    (said,) = [line for line in capfd.readouterr().out.splitlines() if line.startswith("threads=")]
    assert said.startswith(f"threads={threads} ") and ("--cpus-per-task=4" in said) == (cpus == 4)


def test_a_task_that_does_not_advance_is_started_three_times(programs: Path, task: Path, monkeypatch, store_path):
    write(programs / "srun", "echo slurmstepd: error: Detected 1 oom_kill event in StepId=7.0 >&2\nexit 137")
    assert [stop(task, monkeypatch, restart) for restart in range(2)] == [TRY_AGAIN, TRY_AGAIN]
    last = stop(task, monkeypatch, 2)
    assert asked(programs) == ["requeue 7", "requeue 7"]
    assert str(last).startswith("out of memory on the host: stopped 3 times, the last without having advanced")
    assert "raise hydra.launcher.data.mem_gb" in str(last)
    failure = json.loads(Store(store_path).failure(world(0)).read_bytes())
    assert (failure["error"], failure["causes"]) == (last, "out of memory on the host (3 times)")


def test_a_rank_that_the_kernel_kills_for_memory_is_said_to_be(programs: Path, task: Path, monkeypatch, capsys):
    """Its job's cgroup counts it; srun says no more than that it was killed."""
    write(programs / "srun", "exit 137")
    kills = iter((0, 1))
    monkeypatch.setattr(step, "oom_kills", lambda: next(kills))
    assert stop(task, monkeypatch, 0) == TRY_AGAIN
    assert "stopped: out of memory on the host" in capsys.readouterr().err


def test_an_srun_that_does_not_know_its_options_is_not_started_again(programs: Path, task: Path, monkeypatch):
    told = ["srun: unrecognized option '--nosuch'", 'Try "srun --help" for more information']
    write(programs / "srun", "".join(f"echo {shlex.quote(line)} >&2\n" for line in told) + "exit 255")
    assert stop(task, monkeypatch, 0) == f"{told[0]}; correct hydra.launcher.srun_args"
    assert asked(programs) == []


def test_a_task_that_advances_goes_on_for_ever(programs: Path, task: Path, monkeypatch, store_path: Path):
    partial = Store(store_path).partial(world(0), "someone") / "resume"
    write(programs / "srun", f"""mkdir -p {partial}/step-$SLURM_RESTART_COUNT\nexit {TRY_AGAIN}""")
    assert [stop(task, monkeypatch, restart) for restart in range(1, 12)] == [TRY_AGAIN] * 11


def test_what_is_not_its_fault_may_stop_a_task_more_often(programs: Path, task: Path, monkeypatch):
    """Here twice in a row, as ``max_num_timeout`` says; a start that left no cause lost its node."""
    (programs / "facts").write_text("JobId=7 JobState=RUNNING PreemptTime=2026-01-01T00:00:00")
    write(programs / "srun", f"exit {TRY_AGAIN}")
    assert [stop(task, monkeypatch, restart) for restart in range(2)] == [TRY_AGAIN, TRY_AGAIN]
    assert str(stop(task, monkeypatch, 2)).startswith("preempted: stopped 3 times")


def test_a_task_that_is_being_cancelled_does_not_come_back(programs: Path, task: Path):
    write(programs / "srun", f"exit {TRY_AGAIN}")
    (programs / "facts").write_text("JobId=7 JobState=COMPLETING")
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
