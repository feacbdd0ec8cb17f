"""One grid of two sizes with resources of their own, and what stops its jobs, on the real SLURM."""

from __future__ import annotations

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest

from tests.conftest import HANG_SECONDS, MATH_ALONE, TINY, command, sweep
from tests.slurm.cluster import ASK, Cluster, until

pytestmark = [pytest.mark.slurm, pytest.mark.slow]

SIZE = """\
defaults: [micro_xs, _self_]
name: size_{name}
pretrain: {{seed: {seed}, epochs: null, steps: {steps}}}
resources: {{ranks: {ranks}, nodes: {nodes}, minutes: {minutes}}}
"""
ON_SLURM = ("hydra/launcher=submitit_slurm", "hydra.launcher.partition=dose")
TRAINED = (
    "model.pretrain.batch_samples=8",
    "recipe.epochs=null", "recipe.steps=3", "ability=math", "fraction=1/4", "engine.checkpoint_steps=20",
)  # fmt: skip
KILLING = """#!/bin/bash
{sbatch} "$@"
kill -9 $PPID
"""
"""An sbatch that kills the launcher before it reads the number of the job."""


@pytest.fixture
def two_sizes(tmp_path: Path) -> tuple[str, ...]:
    """One model on one node, the other by ZeRO-3 on two nodes of two tasks each."""
    models = tmp_path / "conf" / "model"
    models.mkdir(parents=True)
    for seed, (name, ranks, nodes, minutes, length) in enumerate([("a", 1, 1, 70, 1000), ("b", 4, 2, 90, 10)]):
        text = SIZE.format(name=name, seed=seed, ranks=ranks, nodes=nodes, minutes=minutes, steps=length)
        (models / f"size_{name}.yaml").write_text(text)
    return (
        "-m", "name=two", *TINY, *MATH_ALONE, *TRAINED, f"hydra.searchpath=[file://{models.parent}]",
        "model=size_a,size_b", "engine=zero3", "engine.ranks=${model.resources.ranks}",
        "engine.activation_checkpointing=false", *ON_SLURM, "hydra.launcher.timeout_min=${model.resources.minutes}",
        "hydra.launcher.nodes=${model.resources.nodes}", "hydra.launcher.answer.timeout_min=75",
        "hydra.launcher.score.partition=short", "hydra.launcher.score.timeout_min=20",
    )  # fmt: skip


def test_two_sizes_ask_for_their_own_and_end_in_one_table(
    slurm: Cluster, two_sizes: tuple[str, ...], tmp_path: Path
) -> None:
    """The launcher is killed after its first sbatch; then a job runs into its time limit, and one is preempted."""
    store = tmp_path / "store"
    before = set(slurm.jobs())
    programs = tmp_path / "bin"
    programs.mkdir()
    (programs / "sbatch").write_text(KILLING.format(sbatch=_which(slurm, "sbatch")))
    (programs / "sbatch").chmod(0o755)
    path = {**slurm.environment, "PATH": f"{programs}:{slurm.environment['PATH']}"}
    slurm.run("scontrol", "update", "PartitionName=dose", "State=DOWN")
    try:
        killed = sweep(*two_sizes, store=store, **path)
        assert killed.returncode == -signal.SIGKILL
        assert len(set(slurm.jobs()) - before) == 1  # it has run: the data
        again = sweep(*two_sizes, "hydra.launcher.wait=false", store=store, **slurm.environment)
        assert "SLURM: 8 jobs submitted, 1 already in flight" in again.stdout, again.stderr
        asked = sorted(_asked(slurm, set(slurm.jobs()) - before))
    finally:
        slurm.run("scontrol", "update", "PartitionName=dose", "State=UP")
    assert asked == [
        ("two-answer", "dose", "01:15:00", "1", "1"), ("two-answer", "dose", "01:15:00", "1", "1"),
        ("two-data", "dose", "01:10:00", "1", "1"), ("two-score", "short", "00:20:00", "1", "1"),
        ("two-score", "short", "00:20:00", "1", "1"), ("two-train", "dose", "01:10:00", "1", "1"),
        ("two-train", "dose", "01:10:00", "1", "1"), ("two-train", "dose", "01:30:00", "2", "4"),
        ("two-train", "dose", "01:30:00", "2", "4"),
    ]  # fmt: skip
    watching = command(*two_sizes, store=store, **slurm.environment)
    try:
        base = _number_of_base(slurm, store, before, nodes="1")
        until(lambda: _has_resume_point(store))
        limit = 2 + _minutes_run(slurm, base)  # within the two minutes of the warning
        slurm.run("scontrol", "update", f"JobId={base}", f"TimeLimit={limit}")
        slurm.run("scancel", "--signal=USR2", base)  # as SLURM itself does when it next looks, every half minute
        until(lambda: slurm.jobs()[base]["Restarts"] == "1", ASK)
        said = _cause(store, base)
        slurm.run("scontrol", "update", f"JobId={base}", "TimeLimit=70")
        slurm.restart(base)
        out, err = watching.communicate(timeout=2 * HANG_SECONDS)
    finally:
        watching.kill()
    assert watching.returncode == 0, out + err
    assert said == "time limit"
    assert len((store / "sweeps" / "two" / "table.csv").read_text().splitlines()) > 4
    assert "two: 2 cells, 2 done" in sweep("ls", "name=two", store=store, **slurm.environment).stdout


def _which(slurm: Cluster, name: str) -> str:
    return subprocess.run(["which", name], env=slurm.environment, capture_output=True, text=True).stdout.strip()


def _asked(slurm: Cluster, numbers: set[str]) -> list[tuple[str, ...]]:
    """Name, partition, time limit, nodes and tasks of each job."""
    facts = [slurm.jobs()[number] for number in numbers]
    return [
        (f["JobName"], f["Partition"], f["TimeLimit"], f["NumNodes"].partition("-")[0], f["NumTasks"]) for f in facts
    ]


def _number_of_base(slurm: Cluster, store: Path, before: set[str], nodes: str) -> str:
    """The running training on that many nodes."""
    found: list[str] = []

    def running() -> bool:
        found[:] = [
            number for number, facts in slurm.jobs().items()
            if number not in before and facts["JobName"] == "two-train" and facts["JobState"] == "RUNNING"
            and facts["NumNodes"] == nodes
        ]  # fmt: skip
        return bool(found)

    until(running, ASK / 5)
    return found[0]


def _minutes_run(slurm: Cluster, number: str) -> int:
    """How long a job has run, in whole minutes."""
    hours, minutes, _ = map(int, slurm.jobs()[number]["RunTime"].split(":"))
    return 60 * hours + minutes


def _has_resume_point(store: Path) -> bool:
    return any(store.glob("partial/train-*/resume/step-*"))


def _cause(store: Path, number: str) -> str:
    """Why the job last stopped, as it noted it."""
    (file,) = store.glob(f"sweeps/two/jobs/*.{number}.attempts")
    return str(json.loads(file.read_bytes())["starts"][-1][1])


def _hurried(slurm: Cluster, number: str) -> str:
    """The state of a job, which SLURM is told to start now if it is held back after a requeue."""
    state = slurm.jobs()[number]["JobState"]
    if state == "PENDING" and slurm.jobs()[number]["Reason"] == "BeginTime" and not slurm.steps(number):
        time.sleep(1.5)  # within the same second, the node would take the new run for the old one
        slurm.run("scontrol", "update", f"JobId={number}", "StartTime=now", check=False)
    return state


FULL = """#!/bin/bash
{srun} --ntasks=1 bash -c 'exit 125'
"""
"""An srun whose process ends as SLURM reports one that it killed for its memory."""


def test_preemption_and_lack_of_memory_are_named_and_the_sweep_goes_on(slurm: Cluster, tmp_path: Path) -> None:
    """A training is preempted and goes on; answers run out of memory three times; ls, logs and retry tell and mend."""
    store, programs = tmp_path / "store", tmp_path / "bin"
    programs.mkdir()
    (programs / "srun").write_text(FULL.format(srun=_which(slurm, "srun")))
    (programs / "srun").chmod(0o755)
    long = ("model.pretrain.epochs=null", "model.pretrain.steps=1000")  # SLURM takes a second or two to preempt it
    words = ("-m", "name=two", *TINY, *MATH_ALONE, *TRAINED, *long, *ON_SLURM)
    before = set(slurm.jobs())
    watching = command(*words, f"hydra.launcher.answer.setup=['export PATH={programs}:$PATH']", store=store,
                       **slurm.environment)  # fmt: skip
    try:
        base = _number_of_base(slurm, store, before, nodes="1")
        until(lambda: _has_resume_point(store))
        slurm.run("sbatch", "-purgent", "-N4", "--exclusive", "-o/dev/null", "--wrap=sleep 1")
        until(lambda: slurm.jobs()[base]["Restarts"] == "1", ASK)
        said = _cause(store, base)
        slurm.restart(base)
        answers = [number for number, facts in slurm.jobs().items()
                   if number not in before and facts["JobName"] == "two-answer"]  # fmt: skip
        until(lambda: _hurried(slurm, answers[0]) == "FAILED", ASK)
        out, err = watching.communicate(timeout=HANG_SECONDS)
    finally:
        watching.kill()
    assert said == "preempted"
    assert watching.returncode == 1, out + err
    told = "out of memory on the host: stopped 3 times, the last without having advanced"
    assert told in out
    listed = sweep("ls", "name=two", store=store, **slurm.environment).stdout
    assert "1 failed" in listed and f"answer: {told}" in listed
    logged = sweep("logs", "name=two", "follow=true", store=store, **slurm.environment).stdout
    assert "stopped: out of memory on the host" in logged and "_0_log.err" in logged

    mended = sweep(*words, store=store, **slurm.environment)
    assert mended.returncode == 0, mended.stdout + mended.stderr
    (score,) = (
        path for path in store.glob("score/*") if path.is_dir() and "gsm8k" in (path / "stage.json").read_text()
    )
    for path in score.iterdir():
        path.unlink()
    score.rmdir()
    retried = sweep("retry", "name=two", store=store, **slurm.environment)
    assert "SLURM: 1 job submitted" in retried.stdout and retried.returncode == 0, retried.stdout + retried.stderr


def test_what_a_partition_never_grants_is_said_before_submission(slurm: Cluster, tmp_path: Path) -> None:
    before = set(slurm.jobs())
    words = ("-m", "name=big", *TINY, *MATH_ALONE, *TRAINED, ON_SLURM[0], "hydra.launcher.partition=short")
    refused = sweep(
        *words, "hydra.launcher.train.timeout_min=121", "hydra.launcher.score.mem_gb=9",
        "hydra.launcher.data.partition=no", store=tmp_path / "store", **slurm.environment,
    )  # fmt: skip
    assert refused.returncode == 2
    assert "part train): timeout_min asks for 121 minutes; partition short has 120" in refused.stderr
    assert "part score): mem_gb asks for 9 GiB a node; partition short has 1.95312" in refused.stderr
    assert "part data): partition=no is none of this cluster's: dose, short, urgent" in refused.stderr
    assert set(slurm.jobs()) == before
    shown = sweep(*words, "hydra.launcher.train.timeout_min=121", "dry_run=true", store=tmp_path / "store",
                  **slurm.environment)  # fmt: skip
    assert shown.returncode == 0 and "SLURM refuses hydra.launcher (part train): timeout_min asks for" in shown.stdout


def test_a_job_that_ends_before_its_command_tells_why(slurm: Cluster, tmp_path: Path) -> None:
    """Its log lies in a folder with the number of the job in its name, as Hydra's own default has it."""
    store = tmp_path / "store"
    words = ("-m", "name=no", *TINY, *MATH_ALONE, *TRAINED, *ON_SLURM, "hydra.launcher.data.setup=[no_module, exit 3]",
             f"hydra.launcher.submitit_folder={tmp_path}/logs/%j")  # fmt: skip
    failed = sweep(*words, store=store, **slurm.environment)
    assert failed.returncode == 1
    (line,) = [line for line in failed.stdout.splitlines() if line.startswith("failed world: ")]
    assert "no_module: command not found; SLURM's log: " in line
    log = Path(line.partition("SLURM's log: ")[2])
    assert log.is_relative_to(tmp_path / "logs") and "no_module" in log.read_text()
    assert "the log is empty" not in failed.stdout
    listed = sweep("ls", "name=no", store=store, **slurm.environment).stdout
    assert "dead" in listed and f"no_module: command not found; SLURM's log: {log}; retry submits it again" in listed
