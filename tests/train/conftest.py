"""Fixtures of the training tests, made once for all of them: a tokenizer and tokenised sources."""

from __future__ import annotations

from collections.abc import Iterator
from multiprocessing import forkserver
from pathlib import Path

import pytest
import torch

from tests.train import tiny

torch.set_num_threads(1)


@pytest.fixture(scope="module", autouse=True)
def server_of_a_module() -> Iterator[None]:
    """End the server that `tests.train.processes` forks from: a fork of this process could not use it."""
    yield
    forkserver._forkserver._stop()


@pytest.fixture(scope="session")
def tokenizer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.make_tokenizer(tmp_path_factory.mktemp("tokenizer"))


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory, tokenizer_folder: Path) -> dict[str, Path]:
    return tiny.make_sources(tmp_path_factory.mktemp("sources"), tokenizer_folder)
