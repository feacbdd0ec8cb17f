"""What each stage of a plan asks SLURM for."""

import pytest
from omegaconf import OmegaConf

from sweep.cli.launcher import request
from sweep.plan.resume_points import SHORTEST_DELAY, signal_delay
from tests.conftest import ROOT
from tests.sweep.composing import cell, plan

SIZES = {"small": ("model=micro_s",), "large": ("model=llama_33b", "recipe=paper", "engine=zero3")}


def delays(size: str, **settings: object) -> tuple[int, int, int]:
    """Seconds before their ends at which jobs that train and that answer are told to end, and the large model's."""
    made = plan(cell(*SIZES[size]))
    launcher = OmegaConf.load(ROOT / "conf" / "hydra" / "launcher" / "submitit_slurm.yaml")
    asked = request(made, OmegaConf.create({"hydra": {"launcher": {**launcher, **settings}}}))  # type: ignore[dict-item]
    last = asked.of_stage[made.cells[0].trained[-1].key]
    return last.of("train").delay, last.of("answer").delay, signal_delay(33 * 10**9, made.store)


def test_a_training_is_told_to_save_as_long_before_its_end_as_saving_takes():
    small, answers, _ = delays("small")
    assert small == answers == SHORTEST_DELAY
    large, answers, expected = delays("large")
    assert large == pytest.approx(expected, rel=0.05) and answers == SHORTEST_DELAY


def test_a_delay_that_is_set_counts():
    assert delays("large", signal_delay_s=300)[:2] == (300, 300)
    assert delays("large", train={"signal_delay_s": 600})[:2] == (600, SHORTEST_DELAY)
