"""Memory of a training by part: by hand, against published figures, and against what a training takes here."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from sweep.config.cell import Cell
from sweep.plan import fit
from sweep.plan.memory import Memory, training
from tests.conftest import HANG_SECONDS, ROOT
from tests.sweep.composing import cell, plan
from train.spec import Architecture, EngineConfig

LLAMA_7B = Architecture(4096, 11008, 32, 32, 32, 2048, 10000.0)
LLAMA_33B = Architecture(6656, 17920, 60, 52, 52, 2048, 10000.0)
PARAMETERS = {7: 6738415616, 33: 32528943616}


def engine(
    zero: int, offload: str = "none", ranks: int = 4, tokens: int = 1, checkpointing: bool = True
) -> EngineConfig:
    name = "deepspeed" if zero or ranks > 1 else "torch"
    return EngineConfig(name, zero, offload, ranks, tokens, True, checkpointing, 100)


@pytest.mark.parametrize(
    ("zero", "offload", "bf16", "fp32"),
    [
        (0, "none", 4 + 4 + 8, 4 + 4 + 8),
        (1, "none", 2 + 4 + 12 / 4, 4 + 4 + 8 / 4),
        (2, "none", 2 + (4 + 12) / 4, 4 + (4 + 8) / 4),
        (3, "none", (2 + 4 + 12) / 4, (4 + 4 + 8) / 4),
        (2, "optimizer", 2, 4),
        (3, "optimizer", 2 / 4, 4 / 4),
        (3, "all", 0, 0),
    ],
)
def test_states_on_four_ranks(zero: int, offload: str, bf16: float, fp32: float):
    """Of 2**30 parameters, so that bytes a parameter are GiB; gradients are added up in fp32."""
    for precision, expected in (("bf16", bf16), ("fp32", fp32)):
        found = training(2**30, LLAMA_7B, engine(zero, offload), precision, gpu=False)
        assert found.weights + found.gradients + found.optimizer == pytest.approx(expected)


def test_what_is_offloaded_lies_in_the_hosts_memory():
    here, there = (training(2**30, LLAMA_7B, engine(3, part), "bf16", gpu=False) for part in ("none", "all"))
    assert there.host - here.host == pytest.approx((2 + 4 + 12) / 4)


def test_only_a_model_that_is_loaded_whole_takes_its_size_on_the_host():
    """ZeRO 1 and 2 in bf16 map the files, which the ranks of a node share; without ZeRO the fp32 weights are a copy."""
    whole, mapped, fp32 = (
        training(2**30, LLAMA_7B, engine(stage), precision, gpu=True)
        for stage, precision in ((0, "bf16"), (2, "bf16"), (2, "fp32"))
    )
    assert whole.host - mapped.host == fp32.host - mapped.host == pytest.approx(4.0)


@pytest.mark.parametrize(("ranks", "gigabytes"), [(8, 74), (16, 37), (32, 19)])
def test_states_of_33b_are_those_published_for_zero_3(ranks: int, gigabytes: float):
    found = training(PARAMETERS[33], LLAMA_33B, engine(3, ranks=ranks), "bf16", gpu=False)
    assert (found.weights + found.gradients + found.optimizer) * 2**30 / 1e9 == pytest.approx(gigabytes, rel=0.04)


def test_activations_of_a_layer_are_those_measured_for_llama_7b():
    """187,016 bytes a token and layer without recomputing."""
    tokens = 8192
    saved = training(PARAMETERS[7], LLAMA_7B, engine(2, tokens=tokens, checkpointing=False), "bf16", gpu=False)
    assert saved.activations * 2**30 / (tokens * 32) == pytest.approx(187_016, rel=0.05)


def test_33b_on_eight_gpus_needs_what_it_was_found_to_need():
    found = training(PARAMETERS[33], LLAMA_33B, engine(3, ranks=8, tokens=8192), "bf16", gpu=True)
    assert found.device == pytest.approx(79, rel=0.1)


def test_a_large_vocabulary_counts():
    small, large = (
        training(vocabulary * 2 * 4096 + LLAMA_7B.parameters(0), LLAMA_7B, engine(3, tokens=4096), "bf16", gpu=False)
        for vocabulary in (32_000, 152_000)
    )
    assert large.activations + large.logits > small.activations + small.logits
    assert (large.activations + large.logits) * 2**30 > 10 * 152_000 * 4096


def large(*overrides: str) -> tuple[Cell, int]:
    made = cell("model=llama_33b", "recipe=paper", "data=paper", "suite=paper", "~suite.tasks.mtbench", *overrides)
    return made, PARAMETERS[33]


def fits(one: Cell, card: float | None) -> bool:
    """Whether the training of a cell of 33B fits its GPU."""
    room = fit.room_of(one, PARAMETERS[33], card)
    return fit.is_within(fit.estimate(one, PARAMETERS[33], room), room)


def test_what_does_not_fit_is_named_with_the_smallest_change_that_does():
    one, _ = large("engine=zero3", "engine.gpu_gib=80", "fraction=1/4")
    (line, *_) = fit.lines(plan(one), set(), None)
    assert "llama_33b (ZeRO 3, 8 ranks, 8192 tokens a pass)" in line and "Does not fit 80 GiB safely" in line
    assert "what does: engine.ranks=16" in line
    assert not fits(one, None)
    mended, _ = large("engine=zero3", "engine.gpu_gib=80", "engine.ranks=16", "fraction=1/4")
    assert fits(mended, None)
    assert "Does not fit" not in " ".join(fit.lines(plan(mended), set(), None))


def test_the_card_that_is_set_counts_before_the_one_found():
    one, _ = large("engine=zero3", "engine.ranks=16", "fraction=1/4")
    assert fits(one, 80.0) and not fits(one, 24.0)
    told, _ = large("engine=zero3", "engine.ranks=16", "fraction=1/4", "engine.gpu_gib=80")
    assert fits(told, 24.0)


def test_the_card_of_a_large_model_is_assumed_where_nothing_says_it_and_that_is_said():
    """As on the login node of a cluster. A model of any size on a machine without GPUs needs none."""
    one, parameters = large("engine=zero3", "fraction=1/4")
    assumed, line, answers, *_ = fit.lines(plan(one), set(), None)
    assert assumed == "memory: GPUs of 80 GiB are assumed; engine.gpu_gib= says otherwise"
    assert "Does not fit 80 GiB safely" in line and answers.endswith("GPUs of 80")
    assert not fits(one, None)
    assert [fit.room_of(one, parameters, card) for card in (None, 24.0)] == [80.0, 24.0]
    small = cell("fraction=1/4")
    assert fit.room_of(small, 242_112, None) is None
    assert "assumed" not in " ".join(fit.lines(plan(small), set(), None))


def test_a_model_that_no_setting_fits_is_said_to_be_one():
    one, parameters = large("engine=zero3", "engine.gpu_gib=2")
    assert fit.remedy(one, parameters, 2.0) == ""


@pytest.mark.parametrize(("card", "gpus"), [(None, 1), (24.0, 16), (80.0, 4), (320.0, 1)])
def test_answers_get_the_gpus_that_hold_the_model_and_its_cache(card: float | None, gpus: int):
    one, parameters = large("suite.tasks.gsm8k.max_new_tokens=1024")
    assert fit.answering_gpus(one, parameters, card) == gpus


@pytest.mark.parametrize(
    ("shape", "weights", "cache", "gpus"),
    [
        ((4096, 11008, 32, 32), 12.55, 40.0, 1),
        ((5120, 13824, 40, 40), 24.24, 62.5, 2),
        ((6656, 17920, 60, 52), 60.59, 121.9, 4),
        ((8192, 22016, 80, 64), 121.6, 200.0, 8),
    ],
    ids=["7B", "13B", "33B", "65B"],
)
def test_gpus_of_80_gib_that_hold_answers(shape: tuple[int, ...], weights: float, cache: float, gpus: int):
    """GiB in bf16: 2 bytes a weight; for each of 64 rows and 1280 positions 4 bytes by layers and width."""
    hidden, inner, layers, heads = shape
    llama = Architecture(hidden, inner, layers, heads, heads, 2048, 10000.0)
    need = fit.answering(llama.parameters(0) + 2 * 32000 * hidden, llama, size=2, rows=64, positions=1280)
    assert need == pytest.approx(weights + cache, rel=1e-3)
    assert fit.gpus_for(need, 80.0) == gpus


@pytest.mark.slow
@pytest.mark.parametrize("checkpointing", [False, True])
def test_a_training_here_takes_what_the_plan_says(checkpointing: bool):
    """In fp32: the peak of the process's resident memory over what it had before the model, within a tenth."""
    precision = "fp32"
    words = [precision, str(int(checkpointing))]
    ended = subprocess.run(
        [sys.executable, "-m", "tests.sweep.plan.peak", *words], cwd=ROOT, capture_output=True, text=True,
        timeout=HANG_SECONDS, env={**os.environ, "OMP_NUM_THREADS": "1", "MALLOC_MMAP_THRESHOLD_": "65536"},
    )  # fmt: skip
    assert ended.returncode == 0, ended.stderr
    measured, parameters = (int(word) for word in ended.stdout.split())
    from tests.sweep.plan.peak import SHAPE, TOKENS, VOCABULARY

    config = engine(0, ranks=1, tokens=TOKENS, checkpointing=checkpointing)
    # Its output layer is tied to the embedding, so the loss sees more of a vocabulary than its parameters tell.
    found = training(parameters, SHAPE, config, precision, gpu=False)
    wide = training(parameters + VOCABULARY * SHAPE.hidden_size, SHAPE, config, precision, gpu=False)
    estimate = Memory(
        found.weights, found.gradients, found.optimizer, wide.activations, wide.logits, found.buffers, found.host
    )
    assert estimate.device * 2**30 == pytest.approx(measured, rel=0.1)
