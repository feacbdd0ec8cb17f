"""The wheel, and environments that hold it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.package.environment import build_wheel, link


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked wheel of this checkout."""
    return build_wheel(tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="session")
def core(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``pip install dosage-llm`` installs."""
    return link(tmp_path_factory.mktemp("core"), wheel)


@pytest.fixture(scope="session")
def models(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What ``pip install 'dosage-llm[train,eval]'`` installs, as ``make setup`` does."""
    return link(tmp_path_factory.mktemp("models"), wheel, "train", "eval")
