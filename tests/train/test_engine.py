"""The engines, compared with each other and with the Hugging Face Trainer."""

from __future__ import annotations

import json
import os
import time
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM

from tests.train import processes
from tests.train.families import ISOLATING, LEAKING, write
from tests.train.tiny import execution, metrics, outputs, train_spec
from train import checkpoint, loop, step
from train.engine import TorchEngine
from train.ranks import ProcessGroup
from train.spec import Portion

REMOVED_KEYS = {"amp", "sparse_gradients", "eigenvalue", "elasticity", "graph_harvesting", "curriculum_learning",
                "progressive_layer_drop", "nebula", "compression_training", "quantize_training",
                "sparse_attention"}  # fmt: skip


def torch_gradient(inputs: dict[str, Path]) -> dict[str, torch.Tensor]:
    setup, tokenizer = loop.prepare(train_spec(batch_samples=20), inputs, execution(), ProcessGroup(0, 1, 0))
    engine, _ = loop.make_engine(setup, inputs, tokenizer)
    assert isinstance(engine, TorchEngine)
    step.accumulate(setup, engine, setup.plan.batch(0))
    return {name: weight.grad for name, weight in engine.module.named_parameters() if weight.grad is not None}


ZERO_TWO = execution(name="deepspeed", zero_stage=2, ranks=2, micro_tokens=128)
FREEZING = train_spec(steps=2, learning_rate=1e-12)  # too small to change any weight
MOVING = train_spec(steps=12)
LEAKING_RUN = execution(
    name="deepspeed", zero_stage=3, ranks=2, micro_tokens=128, pack=True, activation_checkpointing=True
)
ROUNDING = replace(train_spec(steps=2, learning_rate=1e-30, precision="bf16"), architecture=None)
DECAYING = replace(train_spec(steps=3, learning_rate=1e-2, weight_decay=10.0), architecture=None)


@pytest.fixture(scope="module")
def two_ranks(inputs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder written by two ranks.

    It holds STAGE.pt (the gradient of the first step under each ZeRO stage), frozen/ (a ZeRO-3 stage that starts from
    start/), exact-STAGE/ (bf16 stages that start from half/, which is start/ in fp16), whole/ (a ZeRO-2 stage),
    leaking/ (a ZeRO-3 stage with large weight decay that starts from falcon/, a model that cannot be trained packed)
    and buffers/ (one that starts from gemma/, a model with stored buffers).
    """
    pytest.importorskip("deepspeed")
    folder = tmp_path_factory.mktemp("two")
    for name in ("start", "frozen", "whole", "leaking", "buffers", *(f"exact-{stage}" for stage in range(4))):
        (folder / name).mkdir()
    write(ISOLATING["gemma4, buffers"], folder / "gemma")
    write(LEAKING["falcon, rotary"], folder / "falcon")
    loop.run(train_spec(), inputs, folder / "start", execution())
    half = AutoModelForCausalLM.from_pretrained(str(folder / "start"), dtype=torch.float16)
    half.save_pretrained(str(folder / "half"))
    stages = [execution(name="deepspeed", zero_stage=z, ranks=2, micro_tokens=64, pack=z % 2 == 1) for z in range(4)]
    calls = (
        ("gradients", (train_spec(batch_samples=20), inputs, folder, stages)),
        ("train", (FREEZING, inputs | {"init": folder / "start"}, folder / "frozen", stages[3])),
        *(
            ("train", (ROUNDING, inputs | {"init": folder / "half"}, folder / f"exact-{z}", stages[z]))
            for z in range(4)
        ),
        ("train", (MOVING, inputs, folder / "whole", ZERO_TWO)),
        ("train", (DECAYING, inputs | {"init": folder / "falcon"}, folder / "leaking", LEAKING_RUN)),
        ("train", (DECAYING, inputs | {"init": folder / "gemma"}, folder / "buffers", stages[3])),
    )
    processes.finish(processes.start("several", calls, folder, ranks=2))
    return folder


@pytest.mark.slow
def test_every_zero_stage_has_the_gradient_of_one_process(inputs: dict[str, Path], two_ranks: Path) -> None:
    expected = torch_gradient(inputs)
    for stage in range(4):
        gradients = torch.load(two_ranks / f"{stage}.pt")
        assert gradients.keys() == expected.keys()
        for name, gradient in expected.items():
            error = float((gradients[name] - gradient).norm() / gradient.norm())
            assert error < 1e-5, f"ZeRO-{stage}, {name}: relative error {error:.1e}"


def test_deepspeed_compiles_nothing_for_processors(two_ranks: Path) -> None:
    """Its message is there also where an earlier build is loaded."""
    printed = {log: log.read_text() for log in two_ranks.glob("several-*.txt")}
    assert len(printed) == 2
    assert not [log for log, text in printed.items() if "built successfully" in text]


@pytest.mark.slow
def test_zero_three_reads_a_folder_and_writes_one(inputs: dict[str, Path], two_ranks: Path, tmp_path: Path) -> None:
    loop.run(FREEZING, inputs | {"init": two_ranks / "start"}, tmp_path, execution())
    ours, theirs = outputs(two_ranks / "frozen"), outputs(tmp_path)
    assert ours.keys() == theirs.keys()
    assert ours["config.json"] == theirs["config.json"]
    assert ours["model.safetensors"] == theirs["model.safetensors"]
    sharded, plain = metrics(two_ranks / "frozen"), metrics(tmp_path)
    assert [line["loss"] for line in sharded] == pytest.approx([line["loss"] for line in plain], abs=1e-6)


@pytest.mark.slow
def test_bf16_training_rounds_neither_the_weights_it_starts_from_nor_those_it_publishes(two_ranks: Path) -> None:
    """A chain of stages gives the same with every engine only if each passes on the fp32 weights of its optimiser."""
    expected = AutoModelForCausalLM.from_pretrained(str(two_ranks / "half"), dtype=torch.float32).state_dict()
    for stage in range(4):
        published = AutoModelForCausalLM.from_pretrained(str(two_ranks / f"exact-{stage}"))
        assert published.dtype == torch.float32
        for name, weight in published.state_dict().items():
            assert float((weight - expected[name]).abs().max()) < 1e-25, f"ZeRO-{stage}, {name}"


@pytest.mark.slow
def test_zero_three_trains_a_leaking_model_unpacked_and_decays_its_weights(
    inputs: dict[str, Path], two_ranks: Path, tmp_path: Path
) -> None:
    loop.run(DECAYING, inputs | {"init": two_ranks / "falcon"}, tmp_path, execution(micro_tokens=128))
    sharded, plain = metrics(two_ranks / "leaking"), metrics(tmp_path)
    assert [line["loss"] for line in sharded] == pytest.approx([line["loss"] for line in plain], abs=1e-5)
    ours, theirs = (json.loads((folder / "summary.json").read_text()) for folder in (two_ranks / "leaking", tmp_path))
    assert ours.pop("final_loss") == pytest.approx(theirs.pop("final_loss"), abs=1e-5)
    assert ours == theirs  # the number of parameters, and that it was trained unpacked


@pytest.mark.slow
def test_zero_three_reads_stored_buffers(inputs: dict[str, Path], two_ranks: Path, tmp_path: Path) -> None:
    loop.run(DECAYING, inputs | {"init": two_ranks / "gemma"}, tmp_path, execution())
    sharded, plain = metrics(two_ranks / "buffers"), metrics(tmp_path)
    assert [line["loss"] for line in sharded] == pytest.approx([line["loss"] for line in plain], abs=1e-5)


@pytest.mark.slow
def test_ranks_agree_to_stop_and_go_on_to_the_same_bytes(
    inputs: dict[str, Path], two_ranks: Path, tmp_path: Path
) -> None:
    out, plain = tmp_path / "out", tmp_path / "plain"
    out.mkdir()
    plain.mkdir()
    processes.finish(processes.start("stopped", (MOVING, inputs, out, ZERO_TWO, 1, 4), tmp_path, ranks=2), code=75)
    point = checkpoint.latest(out)
    assert point is not None
    assert point.step == len(metrics(out)) >= 4
    processes.finish(processes.start("train", (MOVING, inputs, out, ZERO_TWO), tmp_path, ranks=2))
    assert outputs(out) == outputs(two_ranks / "whole")
    loop.run(MOVING, inputs, plain, execution())
    for ours, theirs in zip(metrics(out), metrics(plain), strict=True):
        assert ours["samples"] == theirs["samples"]
        assert ours["loss"] == pytest.approx(theirs["loss"], abs=1e-4)


def test_the_lock_of_a_killed_build_is_removed_and_a_build_that_goes_on_is_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """torch itself waits for such a file without end."""
    zero = pytest.importorskip("train.zero")
    killed, running = (tmp_path / "py311_cpu" / name / "lock" for name in ("killed", "running"))
    for lock in (killed, running):
        lock.parent.mkdir(parents=True)
        lock.touch()
    os.utime(killed, (time.time() - 700,) * 2)
    monkeypatch.setattr(zero.time, "sleep", lambda _: running.unlink())
    zero.free_builds(tmp_path)
    assert not killed.exists() and not running.exists()
    said = [record.getMessage() for record in caplog.records if record.name == zero.__name__]
    assert said == [f"{killed} was left by a build that was killed; removed"]


def test_the_deepspeed_settings_hold_no_removed_key() -> None:
    pytest.importorskip("deepspeed")
    from train import zero

    settings = zero.settings(train_spec().recipe, execution(name="deepspeed", zero_stage=3, offload="all").engine)
    assert not REMOVED_KEYS & set(settings)
    assert settings["gradient_clipping"] == 1.0
    assert settings["managed_gradient_accumulation"] is True


def collated(batch: list[dict[str, np.ndarray]]) -> dict[str, torch.Tensor]:
    """Rows as a right-padded batch of the Trainer; what carries no loss has the label -100."""
    width = max(len(row["ids"]) for row in batch)
    ids, labels, mask = torch.zeros(3, len(batch), width, dtype=torch.long)
    labels -= 100
    for number, row in enumerate(batch):
        here = slice(0, len(row["ids"]))
        ids[number, here] = torch.from_numpy(row["ids"]).long()
        labels[number, here] = torch.where(torch.from_numpy(row["supervised"]), ids[number, here], -100)
        mask[number, here] = 1
    return {"input_ids": ids, "labels": labels, "attention_mask": mask}


def test_losses_equal_those_of_the_hugging_face_trainer(inputs: dict[str, Path], tmp_path: Path) -> None:
    """One source and one batch an epoch, so that the order of the samples cannot matter."""
    pytest.importorskip("accelerate")
    from transformers import Trainer, TrainingArguments

    spec = train_spec(
        (Portion("math", ("sums",), 24),), steps=None, epochs=5, batch_samples=24, schedule="constant", warmup=0,
        weight_decay=0.1,
    )  # fmt: skip
    loop.run(spec, inputs, tmp_path, execution(micro_tokens=128))

    setup, tokenizer = loop.prepare(spec, inputs, execution(), ProcessGroup(0, 1, 0))
    data = setup.data
    rows = [
        {"ids": data.ids[a:b], "supervised": data.supervised[a:b]}
        for a, b in ((data.offsets[s], data.offsets[s + 1]) for s in sorted(setup.plan.batch(0)))
    ]

    engine, _ = loop.make_engine(setup, inputs, tokenizer)
    assert isinstance(engine, TorchEngine)
    recipe = spec.recipe
    settings = TrainingArguments(
        output_dir=str(tmp_path / "hf"), num_train_epochs=5, per_device_train_batch_size=8,
        gradient_accumulation_steps=3,
        learning_rate=recipe.learning_rate, lr_scheduler_type="constant", weight_decay=recipe.weight_decay,
        adam_beta1=recipe.beta1, adam_beta2=recipe.beta2, adam_epsilon=recipe.epsilon, max_grad_norm=recipe.clip_norm,
        logging_steps=1, save_strategy="no", report_to="none", use_cpu=True, disable_tqdm=True,
        remove_unused_columns=False,
    )  # fmt: skip
    oracle = Trainer(engine.module.model, settings, train_dataset=rows, data_collator=collated)
    oracle.train()
    logged = [entry for entry in oracle.state.log_history if "loss" in entry]
    ours = metrics(tmp_path)
    assert [line["loss"] for line in ours] == pytest.approx([float(entry["loss"]) for entry in logged], abs=1e-4)
    assert [line["grad_norm"] for line in ours] == pytest.approx([float(e["grad_norm"]) for e in logged], rel=1e-3)
