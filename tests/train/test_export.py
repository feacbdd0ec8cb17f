"""The published folder, compared with what transformers itself writes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM

from tests.train.families import ISOLATING, LEAKING, write
from train import export
from train.parts import Part
from train.ranks import ProcessGroup

FAMILIES = ISOLATING | LEAKING
ALONE = ProcessGroup(0, 1, 0)


@pytest.mark.parametrize("family", FAMILIES)
def test_names_and_values_are_those_that_transformers_writes(
    family: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In files so small that the experts of a layer lie in several."""
    monkeypatch.setattr(export, "SHARD_BYTES", 2**14)
    monkeypatch.setattr(export, "CHUNK", 1000)
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    ours.mkdir()
    (ours / "model-00001-of-99999.safetensors").touch()  # by an attempt that was killed
    write(FAMILIES[family], tmp_path / "model")
    model = AutoModelForCausalLM.from_pretrained(str(tmp_path / "model"))
    model.save_pretrained(str(theirs))
    parts = {name: Part(name, 0, weight.numel(), weight) for name, weight in export.weights(model)}
    export.write(model, parts, ours, torch.float32, ALONE)
    written, expected = read(ours), read(theirs)
    assert written.keys() == expected.keys()
    for name, tensor in expected.items():
        assert torch.equal(written[name], tensor), name
    for file in ("config.json", "generation_config.json"):
        assert json.loads((ours / file).read_text()) == json.loads((theirs / file).read_text())


def read(folder: Path) -> dict[str, torch.Tensor]:
    return {name: tensor for file in folder.glob("*.safetensors") for name, tensor in load_file(str(file)).items()}


def test_parts_that_are_not_the_whole_model_are_refused(tmp_path: Path) -> None:
    write(ISOLATING["llama"], tmp_path)
    model = AutoModelForCausalLM.from_pretrained(str(tmp_path))
    parts = {name: Part(name, 0, weight.numel(), weight) for name, weight in export.weights(model)}
    parts.pop("model.norm.weight")
    with pytest.raises(RuntimeError, match="lack 32 of the model's weights"):
        export.write(model, parts, tmp_path, torch.float32, ALONE)
