"""A killed ZeRO-3 stage of four ranks goes on with other ranks, other ZeRO stages and the torch engine."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from tests.train import processes
from tests.train.tiny import execution, metrics, train_spec
from train import checkpoint, loop
from train.spec import checkpoint_folder

DEPTHS = (4, 32)
STEPS = 12
SPEC = train_spec(steps=STEPS, learning_rate=3e-4, checkpoints=("1/12", "3/4"))
"""The first checkpoint is written by the four ranks, the second by those who go on."""
FOUR = execution(name="deepspeed", zero_stage=3, ranks=4, micro_tokens=64, checkpoint_steps=2)
OTHERS = {
    "zero3, two ranks": execution(name="deepspeed", zero_stage=3, ranks=2, micro_tokens=128),
    "zero2": execution(name="deepspeed", zero_stage=2, ranks=2, micro_tokens=128, checkpoint_minutes=1e-9),
    "zero1": execution(name="deepspeed", zero_stage=1, ranks=2, micro_tokens=128),
    "zero0": execution(name="deepspeed", zero_stage=0, ranks=2, micro_tokens=128),
    "offload": execution(name="deepspeed", zero_stage=3, offload="all", ranks=2, micro_tokens=128),
}


@pytest.fixture(scope="module")
def killed(inputs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What `export_peaks` and kill -9 of four ranks left; and a copy for each of `OTHERS`, which finished it."""
    pytest.importorskip("deepspeed")
    folder = tmp_path_factory.mktemp("killed")
    out = folder / "out"
    out.mkdir()
    calls = (("export_peaks", (folder, DEPTHS)), ("train", (SPEC, inputs, out, FOUR)))
    started = processes.start("several", calls, folder, ranks=4)
    processes.kill_at(started, out / "metrics.jsonl", 5)
    for name in OTHERS:
        shutil.copytree(out, folder / name)
    calls = tuple(("train", (SPEC, inputs, folder / name, run)) for name, run in OTHERS.items())
    processes.finish(processes.start("several", calls, folder, ranks=2))
    return folder


@pytest.fixture(scope="module")
def whole(inputs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The stage, which nothing interrupts, in one process."""
    out = tmp_path_factory.mktemp("whole")
    loop.run(SPEC, inputs, out, execution())
    return out


@pytest.mark.slow
@pytest.mark.parametrize("name", [*OTHERS, "torch"])
def test_others_go_on_with_the_same_samples_and_losses(
    killed: Path, whole: Path, inputs: dict[str, Path], name: str
) -> None:
    out = killed / name
    if name == "torch":
        shutil.copytree(killed / "out", out)
        point = checkpoint.latest(out)
        assert point is not None and 4 <= point.step < STEPS
        loop.run(SPEC, inputs, out, execution())
    ours, theirs = metrics(out), metrics(whole)
    assert [line["samples"] for line in ours] == [line["samples"] for line in theirs]
    assert [line["loss"] for line in ours] == pytest.approx([line["loss"] for line in theirs], abs=1e-6)
    assert not (out / "resume").exists()
    for folder in (".", checkpoint_folder("1/12"), checkpoint_folder("3/4")):
        weights, expected = (load_file(place / folder / "model.safetensors") for place in (out, whole))
        assert weights.keys() == expected.keys()
        for key, weight in weights.items():
            torch.testing.assert_close(weight, expected[key], atol=1e-4, rtol=0)


@pytest.mark.slow
def test_the_peak_of_an_export_does_not_grow_with_the_model(killed: Path) -> None:
    """Each of four ranks holds one file of weights (4 MiB here) and the stretch being gathered (1 MiB).

    What its process and gloo allocate besides varies, up to 17 MiB in all; its quarter of the model alone is 20 MiB.
    """
    for rank in range(4):
        small, large = (
            [int(n) for n in line.split()] for line in (killed / f"peak-{rank}.txt").read_text().splitlines()
        )
        assert large[0] > 7 * small[0]
        assert large[1] < 20 * 2**20 < large[0] / 4, f"rank {rank}: {small}, {large}"


@pytest.mark.slow
def test_a_model_in_several_files_is_loaded_whole(killed: Path) -> None:
    model = AutoModelForCausalLM.from_pretrained(str(killed / f"depth-{DEPTHS[1]}"))
    index = json.loads((killed / f"depth-{DEPTHS[1]}" / "model.safetensors.index.json").read_text())
    assert len(set(index["weight_map"].values())) > 20
    assert set(index["weight_map"]) == set(model.state_dict())
    files = [killed / f"depth-{DEPTHS[1]}" / file for file in set(index["weight_map"].values())]
    assert index["metadata"]["total_size"] == sum(file.stat().st_size for file in files)
