"""Numbers as text."""

from __future__ import annotations

import pytest

from analysis.format import size


@pytest.mark.parametrize(
    ("parameters", "text"),
    [(242112, "242,112"), (9_999_999, "9,999,999"), (1e7, "10M"), (7.6e9, "7.6B"), (1.3e10, "13B"), (999_900_000, "1B"),
     (6.738e9, "6.74B"), (1.2e12, "1.2T"), (float("nan"), "-")],
)  # fmt: skip
def test_numbers_of_parameters_are_written_as_models_are_called(parameters: float, text: str) -> None:
    assert size(parameters) == text
