"""The training stage on one process: its files, that it learns, and that interruptions do not change the result."""

from __future__ import annotations

import json
import random
import resource
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoModelForSequenceClassification, AutoTokenizer

from sweep.stages.stage import REVISION
from tests.conftest import ROOT
from tests.train import processes
from tests.train.tiny import PORTIONS, execution, make_tokenizer, metrics, outputs, train_spec
from train import checkpoint, loop, model, samples
from train.ranks import ProcessGroup
from train.render import load_tokenizer
from train.spec import Hub, Portion, TrainSpec

pytestmark = pytest.mark.slow

GOLDEN = ROOT / "tests" / "golden" / "train_loss.txt"


@pytest.fixture(scope="module")
def finished(inputs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("finished")
    loop.run(train_spec(steps=24), inputs, out, execution())
    return out


def test_the_folder_opens_and_the_summary_is_right(finished: Path, inputs: dict[str, Path]) -> None:
    network = AutoModelForCausalLM.from_pretrained(str(finished))
    tokenizer = AutoTokenizer.from_pretrained(str(finished))
    assert network.generation_config.eos_token_id == tokenizer.convert_tokens_to_ids("<|end|>")
    assert tokenizer.chat_template
    assert not (finished / "resume").exists()
    summary, lines = json.loads((finished / "summary.json").read_text()), metrics(finished)
    assert [line["step"] for line in lines] == list(range(1, 25))
    data = samples.load(PORTIONS, inputs)
    dose = summary["sources"]
    assert (dose["sums"]["ability"], dose["sums"]["samples"], dose["talk"]["samples"]) == ("math", 32, 20)
    assert summary["samples"] == lines[-1]["samples"] == sum(source["presentations"] for source in dose.values())
    assert summary["tokens"] == lines[-1]["tokens"]
    assert summary["supervised_tokens"] == sum(source["supervised_tokens"] for source in dose.values())
    assert summary["parameters"] == network.num_parameters()
    assert dose["talk"]["presentations"] <= data.sizes()["talk"] * 4


def test_it_learns_and_the_loss_is_the_mean_over_its_sources(finished: Path, inputs: dict[str, Path]) -> None:
    lines = metrics(finished)
    assert lines[-1]["loss"] < 0.85 * lines[0]["loss"]
    assert lines[0]["loss"] == pytest.approx(np.log(400), rel=0.02)
    setup, _ = loop.prepare(train_spec(steps=24), inputs, execution(), ProcessGroup(0, 1, 0))
    for number, line in enumerate(lines):
        batch = setup.plan.batch(number)
        weights = np.bincount(setup.data.source[batch], weights=setup.data.targets[batch], minlength=2)
        losses = [line.get(f"loss/{name}", 0.0) for name in setup.data.names]
        assert [f"loss/{name}" in line for name in setup.data.names] == [weight > 0 for weight in weights]
        assert line["loss"] == pytest.approx(np.average(losses, weights=weights), rel=1e-9)


def test_two_runs_are_the_same_bytes(finished: Path, inputs: dict[str, Path], tmp_path: Path) -> None:
    loop.run(train_spec(steps=24), inputs, tmp_path, execution(checkpoint_steps=5))
    assert outputs(tmp_path) == outputs(finished)


def test_the_timings_tell_the_peak_of_the_memory(finished: Path) -> None:
    peak = json.loads((finished / "timings.json").read_text())["peak_memory_bytes"]
    assert 2**27 < peak <= 1024 * resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


def test_golden_losses() -> None:
    """If the golden losses change, old and new runs cannot be compared: raise the REVISION of kind train."""
    assert int(GOLDEN.read_text().split()[0]) == REVISION["train"]


def test_losses_are_those_on_record(finished: Path) -> None:
    recorded = [line.split() for line in GOLDEN.read_text().splitlines()[1:]]
    lines = metrics(finished)
    assert [int(step) for step, _ in recorded] == [line["step"] for line in lines]
    assert [line["loss"] for line in lines] == pytest.approx([float(loss) for _, loss in recorded], rel=1e-4)


@pytest.mark.parametrize(
    "changes", [{"micro_tokens": 64}, {"micro_tokens": 96, "pack": True}, {"activation_checkpointing": True}]
)
def test_the_execution_changes_only_rounding(
    finished: Path, inputs: dict[str, Path], tmp_path: Path, changes: dict[str, Any]
) -> None:
    loop.run(train_spec(steps=24), inputs, tmp_path, execution(**changes))
    ours, theirs = metrics(tmp_path), metrics(finished)
    assert [line["samples"] for line in ours] == [line["samples"] for line in theirs]
    assert [line["loss"] for line in ours[:3]] == pytest.approx([line["loss"] for line in theirs[:3]], abs=2e-5)
    assert ours[0]["grad_norm"] == pytest.approx(theirs[0]["grad_norm"], rel=1e-5)


@pytest.mark.parametrize("changes", [{"checkpoint_steps": 2}, {"checkpoint_minutes": 1e-9}], ids=["steps", "clock"])
def test_a_kill_at_any_moment_leaves_no_trace(
    finished: Path, inputs: dict[str, Path], tmp_path: Path, changes: dict[str, Any]
) -> None:
    """Points by the clock are written in the background, here one after the other."""
    out = tmp_path / "out"
    out.mkdir()
    moment = random.Random(str(changes)).randint(2, 20)
    arguments = (train_spec(steps=24), inputs, out, execution(**changes))
    processes.kill_at(processes.start("train", arguments, tmp_path), out / "metrics.jsonl", moment)
    loop.run(*arguments)
    assert outputs(out) == outputs(finished)


def test_a_signal_saves_and_the_same_call_goes_on(finished: Path, inputs: dict[str, Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    arguments = (train_spec(steps=24), inputs, out, execution())
    processes.finish(processes.start("stopped", (*arguments, 0, 7), tmp_path), code=75)
    point = checkpoint.latest(out)
    assert point is not None
    assert point.step == len(metrics(out)) >= 7
    loop.run(*arguments)
    assert outputs(out) == outputs(finished)


def test_a_half_written_resume_point_is_left_alone(finished: Path, inputs: dict[str, Path], tmp_path: Path) -> None:
    partial = tmp_path / "resume" / "partial-00000004"
    partial.mkdir(parents=True)
    (partial / "00000-00000.safetensors").write_bytes(b"half")
    loop.run(train_spec(steps=24), inputs, tmp_path, execution())
    assert outputs(tmp_path) == outputs(finished)


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("resume.json", b'{"format": 1}', "was written by another version of Dosage; nothing was deleted"),
        ("00000-00000.safetensors", b"half", r"cannot be read \(.*\); nothing was deleted"),
        ("00000-00000.safetensors", None, r"lacks \d+ of \d+ values of model\..* \(weight\); nothing was deleted"),
    ],
)
def test_a_resume_point_that_cannot_be_read_is_refused_and_stays(
    inputs: dict[str, Path], tmp_path: Path, file: str, content: bytes | None, message: str
) -> None:
    out = tmp_path / "out"
    out.mkdir()
    arguments = (train_spec(steps=24), inputs, out, execution())
    processes.finish(processes.start("stopped", (*arguments, 0, 2), tmp_path), code=75)
    point = checkpoint.latest(out)
    assert point is not None
    if content is None:
        (point.folder / file).unlink()
    else:
        (point.folder / file).write_bytes(content)
    before = outputs(out)
    with pytest.raises(ValueError, match=message):
        loop.run(*arguments)
    assert outputs(out) == before


def test_a_point_before_the_export_is_used_when_the_export_fails(
    finished: Path, inputs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As when the disk is full: the next attempt only exports."""
    arguments = (train_spec(steps=24), inputs, tmp_path, execution(checkpoint_steps=10))
    with monkeypatch.context() as patch:
        patch.setattr("train.export.save_file", None)
        with pytest.raises(TypeError):
            loop.run(*arguments)
    point = checkpoint.latest(tmp_path)
    assert point is not None and point.step == 24
    loop.run(*arguments)
    assert outputs(tmp_path) == outputs(finished)
    assert json.loads((tmp_path / "timings.json").read_text())["steps"] == 0


def test_after_a_kill_during_the_clean_up_nothing_is_trained_again(
    finished: Path, inputs: dict[str, Path], tmp_path: Path
) -> None:
    out = tmp_path / "out"
    shutil.copytree(finished, out)
    (out / "resume" / "step-00000020").mkdir(parents=True)
    weights = (out / "model.safetensors").stat().st_mtime_ns
    loop.run(train_spec(steps=24), inputs, out, execution())
    assert outputs(out) == outputs(finished)
    assert (out / "model.safetensors").stat().st_mtime_ns == weights


def test_stages_chain(finished: Path, inputs: dict[str, Path], tmp_path: Path) -> None:
    second = TrainSpec(None, None, (Portion("general", ("talk",), 16),), train_spec(steps=2).recipe, seed=1)
    loop.run(second, inputs | {"init": finished}, tmp_path, execution())
    before, after = (metrics(folder)[-1] for folder in (finished, tmp_path))
    assert after["loss"] == pytest.approx(before["loss/talk"], rel=0.2)
    assert not any("loss/sums" in line for line in metrics(tmp_path))


def test_bf16_is_close_to_fp32(finished: Path, inputs: dict[str, Path], tmp_path: Path) -> None:
    loop.run(train_spec(steps=4, precision="bf16"), inputs, tmp_path, execution())
    assert metrics(tmp_path)[3]["loss"] == pytest.approx(metrics(finished)[3]["loss"], rel=0.02)
    assert AutoModelForCausalLM.from_pretrained(str(tmp_path)).dtype == torch.float32


def test_a_model_is_published_in_the_recipes_precision(finished: Path, inputs: dict[str, Path], tmp_path: Path) -> None:
    loop.run(train_spec(steps=24, export_precision="bf16"), inputs, tmp_path, execution())
    whole, rounded = (AutoModelForCausalLM.from_pretrained(str(folder)) for folder in (finished, tmp_path))
    assert json.loads((tmp_path / "config.json").read_text())["dtype"] == "bfloat16"
    for name, weight in whole.state_dict().items():
        assert torch.equal(rounded.state_dict()[name], weight.to(torch.bfloat16))


def test_a_loss_that_is_not_a_number_stops_the_run(inputs: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(
        ValueError, match=r"step \d+: the (loss|gradient norm) is (nan|inf); lower recipe\.learning_rate"
    ):
        loop.run(train_spec(steps=40, learning_rate=1e18, warmup=0), inputs, tmp_path, execution())
    assert not (tmp_path / "summary.json").exists()


def test_users_errors_name_the_remedy(
    inputs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, finished: Path
) -> None:
    with pytest.raises(ValueError, match="no weights to start from"):
        loop.run(replace(train_spec(), architecture=None), inputs, tmp_path, execution())
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    hub = replace(train_spec(), architecture=None, hub=Hub("no-one/nothing", "abc"))
    with pytest.raises(ValueError, match=r"'no-one/nothing' at revision 'abc' could not be read.*local copy"):
        loop.run(hub, inputs, tmp_path, execution())
    with pytest.raises(ValueError, match=r"engine\.ranks=2, but WORLD_SIZE=1"):
        loop.run(train_spec(), inputs, tmp_path, execution(name="deepspeed", ranks=2))
    stranger = make_tokenizer(tmp_path, vocabulary=300)
    with pytest.raises(ValueError, match="'sums' was not tokenised with this model's tokenizer"):
        loop.run(train_spec(), inputs | {"tokenizer": stranger}, tmp_path, execution())
    other = tmp_path / "talk"
    shutil.copytree(inputs["talk"], other)
    (other / "tokenizer" / "chat_template.jinja").write_text("{{ messages }}")
    with pytest.raises(ValueError, match="'sums' and 'talk' were tokenised with different chat templates"):
        loop.run(train_spec(), inputs | {"talk": other}, tmp_path, execution())


def test_weights_that_changed_while_loading_are_noticed(finished: Path) -> None:
    network = model.read_folder(finished)
    with torch.no_grad():
        next(network.parameters()).add_(1e-3)
    with pytest.raises(RuntimeError, match="differs after loading"):
        model.check_weights(network, finished)


def test_weights_in_several_files_are_checked_too(finished: Path, tmp_path: Path) -> None:
    network = AutoModelForCausalLM.from_pretrained(str(finished))
    network.save_pretrained(str(tmp_path), max_shard_size="20KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    model.check_weights(network, tmp_path)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.add_(1)
    with pytest.raises(RuntimeError, match="differs after loading"):
        model.check_weights(network, tmp_path)


def test_a_model_whose_folder_lacks_weights_is_refused_instead_of_drawn_at_random(
    finished: Path, inputs: dict[str, Path], tmp_path: Path
) -> None:
    config = AutoConfig.from_pretrained(str(finished), tie_word_embeddings=False)
    AutoModelForSequenceClassification.from_config(config).save_pretrained(str(tmp_path / "classifier"))
    spec = replace(train_spec(), architecture=None)
    (tmp_path / "out").mkdir()
    with pytest.raises(
        ValueError, match=r"classifier: its files lack 1 weights .*lm_head\.weight first; get all files"
    ):
        loop.run(spec, inputs | {"init": tmp_path / "classifier"}, tmp_path / "out", execution())


def test_a_hub_model_without_weights_or_tokenizer_is_named(
    finished: Path, inputs: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    commit = "0" * 40
    folder = tmp_path / "models--org--small" / "snapshots" / commit
    folder.mkdir(parents=True)
    shutil.copy(finished / "config.json", folder)
    hub = Hub("org/small", commit)
    with pytest.raises(ValueError, match=r"'org/small' at revision '0+': no weights .*; no tokenizer"):
        loop.run(replace(train_spec(), architecture=None, hub=hub), inputs, tmp_path, execution())
    with pytest.raises(ValueError, match=r"'org/small' at revision '0+': no tokenizer"):
        load_tokenizer(None, hub)
    with pytest.raises(ValueError, match="no tokenizer"):
        load_tokenizer(folder, None)
