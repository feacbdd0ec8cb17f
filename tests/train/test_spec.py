"""Checks of specs and execution settings: each refusal names the value and something that exists to use instead."""

from __future__ import annotations

import re

import pytest
import yaml

from tests.conftest import ROOT
from tests.train.tiny import engine, recipe
from train.spec import Architecture


def test_the_engines_that_a_refusal_suggests_exist() -> None:
    with pytest.raises(ValueError, match=r"name=torch runs one process.*ranks=2, zero_stage=0") as caught:
        engine(ranks=2)
    suggested = re.findall(r"engine=(\w+)", str(caught.value))
    assert suggested
    for name in suggested:
        config = yaml.safe_load((ROOT / "conf" / "engine" / f"{name}.yaml").read_text(encoding="utf-8"))
        assert config["name"] == "deepspeed"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"offload": "optimizer"}, r"offload=optimizer does not work with zero_stage=0; .* zero_stage 1, 2 or 3"),
        ({"offload": "all", "zero_stage": 2}, r"offload=all does not work with zero_stage=2; .* zero_stage=3"),
        ({"zero_stage": 4}, r"zero_stage=4 is unknown; choose one of: 0, 1, 2, 3"),
        ({"micro_tokens": 0}, r"micro_tokens=0 must be above 0"),
    ],
)
def test_engine_settings_that_cannot_run_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        engine(name="deepspeed", **changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"epochs": 1.0}, r"epochs=1\.0, steps=8: set exactly one"),
        ({"steps": None}, r"epochs=None, steps=None: set exactly one"),
        ({"batch_tokens": 64}, r"batch_samples=8, batch_tokens=64: set exactly one"),
        ({"warmup": 0.6, "decay": 0.6}, r"warmup=0\.6, decay=0\.6: .* sum must not exceed 1"),
        ({"schedule": "linear"}, r"schedule='linear' is unknown; choose one of: cosine, constant, wsd"),
        ({"learning_rate": 0.0}, r"learning_rate=0\.0 must be above 0"),
    ],
)
def test_recipes_that_contradict_themselves_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        recipe(**changes)


def test_heads_must_divide_the_width() -> None:
    with pytest.raises(ValueError, match=r"hidden_size=30, num_heads=4, num_kv_heads=2: .* whole multiple"):
        Architecture(30, 64, 2, 4, 2, 128, 10000.0)
