"""One small sweep with tracker=wandb, run once against the stand-in server for all tests of this folder."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import HANG_SECONDS, ROOT, TINY, sweep
from tests.wandb_server import Run, WandbServer

NAME = "tracked"
WORDS = [
    *TINY, "-m", "strategy=single,sequential", "fraction=0,1/16", "recipe.checkpoints=[1/2]", f"name={NAME}",
    "tracker=wandb",
]  # fmt: skip
"""A base, a model of one stage, and one of three; each stage has a checkpoint."""

SHORT_SECONDS = 3
"""Time that the server has to answer where a test lets it fail."""


@dataclass(frozen=True)
class Tracked:
    """A finished sweep: its store, the server that it was mirrored to, and what the command printed."""

    store: Path
    server: WandbServer
    printed: str


@pytest.fixture(scope="session")
def tracked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tracked]:
    store, server = tmp_path_factory.mktemp("tracked") / "store", WandbServer()
    ended = sweep(*WORDS, store=store, **server.start())
    assert ended.returncode == 0, ended.stderr + ended.stdout
    yield Tracked(store, server, ended.stdout)
    server.stop()


@pytest.fixture
def unsent(tracked: Tracked, tmp_path: Path) -> Path:
    """A copy of the store of which nothing has been sent."""
    shutil.copytree(tracked.store, tmp_path / "store", ignore=shutil.ignore_patterns("wandb"))
    return tmp_path / "store"


@pytest.fixture
def server() -> Iterator[WandbServer]:
    made = WandbServer()
    made.start()
    yield made
    made.stop()


def start_mirror(store: Path, server: WandbServer) -> subprocess.Popen[str]:
    """Start the process that mirrors the finished sweep, which gives the server only `SHORT_SECONDS` to answer."""
    code = (
        f"from sweep.track import client, mirror; client.SECONDS = {SHORT_SECONDS}; "
        f"mirror.main([{str(store)!r}, {NAME!r}, '0'])"
    )
    return subprocess.Popen(
        [sys.executable, "-c", code], cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
        env={**os.environ, **server.environment},
    )  # fmt: skip


def report_of(mirror: subprocess.Popen[str]) -> dict[str, Any]:
    """What a mirror says at its end."""
    out, _ = mirror.communicate(timeout=HANG_SECONDS)
    report: dict[str, Any] = json.loads(out.splitlines()[-1])
    return report


def content(runs: dict[str, Run]) -> dict[str, dict[str, Any]]:
    """All that runs hold, by id."""
    labels = ("displayName", "groupName", "jobType", "tags")
    return {
        name: {label: run.fields.get(label) or None for label in labels}
        | {"history": run.history, "summary": run.summary, "config": run.config, "exit": run.exit}
        for name, run in runs.items()
    }


def metrics(stage: Path) -> list[dict[str, float]]:
    """The lines that a training stage logged."""
    return [json.loads(line) for line in (stage / "metrics.jsonl").read_text().splitlines()]
