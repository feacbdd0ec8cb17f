"""Sandboxes of every level that this machine offers, and a folder that any user may enter."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest

from eval.sandbox.client import Sandbox
from eval.sandbox.levels import LEVELS
from eval.sandbox.programs import Limits

MEMORY = 512 << 20


def offered(name):
    """That level alone, or a skip where this host does not offer it."""
    level = next(level for level in LEVELS if level.name == name)
    try:
        with Sandbox(Limits(1, MEMORY), unsafe=True, levels=[level]):
            return level
    except RuntimeError as error:
        return pytest.skip(str(error))


@pytest.fixture(scope="module", params=[level.name for level in LEVELS if level.filters])
def level(request):
    return offered(request.param)


@pytest.fixture(scope="module")
def sandbox(level):
    with Sandbox(Limits(1, MEMORY), unsafe=True, levels=[level]) as running:
        yield running


@pytest.fixture(scope="module", params=[level.name for level in LEVELS])
def any_sandbox(request):
    with Sandbox(Limits(1, MEMORY), unsafe=True, levels=[offered(request.param)]) as running:
        yield running


@pytest.fixture
def public_folder():
    """A folder that any user may enter and write to.

    It lies outside pytest's own folders, which every start of pytest closes to other users.
    """
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o777)
        yield Path(folder)
