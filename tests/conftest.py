"""What the tests of several packages share: a world and models small enough to train in a second."""

from __future__ import annotations

import gc
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
HANG_SECONDS = 300.0
"""When to give up on a process that hangs. Never a measure: a busy machine may be ten times slower than a quiet one."""

SHARED_DATA = ROOT.parent / "shared" / "data"
PUBLIC_DATA = {"cut": ROOT / "tests" / "data"} | ({"whole": SHARED_DATA} if SHARED_DATA.is_dir() else {})
"""Folders of public data of one layout: a few rows of each file, and the whole files where they lie beside the project.
"""

TINY = [
    "data.world.math=300", "data.world.code=300", "data.world.general=300", "data.world.test=12",
    "data.world.corpus=600",
    "data.sources.math.held_out_rows=12", "data.sources.code.held_out_rows=12", "data.sources.general.held_out_rows=12",
    "model.architecture.hidden_size=32", "model.architecture.intermediate_size=64", "model.architecture.num_layers=1",
    "model.architecture.num_heads=2", "model.architecture.num_kv_heads=2", "recipe.epochs=1",
    "suite.tasks.gsm8k.max_new_tokens=8", "suite.tasks.humaneval.max_new_tokens=8",
    "suite.tasks.ifeval.max_new_tokens=8",
]  # fmt: skip
"""Overrides that shrink the default config to seconds."""

MATH_ALONE = ("~suite.tasks.humaneval", "~suite.tasks.ifeval", "~suite.tasks.code_loss", "~suite.tasks.general_loss")
"""Overrides that leave only math to be measured: a third of the stages of `TINY`."""


def command(*words: str, store: Path, folder: Path = ROOT, **environment: str) -> subprocess.Popen[str]:
    """Start ``python -m sweep WORDS`` in ``folder`` as a user would, in a process group of its own.

    Tests may themselves run in the background of a script, which ignores SIGINT and hands that on; a user's shell does
    not, so the default is put back.
    """
    return subprocess.Popen(
        [sys.executable, "-m", "sweep", *words, f"store={store}"], cwd=folder, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, preexec_fn=_heed_ctrl_c,
        env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "160", **environment},
    )  # fmt: skip


def _heed_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def sweep(
    *words: str, store: Path, folder: Path = ROOT, seconds: float = HANG_SECONDS, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run ``python -m sweep WORDS`` to its end."""
    process = command(*words, store=store, folder=folder, **environment)
    out, err = process.communicate(timeout=seconds)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Start with the files that take longest, so that no worker is left with one of them at the end."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}
    items.sort(key=lambda item: item.path not in slow)
    gc.freeze()  # what was imported stays; each search for garbage would look through it
    gc.set_threshold(50_000)


@pytest.fixture(scope="session", params=PUBLIC_DATA)
def public_data(request: pytest.FixtureRequest) -> Path:
    """Each folder of `PUBLIC_DATA` in turn."""
    return PUBLIC_DATA[request.param]


@pytest.fixture
def store_path(tmp_path: Path) -> Path:
    return tmp_path / "store"
