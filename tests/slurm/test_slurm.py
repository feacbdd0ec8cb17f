"""The SLURM launcher on a real SLURM of four virtual nodes, through the command line."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import re
import signal
import subprocess
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import HANG_SECONDS, MATH_ALONE, ROOT, TINY, command, sweep
from tests.package.environment import PACKAGES, fill_with_strangers
from tests.slurm.cluster import ASK, Cluster, until

pytestmark = [pytest.mark.slurm, pytest.mark.slow]

ON_SLURM = ("hydra/launcher=submitit_slurm", "hydra.launcher.partition=dose")
STEPS = 300
CELLS = (
    "-m", "name=both", *TINY, *MATH_ALONE, "engine=torch,zero2_pair", "ability=math", "fraction=1/4,1",
    "model.pretrain.epochs=null", f"model.pretrain.steps={STEPS}", "model.pretrain.batch_samples=8",
    "recipe.epochs=null", "recipe.steps=3", "engine.checkpoint_steps=20",
)  # fmt: skip


EXCEPT = "{engine: torch, fraction: 1}, {engine: zero2_pair, fraction: 1/4}"
"""What to leave out, so that each engine trains a cell of its own: the same cell would be trained once."""


@pytest.fixture
def both_engines(tmp_path: Path) -> tuple[str, ...]:
    """A cell of plain torch, and one of ZeRO-2 over two tasks."""
    group = tmp_path / "conf" / "engine"
    group.mkdir(parents=True)
    (group / "zero2_pair.yaml").write_text("defaults: [zero2, _self_]\nranks: 2\nactivation_checkpointing: false\n")
    return (*CELLS, f"hydra.searchpath=[file://{group.parent}]")


def test_a_sweep_on_slurm_equals_the_same_sweep_here(
    slurm: Cluster, both_engines: tuple[str, ...], tmp_path: Path
) -> None:
    """Queued, looked at, run again while queued, interrupted twice, run to its end, and run once more.

    The jobs import nothing from the folder of the command, and a space in the store's path does not matter.
    """
    store, mine = tmp_path / "a store", tmp_path / "mine"
    mine.mkdir()
    fill_with_strangers(mine, *(name for name in PACKAGES if name != "sweep"), "torch", "numpy", "submitit")
    words = (*both_engines, f"exclude=[{EXCEPT}]", *ON_SLURM, "hydra.launcher.tasks_per_node=1")
    held = (*words, "hydra.launcher.wait=false")
    slurm.run("scontrol", "update", "PartitionName=dose", "State=DOWN")
    before = set(slurm.jobs())
    try:
        first, again = (_on(slurm, *held, store=store, folder=mine) for _ in range(2))
        queued = set(slurm.jobs()) - before
        listed = _on(slurm, "ls", "name=both", store=store)
        data, base = (_first(slurm, queued, name) for name in ("both-data", "both-train"))
    except BaseException:
        slurm.run("scontrol", "update", "PartitionName=dose", "State=UP")
        raise
    # data, the base model, its two children, and answers and scores of each
    assert "SLURM: 8 jobs submitted, 0 already in flight" in first.stdout
    assert "SLURM: 0 jobs submitted, 8 already in flight" in again.stdout
    assert len(queued) == 8
    assert "both: 2 cells, 2 queued" in listed.stdout

    attached = command(*words, store=store, folder=mine, **_here(slurm))
    try:
        # The jobs start only now, as the world is built in less than a second.
        slurm.run("scontrol", "update", "PartitionName=dose", "State=UP")
        until(lambda: _worker(store, "world") is not None)
        _restarted(slurm, data, lambda: os.kill(_worker(store, "world"), signal.SIGKILL))
        until(lambda: [*store.glob("partial/train-*/resume/step-*")] != [])
        _restarted(slurm, base, lambda: slurm.run("scancel", "--signal=USR2", base))
        out, err = attached.communicate(timeout=240)
    finally:
        attached.kill()
    assert attached.returncode == 0, out + err
    assert "SLURM: 0 jobs submitted, 8 already in flight" in out
    assert set(slurm.jobs()) - before == queued
    assert _steps_of_last_attempt(store) < STEPS

    after = _on(slurm, *words, store=store)
    assert (after.returncode, "SLURM: 0 jobs submitted, 0 already in flight" in after.stdout) == (0, True)
    assert set(slurm.jobs()) - before == queued

    here = sweep(*both_engines, f"exclude=[{EXCEPT}, {{engine: zero2_pair}}]", store=tmp_path / "here")
    assert here.returncode == 0, here.stderr
    assert _rows(tmp_path / "here", "torch") == _rows(store, "torch") != []
    assert len(_rows(store, "zero2_pair")) == len(_rows(store, "torch"))


def test_a_failing_stage_cancels_what_needs_it(slurm: Cluster, tmp_path: Path) -> None:
    """The command ends with 1 and names the log; the next submits what is missing; Ctrl-C leaves it, cancel ends it."""
    store = tmp_path / "store"
    words = (
        "-m", "name=bad", *TINY, *MATH_ALONE, "ability=math", "fraction=1/2", "recipe.learning_rate=1e30",
        "recipe.epochs=null", "recipe.steps=5", "model.pretrain.epochs=null", "model.pretrain.steps=2",
        "model.pretrain.batch_samples=8", *ON_SLURM,
    )  # fmt: skip
    before = set(slurm.jobs())
    failed = _on(slurm, *words, store=store)
    states = Counter(facts["JobState"] for number, facts in slurm.jobs().items() if number not in before)
    assert failed.returncode == 1
    assert states["FAILED"] == 1
    assert states["CANCELLED"] > 0
    lost = states["FAILED"] + states["CANCELLED"]
    log = Path(re.findall(r"failed train .*; log: (\S+)", failed.stdout)[0])
    assert "lower recipe.learning_rate" in log.read_text()

    assert f"{store}/code/" in log.read_text()  # the job ran the copy of the code

    slurm.run("scontrol", "update", "PartitionName=dose", "State=DOWN")
    try:
        watching = command(*words, store=store, **slurm.environment)
        until(lambda: slurm.run("squeue", "-h", "--array").count("\n") == lost, ASK)
        watching.send_signal(signal.SIGINT)
        again, _ = watching.communicate(timeout=HANG_SECONDS)
        cancelled = _on(slurm, "cancel", "name=bad", store=store)
    finally:
        slurm.run("scontrol", "update", "PartitionName=dose", "State=UP")
    assert watching.returncode == 130
    assert f"SLURM: {lost} jobs submitted" in again and "the jobs keep running" in again
    assert cancelled.stdout == f"bad: {lost} SLURM jobs cancelled\n"
    assert "queued" not in _on(slurm, "ls", "name=bad", store=store).stdout


def _on(slurm: Cluster, *words: str, store: Path, folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return sweep(*words, store=store, folder=folder, **_here(slurm))


def _here(slurm: Cluster) -> dict[str, str]:
    """The environment of a command in any folder."""
    return {"PYTHONPATH": str(ROOT), **slurm.environment}


def _first(slurm: Cluster, numbers: set[str], name: str) -> str:
    """The job of this name that was submitted first."""
    named = [number for number, facts in slurm.jobs().items() if number in numbers and facts["JobName"] == name]
    return min(named, key=lambda number: int(number.partition("_")[0]))


def _worker(store: Path, kind: str) -> int | None:
    """The process that works on a stage of this kind."""
    for claim in store.glob(f"claims/{kind}-????????????????"):
        with contextlib.suppress(FileNotFoundError):
            return int(json.loads(claim.read_bytes())["pid"])
    return None


def _restarted(slurm: Cluster, number: str, interrupt: Callable[[], object]) -> None:
    """Interrupt a running job, see it back in the queue, and let SLURM start it again at once."""
    interrupt()
    until(lambda: slurm.jobs()[number]["Restarts"] == "1", ASK)
    slurm.restart(number)


def _steps_of_last_attempt(store: Path) -> int:
    """Steps that the longest training did since it was last started."""
    timings = [json.loads(path.read_bytes()) for path in store.glob("train/*/timings.json")]
    return max(int(timing["steps"]) for timing in timings)


def _rows(store: Path, engine: str) -> list[list[str]]:
    """The rows of the table for the cells of one engine, as they stand in the file."""
    with (store / "sweeps" / "both" / "table.csv").open() as stream:
        header, *rows = csv.reader(stream)
    return [row for row in rows if row[header.index("engine")] == engine]
