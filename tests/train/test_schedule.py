"""Learning-rate schedules."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.train.tiny import recipe
from train.schedule import rate_factor
from train.spec import SCHEDULES


def curve(steps: int, schedule: str, warmup: float = 0.0, decay: float = 0.0) -> list[float]:
    settings = recipe(schedule=schedule, warmup=warmup, decay=decay)
    return [rate_factor(settings, step=step, steps=steps) for step in range(steps)]


@given(
    steps=st.integers(1, 200), schedule=st.sampled_from(SCHEDULES), warmup=st.floats(0, 0.5), decay=st.floats(0, 0.5)
)
def test_a_schedule_rises_once_and_never_again(steps: int, schedule: str, warmup: float, decay: float) -> None:
    rates = curve(steps, schedule, warmup, decay)
    assert all(0 < rate <= 1 for rate in rates)
    peak = rates.index(max(rates))
    assert rates[: peak + 1] == sorted(rates[: peak + 1])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)


def test_known_values() -> None:
    assert curve(4, "constant", warmup=0.5) == [0.5, 1, 1, 1]
    assert curve(4, "cosine") == pytest.approx([1, 0.853553, 0.5, 0.146447], abs=1e-6)
    assert curve(6, "wsd", warmup=1 / 3, decay=1 / 3) == pytest.approx([0.5, 1, 1, 1, 2 / 3, 1 / 3])
