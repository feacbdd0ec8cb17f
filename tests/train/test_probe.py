"""Packing: a model that lets packed samples see each other is trained unpacked, and says so."""

from __future__ import annotations

import json
import logging
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
import torch

from tests.train.families import ISOLATING, LEAKING, write
from tests.train.tiny import execution, train_spec
from train import loop, probe, step
from train.engine import TorchEngine
from train.ranks import ProcessGroup
from train.spec import TrainSpec

SPEC = replace(train_spec(steps=2, batch_samples=20), architecture=None)
PACKED = execution(pack=True, micro_tokens=128)


def started(
    spec: TrainSpec, inputs: dict[str, Path], model: Path, *, pack: bool
) -> tuple[step.TrainSetup, TorchEngine]:
    inputs = inputs | {"init": model}
    run = execution(pack=pack, micro_tokens=128)
    setup, tokenizer = loop.prepare(spec, inputs, run, ProcessGroup(0, 1, 0))
    engine, _ = loop.make_engine(setup, inputs, tokenizer)
    assert isinstance(engine, TorchEngine)
    return setup, engine


def gradient(setup: step.TrainSetup, engine: TorchEngine) -> torch.Tensor:
    engine.module.eval()  # dropout would differ between two layouts of the same samples
    engine.optimizer.zero_grad()
    step.accumulate(setup, engine, setup.plan.batch(0))
    return torch.cat([weight.grad.flatten() for weight in engine.parameters if weight.grad is not None])


@pytest.mark.parametrize("name", [*ISOLATING, *LEAKING])
def test_the_gradient_is_the_same_packed_or_not(name: str, inputs: dict[str, Path], tmp_path: Path) -> None:
    model = write((ISOLATING | LEAKING)[name], tmp_path)
    asked, engine = started(SPEC, inputs, model, pack=True)
    setup = probe.unpack_if_leaking(asked, engine)
    assert setup.engine_config.pack == (name in ISOLATING)
    own = gradient(setup, engine)
    alone = gradient(replace(asked, engine_config=replace(asked.engine_config, pack=False)), engine)
    assert float((own - alone).norm() / alone.norm()) < 1e-5
    if name in LEAKING:  # what the probe prevents
        assert float((gradient(asked, engine) - alone).norm() / alone.norm()) > 1e-4


@pytest.mark.parametrize(
    "name", ["llama", "gpt2, dropout, learned positions", "mixtral, experts", "bloom, alibi", "lfm2, convolutions"]
)
def test_rounding_in_bf16_is_no_leak_and_a_leak_no_rounding(name: str, inputs: dict[str, Path], tmp_path: Path) -> None:
    spec = replace(SPEC, recipe=replace(SPEC.recipe, precision="bf16"))
    setup, engine = started(spec, inputs, write((ISOLATING | LEAKING)[name], tmp_path), pack=True)
    assert probe.leaks(setup, engine) == (name in LEAKING)


def test_positions_that_run_on_from_sample_to_sample_are_a_leak(inputs: dict[str, Path], tmp_path: Path) -> None:
    """Attention keeps the samples apart, but the second one stands at other positions than alone."""

    class RowPositions(torch.nn.Embedding):
        def forward(self, positions: torch.Tensor) -> torch.Tensor:
            return super().forward(torch.arange(positions.shape[-1]).expand_as(positions))

    model = write(ISOLATING["gpt2, dropout, learned positions"], tmp_path)
    setup, engine = started(SPEC, inputs, model, pack=True)
    network: Any = engine.module.model
    weight = network.transformer.wpe.weight
    network.transformer.wpe = RowPositions(*weight.shape, _weight=weight)
    assert probe.leaks(setup, engine)


class Given:
    """An engine whose losses are given: of the six samples of the probe's packed rows, and of the one alone."""

    def __init__(self, rounding: float, leak: float, shape: float) -> None:
        # In order: a sample, itself again, another, the sample after it, the sample, the other after it.
        packed = torch.ones(6, probe.TOKENS - 1)
        packed[1, 3] += leak
        packed[4, 5] += rounding
        packed[[2, 5]] = 7.0
        self.losses = [packed.flatten(), torch.ones(probe.TOKENS - 1)]
        self.losses[1][3] += shape + leak

    def evaluate(self, *_: torch.Tensor) -> torch.Tensor:
        return self.losses.pop(0)


@pytest.mark.parametrize(
    ("precision", "rounding", "leak", "shape", "leaks"),
    [
        ("fp32", 0.0, 0.8e-5, 0.0, False),
        ("fp32", 0.0, 1.2e-5, 0.0, True),
        ("fp32", 0.0, -1.2e-5, 0.0, True),
        ("fp32", 1e-5, 8.5e-5, 0.0, False),  # 1e-5, and eight times the rounding
        ("fp32", 1e-5, 9.5e-5, 0.0, True),
        ("fp32", 0.0, 0.0, 0.9e-3, False),  # a row of another shape rounds otherwise
        ("fp32", 0.0, 0.0, 1.1e-3, True),
        ("bf16", 0.0, 0.8e-3, 0.0, False),
        ("bf16", 0.0, 1.2e-3, 0.0, True),
        ("bf16", 0.0, 0.0, 0.45, False),
        ("bf16", 0.0, 0.0, 0.55, True),
        ("bf16", 0.01, 0.0, 0.55, False),  # .5 and eight times .01
    ],
)
def test_a_change_counts_from_the_tolerance_on(
    precision: str, rounding: float, leak: float, shape: float, leaks: bool, inputs: dict[str, Path]
) -> None:
    spec = replace(train_spec(steps=2), recipe=replace(train_spec().recipe, precision=precision))
    setup, _ = loop.prepare(spec, inputs, PACKED, ProcessGroup(0, 1, 0))
    assert probe.leaks(setup, cast(TorchEngine, Given(rounding, leak, shape))) == leaks


def test_a_leaking_model_is_trained_unpacked_and_says_so(
    inputs: dict[str, Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    logging.getLogger().setLevel(logging.INFO)
    inputs = inputs | {"init": write(LEAKING["mpt, alibi"], tmp_path / "model")}
    for folder, run in (("packed", PACKED), ("unpacked", execution(micro_tokens=128))):
        (tmp_path / folder).mkdir()
        loop.run(SPEC, inputs, tmp_path / folder, run)
    assert "trained with one sample a row" in caplog.text
    for file in ("model.safetensors", "metrics.jsonl", "summary.json"):
        assert (tmp_path / "packed" / file).read_bytes() == (tmp_path / "unpacked" / file).read_bytes()
    assert json.loads((tmp_path / "packed" / "summary.json").read_text())["packed"] is False
    caplog.clear()
    (tmp_path / "own").mkdir()
    own = replace(SPEC, architecture=train_spec().architecture)
    loop.run(own, {k: v for k, v in inputs.items() if k != "init"}, tmp_path / "own", PACKED)
    assert json.loads((tmp_path / "own" / "summary.json").read_text())["packed"] is True
    assert "one sample a row" not in caplog.text


def test_the_probe_leaves_the_model_training_and_its_gradients_clear(inputs: dict[str, Path], tmp_path: Path) -> None:
    setup, engine = started(SPEC, inputs, write(ISOLATING["gpt2, dropout, learned positions"], tmp_path), pack=True)
    state = torch.get_rng_state()
    assert not probe.leaks(setup, engine)
    assert engine.module.training
    assert all(parameter.grad is None for parameter in engine.parameters)
    assert torch.equal(torch.get_rng_state(), state)
