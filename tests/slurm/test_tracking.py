"""What SLURM jobs send to W&B when no command waits for them."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.conftest import HANG_SECONDS, MATH_ALONE, TINY, sweep
from tests.slurm.cluster import Cluster
from tests.sweep.track.conftest import metrics
from tests.wandb_server import WandbServer

pytestmark = [pytest.mark.slurm, pytest.mark.slow]

WORDS = (
    "-m", "name=unwatched", *TINY, *MATH_ALONE, "ability=math", "fraction=1/4", "tracker=wandb",
    "hydra/launcher=submitit_slurm", "hydra.launcher.partition=dose",
)  # fmt: skip


UNENDED = ("PENDING", "RUNNING", "COMPLETING")


def test_jobs_that_no_command_waits_for_send_their_runs(slurm: Cluster, tmp_path: Path) -> None:
    store, server = tmp_path / "store", WandbServer()
    environment = {**slurm.environment, **server.start()}
    try:
        submitted = sweep(*WORDS, "hydra.launcher.wait=false", store=store, **environment)
        assert submitted.returncode == 0, submitted.stderr
        deadline = time.monotonic() + 2 * HANG_SECONDS
        while left := [facts for facts in slurm.jobs().values() if facts["JobState"] in UNENDED]:
            assert time.monotonic() < deadline, left
            time.sleep(0.5)
        assert len(server.of_group("unwatched", "score")) == 1
        for folder in (store / "train").iterdir():
            assert server.runs[folder.name].history == metrics(folder)
        before = list(server.operations)
        watched = sweep(*WORDS, store=store, **environment)
        assert watched.returncode == 0, watched.stderr
        assert "W&B" not in watched.stdout
        assert server.operations == before
    finally:
        server.stop()
