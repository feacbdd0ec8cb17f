"""A table that has been analysed once, for tests that look at the results."""

import pytest

from tests.analysis.running import run_as_module
from tests.analysis.tables import data_amount


@pytest.fixture(scope="module")
def analysed(tmp_path_factory):
    """A folder with t.csv, analysed; and what the terminal showed."""
    folder = tmp_path_factory.mktemp("analysed")
    data_amount().to_csv(folder / "t.csv", index=False)
    return folder, run_as_module("table=t.csv", cwd=folder)
