"""Learning-rate schedules."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from transformers import TrainingArguments, get_scheduler

from tests.train.tiny import recipe
from train import schedule
from train.spec import SCHEDULES

THEIRS = {"cosine": "cosine", "constant": "constant_with_warmup", "wsd": "warmup_stable_decay"}


def curve(steps: int, name: str, warmup: float = 0.0, decay: float = 0.0) -> list[float]:
    settings = recipe(schedule=name, warmup=warmup, decay=decay)
    return [schedule.rate_factor(settings, step=step, steps=steps) for step in range(steps)]


def trainer_curve(steps: int, name: str, warmup: float, decay: float) -> list[float]:
    """The learning rates that the Hugging Face Trainer gives its optimiser, with a peak of 1."""
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    warmup_steps = TrainingArguments(warmup_steps=warmup, report_to="none").get_warmup_steps(steps)
    kind = {"num_decay_steps": math.ceil(decay * steps), "decay_type": "linear"} if name == "wsd" else {}
    scheduler = get_scheduler(THEIRS[name], optimizer, warmup_steps, steps, scheduler_specific_kwargs=kind)
    rates = []
    for _ in range(steps):
        rates.append(float(optimizer.param_groups[0]["lr"]))
        optimizer.step()
        scheduler.step()
    return rates


@pytest.mark.parametrize(("name", "decay"), [("cosine", 0.0), ("constant", 0.0), ("wsd", 0.25)])
@pytest.mark.parametrize("warmup", [0.0, 0.03, 0.05])
def test_the_rates_are_those_of_the_hugging_face_trainer(name: str, decay: float, warmup: float) -> None:
    for steps in range(1, 201):
        assert curve(steps, name, warmup, decay) == pytest.approx(trainer_curve(steps, name, warmup, decay), abs=1e-12)


def test_small_doses_warm_up_as_the_framework_does() -> None:
    """The paper's recipe: one step of 3, 9 or 12 warms up, at rate 0, so the sum of rates has no bias by the dose."""
    assert curve(3, "cosine", 0.03) == pytest.approx([0, 1, 0.5])
    assert [sum(curve(steps, "cosine", 0.03)) for steps in (3, 9, 12)] == pytest.approx([1.5, 4.5, 6.0])


@given(
    steps=st.integers(1, 200), name=st.sampled_from(SCHEDULES), warmup=st.floats(0, 0.5), decay=st.floats(0, 0.5)
)  # fmt: skip
def test_a_schedule_rises_once_and_never_again(steps: int, name: str, warmup: float, decay: float) -> None:
    rates = curve(steps, name, warmup, decay)
    assert all(0 <= rate <= 1 for rate in rates)
    assert sum(rate == 0 for rate in rates) == (warmup > 0)  # the first of the warm-up alone
    peak = rates.index(max(rates))
    assert rates[: peak + 1] == sorted(rates[: peak + 1])
    assert rates[peak:] == sorted(rates[peak:], reverse=True)


def test_known_values() -> None:
    assert curve(4, "constant", warmup=0.5) == [0, 0.5, 1, 1]
    assert curve(4, "cosine") == pytest.approx([1, 0.853553, 0.5, 0.146447], abs=1e-6)
    assert curve(6, "wsd", warmup=1 / 3, decay=1 / 3) == pytest.approx([0, 0.5, 1, 1, 1, 0.5])


def test_a_single_step_of_warm_up_is_refused() -> None:
    recipe(warmup=0).check_steps(1)
    recipe(warmup=0.03).check_steps(2)
    with pytest.raises(ValueError, match=r"recipe\.warmup=0\.03.* 1 step.*nothing would be trained; set"):
        recipe(warmup=0.03).check_steps(1)
