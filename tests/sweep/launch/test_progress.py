"""The bar of a running sweep on a terminal."""

import io
import re

import pytest
from rich.console import Console

from sweep.launch.progress import Progress
from sweep.stages.store import Store
from sweep.stages.worker import Job
from tests.sweep.stages.processes import world


@pytest.mark.parametrize("width", [80, 120])
def test_counts_and_times_are_whole_beside_long_names(width: int, tmp_path):
    store, text = Store(tmp_path), io.StringIO()
    jobs = [Job(world(seed), None, store.root, 7200.0) for seed in range(100)]
    with Progress(jobs, store, Console(file=text, force_terminal=True, width=width, color_system=None)) as progress:
        progress.done(jobs[0])
        for job in jobs[1:9]:
            progress.started(job)
        progress.began -= 7000
        progress.tick()
    assert re.search(r"  1/100 stages 0:00:\d\d about 192\.\d h left world-", text.getvalue())
