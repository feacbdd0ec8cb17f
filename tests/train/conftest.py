"""Fixtures of the training tests, made once for all of them: a tokenizer and tokenised sources."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.train import tiny

torch.set_num_threads(1)


@pytest.fixture(scope="session")
def tokenizer_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny.make_tokenizer(tmp_path_factory.mktemp("tokenizer"))


@pytest.fixture(scope="session")
def inputs(tmp_path_factory: pytest.TempPathFactory, tokenizer_folder: Path) -> dict[str, Path]:
    return tiny.make_sources(tmp_path_factory.mktemp("sources"), tokenizer_folder)
