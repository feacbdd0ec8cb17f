"""docs/paper_scale.md says what the plans say."""

from __future__ import annotations

import pytest

from tests.conftest import ROOT
from tests.sweep.plan.paper_scale import grid_row, memory_rows

PAGE = ROOT / "docs" / "paper_scale.md"


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")


def test_the_table_of_memory_is_that_of_the_plans():
    page = PAGE.read_text(encoding="utf-8").splitlines()
    assert [row for row in memory_rows() if row not in page] == []


@pytest.mark.slow
@pytest.mark.parametrize(("grid", "model"), [("data_amount", "llama_7b"), ("strategy", "llama_33b")])
def test_the_table_of_grids_is_that_of_the_plans(grid: str, model: str):
    """Two of its rows: a plan takes seconds."""
    assert grid_row(grid, model) in PAGE.read_text(encoding="utf-8").splitlines()
